"""How long the output of tasks is kept: an allocation's tasks are forgotten some days after it was gone.

The ledger keeps its rows; what is dropped is what the backend keeps of a task
(its folder, its logs). Of a task that the ledger never knew nobody can ask
for the output, so it goes at the next round.
"""

from __future__ import annotations

import logging
from typing import Final

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.tasks import TaskState
from jupyterhub_mesos_quota.model import AllocationId

log: Final = logging.getLogger(__name__)


class Retention:
    """Forgets the output of tasks that have been gone for `seconds`."""

    def __init__(self, ledger: Ledger, backend: Backend, seconds: float) -> None:
        self._ledger = ledger
        self._backend = backend
        self._seconds = seconds

    async def step(self) -> None:
        """Forget what is old now. Raises `BackendError` or `LedgerError`; what was left is done next time."""
        gone = [status for status in await self._backend.tasks() if status.state is TaskState.GONE]
        kept = await self._kept({status.allocation_id for status in gone})
        for status in gone:
            if status.allocation_id not in kept:
                await self._backend.forget(status.id)
                log.info("task %s: forgotten, with its output", status.id)

    async def _kept(self, allocations: set[AllocationId]) -> set[AllocationId]:
        """Return those of which the output is to be kept: live, or gone for a short time only."""
        since = self._ledger.clock() - self._seconds

        def query(store: Store) -> set[AllocationId]:
            return {found for found in allocations if store.is_wanted(found, since)}

        return await self._ledger.read(query)
