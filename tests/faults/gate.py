"""Hold a real service at one of its commits, just before it is durable or just after, from outside.

The service reads the gate's file when it commits: where what it writes of the named user is what the file
says, it notes that it stands there, and waits until the file is gone (or somebody kills it). Nothing of this
is in the product: the configuration of the tests puts it into the store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deadlines import eventually
from jupyterhub_mesos.service.rows import Batch, TaskRow
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.statefolder import STATE_VARIABLE
from jupyterhub_mesos_quota.model import RequestStatus

LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Gate:
    """The file that says where to stand, and the one that says that somebody stands there."""

    folder: Path

    @property
    def _order(self) -> Path:
        return self.folder / "gate"

    @property
    def _note(self) -> Path:
        return self.folder / "gate-reached"

    def hold(self, where: str, user: str) -> None:
        """Have the service stop at `where` of a user's request, such as `after granted`; the others pass."""
        self._note.unlink(missing_ok=True)
        order = self._order.with_suffix(".new")
        order.write_text(f"{user} {where}")
        order.rename(self._order)

    def until_reached(self) -> None:
        """Wait until the service stands there."""
        eventually(self._note.exists, f"the service stands {self._order.read_text()}")

    def open(self) -> None:
        """Let it go on, and whoever comes later pass."""
        self._order.unlink(missing_ok=True)

    def pass_(self, side: str, batch: Batch, owners: dict[str, str]) -> None:
        """Wait here, in the service, while the order is for this commit."""
        try:
            order = self._order.read_text()
        except FileNotFoundError:
            return
        user, _, where = order.partition(" ")
        if where not in {f"{side} {what}" for what in _written(batch, owners, user)}:
            return
        self._note.touch()
        while self._order.exists():
            time.sleep(LOOK_SECONDS)


def stand_at_the_gate() -> None:
    """Put the gate into this process's store."""
    gate = Gate(Path(os.environ[STATE_VARIABLE]))
    owners: dict[str, str] = {}
    write = Store.write

    def held(store: Store, batch: Batch) -> None:
        owners.update({row.id: str(row.request.user) for row in batch.requests.values()})
        gate.pass_("before", batch, owners)
        write(store, batch)
        gate.pass_("after", batch, owners)

    Store.write = held


def _written(batch: Batch, owners: dict[str, str], user: str) -> Iterator[str]:
    """Name what a batch writes of the user's requests."""
    for row in batch.requests.values():
        if row.request.user == user and row.request.status is not RequestStatus.ENDED:
            yield "asked"
    for allocation in batch.allocations.values():
        if owners.get(allocation.request_id) == user:
            yield str(allocation.state)
    for task in batch.tasks.values():
        if owners.get(task.allocation_id.rpartition("-")[0]) == user and not task.is_gone:
            yield _step(task)


def _step(task: TaskRow) -> str:
    if "pid" in task.checkpoint:
        return "spawned"
    return "prepared" if "folder" in task.checkpoint else "begun"
