"""Each door of the real hub, when there is room, when there is none, and when the service is away."""

from __future__ import annotations

import pytest

from fake_hub_side import FakeCapacity, page_of
from jupyterhub_mesos.wire import Problem
from real_hub import RealHub


def test_a_denied_start_through_the_api_says_when_to_ask_again_and_where_it_waits(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    capacity.story.room = False
    answer = hub.user("api-denied").call("POST", "users/api-denied/server", {})
    assert answer.status_code == 409
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Link"] == f'<{page_of(1)}>; rel="status"'
    assert answer.json()["message"] == "No room for <small> now: 1 of 1 in the queue."


def test_a_denied_form_leads_the_browser_to_the_request(hub: RealHub, capacity: FakeCapacity) -> None:
    capacity.story.room = False
    with hub.browser("form-denied") as browser:
        answer = browser.post("/hub/spawn/form-denied", {"profile": "small"})
    assert (answer.status_code, answer.headers["Location"]) == (303, page_of(1))
    assert capacity.story.starts[0].options == {"profile": "small"}


@pytest.mark.parametrize(
    ("door", "page"),
    [
        ("/hub/spawn/door", "/services/capacity/"),
        ("/hub/spawn", "/services/capacity/"),
        ("/hub/spawn/door/second", "/services/capacity/?server=second"),
        ("/hub/spawn/door?next=/user/door/lab", "/services/capacity/?next=%2Fuser%2Fdoor%2Flab"),
        ("/hub/spawn/door?next=https://evil.example/", "/services/capacity/"),
    ],
)
def test_the_start_pages_lead_to_the_launch_page_and_start_nothing(
    hub: RealHub, capacity: FakeCapacity, door: str, page: str
) -> None:
    with hub.browser("door") as browser:
        answer = browser.get(door)
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    assert capacity.story.starts == []


def test_options_in_the_address_lead_to_the_request_when_denied(hub: RealHub, capacity: FakeCapacity) -> None:
    capacity.story.room = False
    with hub.browser("query") as browser:
        answer = browser.get("/hub/spawn/query?opt-profile=large")
    assert (answer.status_code, answer.headers["Location"]) == (303, page_of(1))
    assert [ask.options for ask in capacity.story.starts] == [{"profile": "large"}]


def test_a_visitor_of_a_stopped_server_goes_on_to_the_start_page_by_itself(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    with hub.browser("visitor") as browser:
        stopped = browser.get("/hub/user/visitor/lab")
        while stopped.status_code in {302, 301}:
            stopped = browser.get(stopped.headers["Location"].removeprefix(hub.url))
    assert stopped.status_code == 424
    assert "implicit_spawn_seconds = 0.01" in stopped.text
    assert "/hub/spawn/visitor?next=" in stopped.text


def test_a_visitor_after_a_denial_is_led_to_the_request_by_the_page(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    capacity.story.room = False
    with hub.browser("denied-visitor") as browser:
        browser.post("/hub/spawn/denied-visitor", {})
        page = browser.get("/hub/spawn-pending/denied-visitor")
    assert page.status_code == 303
    assert "Location" not in page.headers  # the hub drops it: the page's script leads on
    assert f'window.location.replace("{page_of(1)}")' in page.text
    assert "No room for &lt;small&gt; now" in page.text


def test_arriving_people_land_on_the_launch_page(hub: RealHub, capacity: FakeCapacity) -> None:
    with hub.browser("arriving") as browser:
        answer = browser.get("/hub/")
    assert answer.headers["Location"] == "/services/capacity/"


def test_an_admin_keeps_a_form_for_another_user(hub: RealHub, capacity: FakeCapacity) -> None:
    hub.user("helped")
    with hub.browser("root") as browser:
        form = browser.get("/hub/spawn/helped")
        assert form.status_code == 200
        assert 'name="profile"' in form.text
        capacity.story.room = False
        answer = browser.post("/hub/spawn/helped", {"profile": "large", "team": ""})
    assert (answer.status_code, answer.headers["Location"]) == (303, page_of(1))
    assert capacity.story.starts[0].options == {"profile": "large"}


def test_the_service_claims_its_grant_by_id_and_the_hub_does_not_keep_it(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    hub.user("granted")
    answer = hub.service.call("POST", "users/granted/server?grant=r9-1", {"profile": "small"})
    assert answer.status_code == 201, answer.text
    ask = capacity.story.starts[0]
    assert (ask.grant, ask.options, ask.server_name) == ("r9-1", {"profile": "small"}, "")
    model = hub.admin.call("GET", "users/granted").json()["servers"][""]
    assert model["ready"]
    assert model["user_options"] == {"profile": "small"}


def test_a_grant_that_a_user_names_is_ignored(hub: RealHub, capacity: FakeCapacity) -> None:
    answer = hub.user("thief").call("POST", "users/thief/server?grant=r9-1", {})
    assert answer.status_code == 201, answer.text
    assert capacity.story.starts[0].grant is None


def test_a_grant_that_another_service_names_is_ignored(hub: RealHub, capacity: FakeCapacity) -> None:
    hub.user("helpless")
    assert hub.admin.call("POST", "users/helpless/server?grant=r9-1", {}).status_code == 201
    assert capacity.story.starts[0].grant is None


def test_options_reach_the_service_as_they_are_and_its_refusal_is_shown(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    sentence = "cpu_millis asked for in the options; only profile and team may be chosen."
    capacity.story.refusal = Problem(title="Bad", status=400, detail=sentence, code="invalid-input")
    smuggled = {"profile": "small", "cpu_millis": 64000, "team": "speech", "deep": {"a": [1]}}
    answer = hub.user("smuggler").call("POST", "users/smuggler/server", smuggled)
    assert (answer.status_code, answer.json()["message"]) == (400, sentence)
    assert capacity.story.starts[0].options == smuggled


def test_an_unknown_grant_is_a_conflict_and_never_an_unknown_user(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    hub.user("late")
    capacity.story.refusal = Problem(title="Gone", status=404, detail="No such grant.", code="not-found")
    answer = hub.service.call("POST", "users/late/server?grant=r9-1", {})
    assert (answer.status_code, answer.json()["message"]) == (409, "No such grant.")


def test_the_groups_that_the_hub_knows_go_with_the_start(hub: RealHub, capacity: FakeCapacity) -> None:
    path = hub.start_server("ann")
    assert capacity.story.starts[0].groups == ("speech", "vision")
    hub.admin.call("DELETE", path)


def test_a_start_without_the_service_is_refused_and_says_that_it_is_not_queued(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    capacity.go_away()
    answer = hub.user("unlucky").call("POST", "users/unlucky/server", {})
    assert answer.status_code == 503
    assert "not queued" in answer.json()["message"]


def test_a_wrong_key_is_told_apart_in_the_log_and_starts_nothing(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    capacity.key, right = "another", capacity.key
    answer = hub.user("keyless").call("POST", "users/keyless/server", {})
    capacity.key = right
    assert answer.status_code == 503
    assert capacity.story.starts == []


def test_thirty_denials_do_not_make_the_hub_exit(hub: RealHub, capacity: FakeCapacity) -> None:
    capacity.story.room = False
    user = hub.user("stubborn")
    assert [user.call("POST", "users/stubborn/server", {}).status_code for _ in range(30)] == [409] * 30
    assert hub.is_running
    assert user.call("GET", "user").status_code == 200
    assert capacity.story.stops == []
