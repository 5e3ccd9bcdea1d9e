"""A real model server in a process of its own, spoken to over real HTTP."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 30.0
"""Far more than a start takes, on a busy machine with 2 cores."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        return json.loads(self.body)


@dataclass
class ModelServer:
    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    _partial: bytes = b""

    def wait_for_line(self, pattern: str) -> str:
        """Read the server's output until a line matches; fails at the deadline or at its end."""
        end = time.monotonic() + DEADLINE_SECONDS
        for line in self.lines:
            if re.search(pattern, line):
                return line
        while True:
            for line in self._read(end):
                self.lines.append(line)
                if re.search(pattern, line):
                    return line

    def _read(self, end: float) -> list[str]:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(descriptor, 65536) if ready else b""
        assert chunk, f"no such line; the server said {self.lines}"
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        return [line.decode() for line in whole]

    def ask(self, path: str, body: object = None, *, token: str = "", method: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request(method or ("GET" if payload is None else "POST"), path, payload, headers)
            return _answer(connection)
        finally:
            connection.close()

    def announce(self, path: str, length: int) -> Answer:
        """Send the head of a request whose body would have `length` bytes, and read the answer to that."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.putrequest("POST", path)
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            return _answer(connection)
        finally:
            connection.close()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)

    def resident_mib(self) -> float:
        with Path(f"/proc/{self.process.pid}/status").open() as status:
            kib = next(line.split()[1] for line in status if line.startswith("VmRSS"))
        return int(kib) / 1024

    def cpu_seconds(self) -> float:
        with Path(f"/proc/{self.process.pid}/stat").open() as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answer(connection: HTTPConnection) -> Answer:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


@contextmanager
def started(*arguments: str, **env: str) -> Generator[ModelServer]:
    """Start the server with `arguments`; it is ended afterwards whatever happens."""
    process = subprocess.Popen(
        (sys.executable, "-W", "error", "-P", "-m", "jupyterhub_mesos.serving", "--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env},
    )
    server = ModelServer(process)
    try:
        yield server
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def running(*arguments: str, **env: str) -> Generator[ModelServer]:
    """Start the server and wait until it says that it is ready."""
    with started(*arguments, **env) as server:
        line = server.wait_for_line(r"^ready at ")
        found = re.search(r":(\d+):", line)
        assert found is not None
        server.port = int(found[1])
        yield server
