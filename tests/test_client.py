from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

import jupyterhub_mesos
from fake_capacity import TOKEN, FakeCapacity, serving
from jupyterhub_mesos import client as client_module
from jupyterhub_mesos import client_http
from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.errors import (
    CapacityError,
    Conflict,
    InvalidInput,
    LedgerError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Queued,
    Unavailable,
    WorkloadError,
)
from jupyterhub_mesos.wire import (
    LogView,
    NotebookPayload,
    ProgressEvent,
    ProgressView,
    RequestPage,
    RequestSubmission,
    RequestView,
    ResourcesModel,
    TeamModel,
    TeamsEdit,
    TeamsModel,
)
from jupyterhub_mesos_quota.model import RequestStatus, WorkloadKind


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCapacity]:
    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(client_http, "FIRST_PAUSE_SECONDS", 0.01)
    with serving(FakeCapacity()) as service:
        yield service


@pytest.fixture
def client(fake: FakeCapacity) -> Client:
    return Client(fake.url + "/", TOKEN)


def view(status: RequestStatus = RequestStatus.ACTIVE, **changes: Any) -> RequestView:
    base = RequestView(
        id="r1",
        kind=WorkloadKind.NOTEBOOK,
        user="ann",
        team="vision",
        name="",
        resources=ResourcesModel(),
        replicas=1,
        priority=0,
        submitted_at=1.0,
        status=status,
        page_url="/services/capacity/requests/r1",
        payload=NotebookPayload(),
    )
    return base.model_copy(update=changes)


def problem(status: int, code: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return status, {"title": "t", "status": status, "detail": "the sentence", "code": code, **more}


def test_a_submission_is_sent_with_the_token_and_answered_with_the_request(
    client: Client, fake: FakeCapacity
) -> None:
    fake.on("POST /requests", view())
    submission = RequestSubmission(payload=NotebookPayload(profile="small"))
    assert client.submit(submission) == view()
    assert fake.calls[0].token == f"token {TOKEN}"
    assert RequestSubmission.model_validate_json(fake.calls[0].body) == submission


def test_all_pages_of_requests_are_yielded(client: Client, fake: FakeCapacity) -> None:
    fake.on("GET /requests?user=ann", RequestPage(items=(view(id="r2"),), next_cursor="c"))
    fake.on("GET /requests?user=ann&cursor=c", RequestPage(items=(view(),)))
    assert [found.id for found in client.requests(user="ann")] == ["r2", "r1"]


def test_an_id_cannot_leave_its_place_in_the_path(client: Client, fake: FakeCapacity) -> None:
    fake.on("DELETE /requests/..%2Fteams%3Fx", view())
    client.end("../teams?x")


def test_a_wait_ends_when_its_condition_holds_or_the_request_is_over(
    client: Client, fake: FakeCapacity
) -> None:
    fake.on("GET /requests/r1", view(RequestStatus.QUEUED), view(), view(RequestStatus.ENDED))
    assert client.wait("r1", until=lambda now: now.status is RequestStatus.ACTIVE) == view()
    assert is_over(client.wait("r1", until=lambda _: False))


def test_a_wait_has_a_deadline(client: Client, fake: FakeCapacity) -> None:
    fake.on("GET /requests/r1", view())
    with pytest.raises(Unavailable, match=r"still active after 0\.02 s"):
        client.wait("r1", seconds=0.02)


def test_a_log_is_read_piece_by_piece(client: Client, fake: FakeCapacity) -> None:
    def piece(text: str, offset: int, *, is_complete: bool = False) -> LogView:
        return LogView(
            task="t", text=text, offset=offset, next_offset=offset + len(text), is_complete=is_complete
        )

    fake.on("GET /requests/r1/logs?task=t&offset=0", piece("abc", 0))
    fake.on("GET /requests/r1/logs?task=t&offset=3", piece("", 3), piece("def", 3, is_complete=True))
    assert list(client.logs("r1", task="t")) == ["abc"]
    assert list(client.logs("r1", task="t", follow=True)) == ["abc", "def"]


def test_progress_is_followed_to_the_end_of_the_job(client: Client, fake: FakeCapacity) -> None:
    def events(*epochs: int, after: int) -> ProgressView:
        found = tuple(ProgressEvent(task="t", generation=1, index=0, data={"epoch": n}) for n in epochs)
        return ProgressView(events=found, next_after=after)

    fake.on("GET /requests/r1", view(), view(), view(RequestStatus.ENDED))
    fake.on("GET /requests/r1/progress?after=0", events(1, 2, after=2))
    fake.on("GET /requests/r1/progress?after=2", events(after=2), events(3, after=3))
    fake.on("GET /requests/r1/progress?after=3", events(after=3))
    assert [event.data["epoch"] for event in client.progress("r1", follow=True)] == [1, 2, 3]


def test_teams_are_put_dry_or_for_good(client: Client, fake: FakeCapacity) -> None:
    teams = TeamsModel(teams={"vision": TeamModel()})
    fake.on("PUT /teams?dry_run=true", TeamsEdit(revision=1, changes=(), is_applied=False))
    fake.on("PUT /teams", TeamsEdit(revision=2, changes=(), is_applied=True))
    assert not client.put_teams(teams, dry_run=True).is_applied
    assert client.put_teams(teams).is_applied


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid-input", InvalidInput),
        (401, "not-authenticated", NotAuthenticated),
        (403, "not-allowed", NotAllowed),
        (404, "unknown-team", NotFound),  # the core's codes are known by their status
        (409, "conflict", Conflict),
        (422, "over-limit", WorkloadError),
        (503, "ledger-error", LedgerError),
        (500, "internal-error", Unavailable),
        (418, "teapot", InvalidInput),
    ],
)
def test_a_problem_becomes_our_error_with_its_sentence(
    client: Client, fake: FakeCapacity, status: int, code: str, kind: type[CapacityError]
) -> None:
    fake.on("GET /capacity", problem(status, code))
    with pytest.raises(CapacityError, match="the sentence") as caught:
        client.capacity()
    assert type(caught.value) is kind
    assert TOKEN not in str(caught.value)


def test_a_queued_start_carries_its_request(client: Client, fake: FakeCapacity) -> None:
    fake.on("GET /teams", problem(409, "queued", request_id="r7", page_url="/p"))
    with pytest.raises(Queued) as caught:
        client.teams()
    assert (caught.value.request_id, caught.value.page_url) == ("r7", "/p")


def test_a_log_in_page_is_not_followed_with_the_token(client: Client, fake: FakeCapacity) -> None:
    fake.on("GET /capacity", (302, ""))
    with pytest.raises(NotAuthenticated, match="asks for a log-in"):
        client.capacity()
    assert len(fake.calls) == 1


def test_an_answer_without_a_problem_is_still_our_error(client: Client, fake: FakeCapacity) -> None:
    fake.on("GET /capacity", (502, "<html>bad gateway</html>"))
    with pytest.raises(Unavailable, match="answered 502"):
        client.capacity()


def test_what_has_no_key_and_is_no_look_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_http, "FIRST_PAUSE_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}/x", TOKEN)
        calls: list[bytes] = []
        hang_up = threading.Thread(target=_hang_up, args=(server, calls))
        hang_up.start()
        with pytest.raises(Unavailable, match="does not answer"):
            client.model_call("r1", "v2/models/digits/infer", b"{}")
        with pytest.raises(Unavailable, match="does not answer"):
            client.capacity()
        hang_up.join()
    assert [call.split()[0] for call in calls] == [b"POST"] + [b"GET"] * client_http.GET_ATTEMPTS


def test_a_write_is_repeated_with_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_http, "FIRST_PAUSE_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}/x", TOKEN)
        calls: list[bytes] = []
        hang_up = threading.Thread(target=_hang_up, args=(server, calls, 2 * client_http.GET_ATTEMPTS))
        hang_up.start()
        for name in ("r1", "r2"):
            with pytest.raises(Unavailable, match="does not answer"):
                client.end(name)
        hang_up.join()
    keys = [re.findall(rb"(?i)idempotency-key: (\S+)", call)[0] for call in calls]
    first, second = keys[: client_http.GET_ATTEMPTS], keys[client_http.GET_ATTEMPTS :]
    assert (len(set(first)), len(set(second)), len(set(keys))) == (1, 1, 2)


def _hang_up(server: socket.socket, calls: list[bytes], count: int = 1 + client_http.GET_ATTEMPTS) -> None:
    for _ in range(count):
        connection, _ = server.accept()
        with connection:
            calls.append(connection.recv(65536))


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({"CAPACITY_API_URL": "http://a/services/capacity", "CAPACITY_URL": "http://b"}, "http://a/services/capacity"),
        ({"CAPACITY_URL": "http://b/services/capacity/api/v1"}, "http://b/services/capacity"),
        ({"JUPYTERHUB_PUBLIC_HUB_URL": "https://h/x/hub/"}, "https://h/x/services/capacity"),
        ({"JUPYTERHUB_API_URL": "http://h:8000/hub/api"}, "http://h:8000/services/capacity"),
    ],
)  # fmt: skip
def test_the_address_comes_from_the_environment(env: dict[str, str], url: str) -> None:
    client = Client.from_environment({"JUPYTERHUB_API_TOKEN": "t", **env})
    assert client._transport._base_url == f"{url}/api/v1"


@pytest.mark.parametrize("own", [{"CAPACITY_TOKEN": "own"}, {"CAPACITY_TOKEN": ""}])
def test_a_token_of_the_service_s_own_goes_before_the_hub_s(own: dict[str, str]) -> None:
    env = {"JUPYTERHUB_API_TOKEN": "hub", "CAPACITY_URL": "http://127.0.0.1:1", **own}
    assert Client.from_environment(env)._transport._token == (own["CAPACITY_TOKEN"] or "hub")


@pytest.mark.parametrize("env", [{}, {"JUPYTERHUB_API_TOKEN": "t"}])
def test_a_missing_variable_is_named(env: dict[str, str]) -> None:
    missing = "CAPACITY_API_URL" if env else "JUPYTERHUB_API_TOKEN"
    with pytest.raises(InvalidInput, match=f"{missing} is not set"):
        Client.from_environment(env)


def test_an_address_of_another_scheme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no address"):
        Client("file:///etc", "t")


# ---- the package ----------------------------------------------------------------------------------


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, jupyterhub_mesos; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "sklearn", "onnx", "pydantic", "tornado", "sqlalchemy"} & set(done.stdout.split())


def test_train_and_export_are_there_and_can_be_called_however_they_are_imported() -> None:
    code = (
        "import jupyterhub_mesos.export.bundle\n"
        "from jupyterhub_mesos import export, train\n"
        "from jupyterhub_mesos import export, train\n"
        "import jupyterhub_mesos.export.bundle as bundle\n"
        "assert callable(export) and callable(train) and bundle.BundleManifest\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jupyterhub_mesos.nothing


def test_the_version_is_the_distributions() -> None:
    assert jupyterhub_mesos.__version__ == version("jupyterhub-mesos")
