"""Real tasks that do what a test says: a shell that dials the test and runs each line it is sent.

So a test waits for events (the task is there, the line was run) and never sleeps.
"""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from jupyterhub_mesos.tasks import Endpoint, TaskId, TaskSpec
from jupyterhub_mesos_quota.model import AllocationId, NodeId
from jupyterhub_mesos_quota.resources import Resources

DEADLINE_SECONDS = 20.0
_TURNS = 5
SMALL = Resources.of(cpu_millis=500, mem_mib=256)

_SCRIPT = r"""
exec 3<>/dev/tcp/127.0.0.1/PORT 4>&1
echo "NAME" >&3
while IFS= read -r line <&3; do
  { eval "$line"; } >&3 2>&1
  printf '\n--ended %s\n' "$?" >&3
done
"""


@dataclass
class _Puppet:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass
class Stage:
    """Where the tasks of one test dial in."""

    port: int = 0
    _puppets: dict[str, asyncio.Future[_Puppet]] = field(default_factory=dict)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def argv(self, name: str) -> tuple[str, ...]:
        """What a task runs to be played under `name`."""
        script = _SCRIPT.replace("PORT", str(self.port)).replace("NAME", name)
        return "/bin/bash", "-c", script.replace("{", "{{")

    async def dialled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        self._writers.append(writer)
        if self._future(name).done():  # a later task of the same name
            del self._puppets[name]
        self._future(name).set_result(_Puppet(reader, writer))

    def _future(self, name: str) -> asyncio.Future[_Puppet]:
        return self._puppets.setdefault(name, asyncio.get_running_loop().create_future())

    async def arrival(self, name: str) -> None:
        """Wait until the task is there."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._future(name)

    async def play(self, name: str, line: str) -> str:
        """Let the task run a line; return what it printed, without the exit status."""
        text, _ = await self.play_status(name, line)
        return text

    async def play_status(self, name: str, line: str) -> tuple[str, int]:
        """Let the task run a line; return what it printed and how it ended."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            puppet = await self._future(name)
            puppet.writer.write(line.encode() + b"\n")
            printed: list[str] = []
            while True:
                said = (await puppet.reader.readline()).decode(errors="replace")
                if said.startswith("--ended "):
                    return "".join(printed).strip(), int(said.split()[1])
                if not said:
                    raise AssertionError(f"{name} went away in the middle of {line!r}: {''.join(printed)}")
                printed.append(said)

    async def order(self, name: str, line: str) -> None:
        """Let the task run a line that it will not answer (`exit 3`)."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            puppet = await self._future(name)
            puppet.writer.write(line.encode() + b"\n")

    async def can_read(self, name: str, path: Path) -> bool:
        """Say whether the task can read a file or list a folder."""
        quoted = shlex.quote(str(path))
        _, status = await self.play_status(name, f"ls {quoted} >/dev/null && cat {quoted} >/dev/null")
        return status == 0

    async def close(self) -> None:
        for _ in range(_TURNS):  # a connection that was accepted is handed to `dialled` in the next turns
            await asyncio.sleep(0)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


def spec(name: str, *argv: str, **fields: object) -> TaskSpec:
    """A spec of a small task of ann's."""
    values: dict[str, object] = {
        "id": TaskId(name),
        "allocation_id": AllocationId("r-1-1"),
        "user": "ann",
        "team": "vision",
        "node": NodeId("local"),
        "argv": argv,
        "resources": SMALL,
        "endpoint": Endpoint("127.0.0.1"),
    }
    return TaskSpec(**{**values, **fields})  # type: ignore[arg-type]  # the caller names real fields
