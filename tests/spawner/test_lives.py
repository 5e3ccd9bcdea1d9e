"""A server's life as the real hub sees it: launch, poll, stop, cancel, removal, a hub that dies."""

from __future__ import annotations

import requests

from deadlines import eventually
from fake_hub_side import DEADLINE_SECONDS, FakeCapacity
from real_hub import RealHub


def test_the_server_listens_where_the_allocation_says_and_gets_the_hubs_environment(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    hub.start_server("launched")
    launch = capacity.story.launches[0]
    assert launch.argv == ("jupyterhub-singleuser",)
    assert launch.env["JUPYTERHUB_USER"] == "launched"
    assert launch.env["JUPYTERHUB_API_TOKEN"]
    assert launch.env["JUPYTERHUB_SERVICE_URL"] == capacity.story.alive["launched/~"]
    assert launch.env["CAPACITY_URL"].endswith("/services/capacity/")
    assert launch.env["JUPYTERHUB_API_TOKEN"] not in hub.log()


def test_a_server_keeps_running_in_the_hubs_eyes_while_the_service_is_away(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    path = hub.start_server("steady")
    capacity.go_away()
    # the hub polls before it answers
    answer = hub.user("steady").call("POST", path, {})
    assert (answer.status_code, "already running" in answer.text) == (400, True)
    assert hub.is_ready("steady")


def test_a_server_that_the_service_calls_dead_is_dead_to_the_hub(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    hub.start_server("mortal")
    capacity.happened(capacity.story.alive.clear)
    eventually(lambda: not hub.is_ready("mortal"), "the hub notices")
    assert capacity.story.stops == []


def test_a_stop_asks_the_service_and_withdraws_nothing(hub: RealHub, capacity: FakeCapacity) -> None:
    path = hub.start_server("stopper")
    assert hub.user("stopper").call("DELETE", path).status_code in {202, 204}
    capacity.until(lambda story: "stopper/~" in story.stops)
    eventually(lambda: not hub.is_ready("stopper"), "the hub notices")
    assert capacity.story.withdrawals == []


def test_a_cancel_while_the_start_is_pending_gives_the_claim_back(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    capacity.story.launch_ends = False
    user = hub.user("canceller")
    assert user.call("POST", "users/canceller/server", {}).status_code == 202
    user.call("DELETE", "users/canceller/server")
    capacity.until(lambda story: "canceller/~" in story.stops)
    eventually(lambda: user.call("GET", "users/canceller").json()["servers"] == {}, "cancelled")


def test_a_pending_start_says_what_the_service_says(hub: RealHub, capacity: FakeCapacity) -> None:
    capacity.story.launch_ends = False
    user = hub.user("curious")
    assert user.call("POST", "users/curious/server", {}).status_code == 202
    with requests.get(
        f"{hub.url}/hub/api/users/curious/server/progress",
        headers={"Authorization": f"token {user.token}"},
        stream=True,
        timeout=DEADLINE_SECONDS,
    ) as events:
        assert any(b"Fetching the image." in line for line in events.iter_lines())
    user.call("DELETE", "users/curious/server")


def test_a_server_that_ends_while_starting_fails_with_its_reason_and_is_given_back(
    hub: RealHub, capacity: FakeCapacity
) -> None:
    capacity.story.launch_fails = "jupyterhub-singleuser: not found"
    user = hub.user("broken")
    answers = [user.call("POST", "users/broken/server", {}) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {502}
    assert answers[0].json()["message"] == "jupyterhub-singleuser: not found"
    assert capacity.story.stops == ["broken/~"] * 4
    assert hub.is_running


def test_a_removed_server_is_withdrawn_for_ever(hub: RealHub, capacity: FakeCapacity) -> None:
    capacity.story.room = False
    user = hub.user("remover")
    assert user.call("POST", "users/remover/servers/extra", {}).status_code == 409
    assert user.call("DELETE", "users/remover/servers/extra", {"remove": True}).status_code in {202, 204}
    capacity.until(lambda story: story.withdrawals == ["remover/extra"])


def test_a_deleted_user_is_withdrawn_for_ever(hub: RealHub, capacity: FakeCapacity) -> None:
    capacity.story.room = False
    assert hub.user("leaver").call("POST", "users/leaver/server", {}).status_code == 409
    assert hub.admin.call("DELETE", "users/leaver").status_code == 204
    capacity.until(lambda story: story.withdrawals == ["leaver/~"])


def test_a_killed_hub_finds_its_servers_again(hub: RealHub, capacity: FakeCapacity) -> None:
    hub.start_server("survivor")
    hub.kill()
    capacity.reset()
    hub.start()
    eventually(lambda: hub.is_ready("survivor"), "the hub finds it")
    assert capacity.story.stops == []
