"""Real tasks open a real S3 by what they were given: s3fs, boto3 and our own reader; none has the key.

The service, its local backend and the sandboxes are real; the sessions are so short that each use of one
asks for the next.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from backends.conftest import can_sandbox_as_root
from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.lake import Lake
from jupyterhub_mesos.lake.connections import Connections
from jupyterhub_mesos.lake.sessions import Sessions
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from jupyterhub_mesos.wire import LakeModel
from jupyterhub_mesos_quota.model import RequestId
from jupyterhub_mesos_quota.resources import Resources
from requirements import require
from s3_server import PREFIX, PYTHON, REGION, S3Server
from small_hub import SmallHub
from web_cases import Web, people, settings_for

SECONDS: Final = 60.0
SHORT_SECONDS: Final = 90.0
"""Of a session: AWS's libraries take one that ends within 10 minutes for stale, and ask before each use."""

READ: Final = """
from jupyterhub_mesos.lake import open_lake
import fsspec, os
with open_lake("lake://data/in.txt") as file:
    text = file.read()
with open_lake("lake://data/out.txt", "wb") as file:
    file.write(text.upper())
with fsspec.open(f"s3://{os.environ['AWS_S3_BUCKET']}/{os.environ['AWS_S3_PREFIX']}/in.txt") as file:
    print("plain s3fs:", file.read().decode())
from pyarrow import fs
s3 = fs.S3FileSystem(region=os.environ["AWS_DEFAULT_REGION"], endpoint_override=os.environ["AWS_S3_ENDPOINT"])
with s3.open_input_stream(f"{os.environ['AWS_S3_BUCKET']}/{os.environ['AWS_S3_PREFIX']}/in.txt") as file:
    print("pyarrow:", file.read().decode())
"""
ROTATED: Final = """
import os, sys, time
%s
print(read("in.txt"), flush=True)
go = os.path.expanduser("~/lake/team/go")
deadline = time.monotonic() + 60
while not os.path.exists(go):
    assert time.monotonic() < deadline
    time.sleep(0.05)
print(read("in.txt"), flush=True)
"""
BOTO3: Final = """
import boto3
s3 = boto3.client("s3")
def read(name):
    key = os.environ["AWS_S3_PREFIX"] + "/" + name
    return s3.get_object(Bucket=os.environ["AWS_S3_BUCKET"], Key=key)["Body"].read().decode()
"""
S3FS: Final = """
import s3fs
fs = s3fs.S3FileSystem()
def read(name):
    return fs.cat_file(f"{os.environ['AWS_S3_BUCKET']}/{os.environ['AWS_S3_PREFIX']}/{name}").decode()
"""


@dataclass
class Installed:
    """The service over a real local backend, and the S3 that its connections lead to."""

    web: Web
    s3: S3Server
    state: Path
    key_file: Path

    async def run(self, program: str, python: str = sys.executable, who: str = "member", **more: Any) -> str:
        """Have a task run to its end; return what it printed."""
        return await self.output(await self.start(program, python, who, **more))

    async def start(self, program: str, python: str, who: str = "member", **more: Any) -> str:
        resources = {"cpu_millis": 2000, "mem_mib": 512}
        role = {"argv": [python, "-c", program], "replicas": 1, "resources": resources}
        job = {"name": "reader", "roles": [role], "restart": {"max_restarts": 0}}
        body = {"payload": {"kind": "training", "job": job}, **more}
        return str((await self.web.api("POST", "requests", who, body))["id"])

    async def output(self, request_id: str, who: str = "admin") -> str:
        ledger = self.web.service.ledger
        async with asyncio.timeout(SECONDS):
            await ledger.until(lambda: True if ledger.row(RequestId(request_id)) is None else None)
        return await self.text(request_id, who)

    async def text(self, request_id: str, who: str = "admin") -> str:
        return str((await self.web.api("GET", f"requests/{request_id}/logs", who))["text"])

    async def printed(self, request_id: str, words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while words not in await self.text_or_nothing(request_id):  # noqa: ASYNC110 - as a person follows it
                await asyncio.sleep(0.05)

    async def text_or_nothing(self, request_id: str) -> str:
        answer = await self.web.ask("GET", f"api/v1/requests/{request_id}/logs", "admin")
        return str(json.loads(answer.body)["text"]) if answer.code == 200 else ""

    async def opened(self) -> int:
        """Return how many sessions were handed out."""
        rows = await self.web.service.ledger.read(lambda store: store.audit(limit=500))
        return sum(row.what == "lake opened" for row in rows)


def lake_of(s3: S3Server, key_file: Path, **session: Any) -> Connections:
    data = {
        "endpoint": s3.endpoint,
        "bucket": s3.bucket,
        "prefix": PREFIX,
        "region": REGION,
        "mode": "rw",
        "credentials": {"file": str(key_file)},
        **session,
    }
    named = {"data": {**data, "teams": ("vision",)}, "words": {**data, "teams": ("speech",)}}
    return Connections(LakeModel.model_validate({"connections": named}))


@asynccontextmanager
async def installed(s3: S3Server, place: Path, **session: Any) -> AsyncIterator[Installed]:
    """Run the service over a local backend; at its end no task is left."""
    require("root, for sandboxes of several accounts", can_sandbox_as_root())
    state, key_file = place / "state", s3.key_file(place / "data.key")
    state.mkdir()
    hub = SmallHub(people())
    hub.open()
    backend = LocalBackend(state, capacity=Resources.of(4000, 8192), isolation="sandbox")
    controller = ControllerSettings(connections=lake_of(s3, key_file, **session), stop_grace_seconds=1.0)
    sessions = Sessions(time.time, key_seconds=SHORT_SECONDS)
    parts = Parts(backend, Lake(state / "lake"), controller, sessions)
    try:
        async with serving(settings_for(hub, state), parts) as service:
            web = Web(service, hub, MemoryBackend())
            yield Installed(web, s3, state, key_file)
            await _end_everything(web)
    finally:
        await hub.close()


async def _end_everything(web: Web) -> None:
    ledger = web.service.ledger
    for row in ledger.rows():
        await web.api("DELETE", f"requests/{row.id}", "admin")
    async with asyncio.timeout(SECONDS):
        await ledger.until(lambda: True if not ledger.rows() else None)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder through which other accounts may pass."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    return tmp_path


async def test_a_task_reads_and_writes_the_bucket_with_a_session_of_its_role(
    s3: S3Server, place: Path
) -> None:
    require("an STS (LAKE_TEST_S3_ROLE)", s3.role)
    s3.put("in.txt", b"hello")
    async with installed(s3, place, session={"role": s3.role}) as here:
        assert await here.run(READ) == "plain s3fs: hello\npyarrow: hello\n"
        assert s3.get("out.txt") == b"HELLO"
        assert await here.opened() >= 1


@pytest.mark.parametrize(
    ("library", "python"), [(S3FS, sys.executable), (BOTO3, str(PYTHON))], ids=["s3fs", "boto3"]
)
async def test_a_library_takes_up_a_new_key_while_the_task_runs(
    s3: S3Server, place: Path, library: str, python: str
) -> None:
    require("an IAM whose keys can be changed", not os.environ.get("LAKE_TEST_S3_ENDPOINT"))
    s3.put("in.txt", b"hello")
    async with installed(s3, place) as here:
        old, new = s3.another_key(), s3.another_key()
        s3.key_file(here.key_file, *old)
        request_id = await here.start(ROTATED % library, python)
        await here.printed(request_id, "hello\n")
        before = await here.opened()
        s3.key_file(here.key_file, *new)
        s3.revoke(old[0])
        (here.state / "lake/vision/go").touch()
        assert await here.output(request_id) == "hello\nhello\n"
        assert await here.opened() > before
        s3.revoke(new[0])


async def test_the_key_is_in_no_file_page_log_or_process_while_a_task_uses_it(
    s3: S3Server, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "jupyterhub_mesos")
    s3.put("in.txt", b"hello")
    async with installed(s3, place) as here:
        request_id = await here.start(ROTATED % S3FS, sys.executable)
        await here.printed(request_id, "hello\n")
        processes = _processes(here.state)
        assert any("LAKE_TOKEN=caplake_" in text for text in processes)  # we do see what a task has
        found = [*processes, *_files(here.state), caplog.text, await here.text(request_id)]
        pages = ("", "queue", f"requests/{request_id}", f"api/v1/requests/{request_id}")
        found += [(await here.web.ask("GET", path, "member")).body.decode() for path in pages]
        for secret in (s3.secret, s3.key_id):
            assert not [text for text in found if secret in text]


async def test_a_task_of_another_team_gets_no_session(s3: S3Server, place: Path) -> None:
    program = """
import subprocess, sys
for name in ("data", "words"):
    command = [sys.executable, "-m", "jupyterhub_mesos.lake.credentials", name]
    done = subprocess.run(command, capture_output=True)
    print(name, done.returncode, b"SecretAccessKey" in done.stdout, done.stderr.decode().strip())
"""
    async with installed(s3, place) as here:
        said = (await here.run(program, who="speaker")).splitlines()
    assert said == [
        "data 1 False No team of sam has a connection 'data': ask an admin for it.",
        "words 0 True ",
    ]


def _processes(state: Path) -> list[str]:
    """Return environment and command line of every process of a task."""
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environ = Path(f"/proc/{process.pid}/environ").read_text(errors="replace")
            if str(state) in environ or "LAKE_TOKEN" in environ:
                found += [environ, " ".join(process.cmdline())]
    return found


def _files(state: Path) -> list[str]:
    return [path.read_bytes().decode("latin-1") for path in state.rglob("*") if path.is_file()]
