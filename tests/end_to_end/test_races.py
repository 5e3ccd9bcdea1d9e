"""Two things at once: a start pressed twice, the hub's stop of what waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from installation import Installation
from jupyterhub_mesos.wire import RequestView
from jupyterhub_mesos_quota.model import RequestStatus

LIVE = {RequestStatus.QUEUED, RequestStatus.HELD, RequestStatus.ACTIVE}
SECONDS = 30.0


def hub(cloud: Installation, name: str, method: str, path: str) -> requests.Response:
    """Ask the hub's REST API as somebody; whatever it answers is the answer."""
    headers = {"Authorization": f"token {cloud.person(name).token}"}
    return requests.request(method, f"{cloud.url}hub/api/{path}", json={}, headers=headers, timeout=SECONDS)


def live(cloud: Installation, name: str) -> list[RequestView]:
    return [view for view in cloud.client(name).requests(user=name) if view.status in LIVE]


def fill(cloud: Installation) -> None:
    cloud.start_notebook("ann", "large")
    cloud.start_notebook("ben", "large")


def test_a_start_pressed_twice_is_one_request_and_one_server(cloud: Installation) -> None:
    with ThreadPoolExecutor(4) as presses:
        pressed = [presses.submit(hub, cloud, "ann", "POST", "users/ann/server") for _ in range(3)]
        pressed.append(presses.submit(cloud.person("ann").press_start, "small"))  # type: ignore[arg-type]
    assert [each.exception() for each in pressed] == [None] * 4
    (request,) = live(cloud, "ann")
    cloud.until_running("ann", request.id)
    assert len(live(cloud, "ann")) == 1


def test_a_start_pressed_twice_while_it_waits_is_one_place(cloud: Installation) -> None:
    fill(cloud)
    with ThreadPoolExecutor(3) as presses:
        answers = list(presses.map(lambda _: hub(cloud, "dan", "POST", "users/dan/server"), range(3)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    (request,) = live(cloud, "dan")
    told = [answer.headers["Link"] for answer in answers if answer.status_code == 409]
    assert all(request.id in link for link in told)
    assert request.status is RequestStatus.QUEUED


def test_the_hubs_stop_leaves_a_place_in_the_queue_alone(cloud: Installation) -> None:
    fill(cloud)
    waiting = cloud.client("dan").request(cloud.person("dan").press_start("large")["id"])
    assert hub(cloud, "dan", "DELETE", "users/dan/server").status_code in {204, 400}
    still = cloud.client("dan").request(waiting.id)
    assert (still.status, still.explanation and still.explanation.position) == (RequestStatus.QUEUED, 1)
