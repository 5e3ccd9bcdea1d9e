"""The service's log: what is in it, in which form, and what never is."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from jupyterhub_mesos.service.logs import JsonLines, LogStyle
from jupyterhub_mesos.service.store import store_url
from service_processes import Services, job, pids_of, services, until
from small_hub import SmallHub
from web_cases import people

PLANTED = "a-planted-secret-of-the-environment"


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    hub = SmallHub(people())
    hub.open()
    yield hub
    await hub.close()


@pytest.fixture
def one(hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("PLANTED_SECRET", PLANTED)
    with services(tmp_path, hub, store_url(tmp_path / "ledger.sqlite")) as one:
        yield one


def line(message: str, *args: object, error: BaseException | None = None, **extra: object) -> dict[str, str]:
    """Format one record as JSON."""
    told = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("jupyterhub_mesos.x", logging.INFO, "x.py", 1, message, args, told)
    record.__dict__.update(extra)
    text = JsonLines().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


@pytest.mark.parametrize("style", list(LogStyle))
async def test_a_job_is_followed_by_its_ids_and_no_secret_is_told(one: Services, style: LogStyle) -> None:
    service = one.start(f"--CapacityService.log_style={style}")
    await service.says("ready", 204)
    answer = await service.ask("POST", "api/v1/requests", job(one.folder, "digits"))
    assert answer is not None
    assert answer.code == 201, answer.body
    request_id = json.loads(answer.body)["id"]
    await service.logs(f"task {request_id}-1-g1-")
    await until(lambda: pids_of(one.folder), "the job")
    service.kill()
    secrets = [file.read_text().strip() for file in (one.folder / "state" / "secrets").iterdir()]
    assert len(secrets) >= 3
    for secret in [*secrets, PLANTED, "Authorization"]:
        assert secret not in service.log
    if style is LogStyle.JSON:
        records = [json.loads(text) for text in service.log.splitlines()]
        assert any(record.get("task", "").startswith(f"{request_id}-1-g1-") for record in records)
        assert all({"time", "level", "logger", "message"} <= set(record) for record in records)


def test_the_id_that_a_message_begins_with_is_a_field() -> None:
    assert line("allocation %s: gone (%s)", "a-1", "stopped")["allocation"] == "a-1"
    assert line("task %s: launched on %s", "a-1-g1-worker-0", "n")["task"] == "a-1-g1-worker-0"
    assert line("request %s: ended, for its pipeline %s is over", "r", "p")["request"] == "r"
    assert set(line("service: stopping")) == {"time", "level", "logger", "message"}


def test_a_time_is_in_utc_and_an_error_keeps_its_traceback_on_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        found = line("%s failed", "it", error=sys.exc_info()[1])
    assert datetime.fromisoformat(found["time"]).utcoffset() is not None
    assert "ValueError: first\nsecond" in found["error"]
    assert "test_logs.py" in found["error"]


def test_what_a_library_hangs_on_a_record_is_not_written() -> None:
    assert PLANTED not in json.dumps(line("a request", headers={"Authorization": PLANTED}))
