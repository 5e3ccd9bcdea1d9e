"""What the service asks of the hub: start a server that was granted, and which servers there are.

Failed starts are counted in memory per request: each next offer comes later, and
after the last one the request ends with the reason.
"""

from __future__ import annotations

import logging
from typing import Any, Final, assert_never

from jupyterhub_mesos.service.hub_api import HubStarts, StartAnswer
from jupyterhub_mesos.service.launcher import ControllerSettings
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import Outcome, RequestRow
from jupyterhub_mesos.service.words import LIVES
from jupyterhub_mesos.service.workqueue import WorkQueue
from jupyterhub_mesos.wire import NotebookPayload
from jupyterhub_mesos_quota.events import EndRequested, GrantUnclaimed
from jupyterhub_mesos_quota.model import Allocation, AllocationId, AllocationState, RequestId

log: Final = logging.getLogger(__name__)

FIRST_DELAY_SECONDS: Final = 1.0
"""After the first failed start; doubles with each. Five starts then span 15 s."""
PATIENT: Final = "the hub took the start, and its spawner did not claim the grant"


class Offers:
    """Offers granted notebooks to the hub; `queue` is worked on by as many workers as may ask at once."""

    def __init__(
        self,
        ledger: Ledger,
        hub: HubStarts | None,
        settings: ControllerSettings,
        queue: WorkQueue[AllocationId],
    ) -> None:
        self._ledger = ledger
        self._hub = hub
        self._settings = settings
        self._queue = queue
        self._offered: set[AllocationId] = set()
        self._taken: set[AllocationId] = set()  # the hub answered; the claim is waited for
        self._failures: dict[RequestId, int] = {}
        self._missing: set[AllocationId] = set()  # unknown to the hub at the last look

    def offer(self, allocation_id: AllocationId) -> None:
        """Have a grant offered, later after failed starts; offering it again changes nothing."""
        allocation = self._ledger.machine.allocations.get(allocation_id)
        if allocation is None or allocation_id in self._offered or self._hub is None:
            return
        self._offered.add(allocation_id)
        failures = self._failures.get(allocation.request_id, 0)
        if failures:
            self._queue.add_after(allocation_id, FIRST_DELAY_SECONDS * 2.0 ** (failures - 1))
        else:
            self._queue.add(allocation_id)

    def count_failure(self, request_id: RequestId) -> bool:
        """Count a failed start; say whether it was the last one."""
        self._failures[request_id] = self._failures.get(request_id, 0) + 1
        return self._failures[request_id] >= self._settings.give_up_after

    async def step(self, allocation_id: AllocationId) -> float | None:
        """Ask the hub to start one server; return after how long to see whether it was claimed."""
        allocation = self._granted(allocation_id)
        row = self._ledger.row(allocation.request_id) if allocation is not None else None
        if allocation is None or row is None or self._hub is None:
            return None
        if allocation_id in self._taken:
            await self._failed(row, allocation, PATIENT)
            return None
        payload = row.info.payload
        if not isinstance(payload, NotebookPayload):
            raise TypeError(f"request {row.id} is no notebook")
        user, name = row.request.user, payload.server_name
        answer = await self._hub.start_server(user, name, allocation_id, _options(row, payload))
        log.info("allocation %s: the hub answered its start: %s", allocation_id, answer.value)
        if self._granted(allocation_id) is None:  # claimed, or ended in the meantime
            return None
        return await self._answered(row, allocation, answer)

    async def _answered(self, row: RequestRow, allocation: Allocation, answer: StartAnswer) -> float | None:
        match answer:
            case StartAnswer.PENDING:
                self._taken.add(allocation.id)
                return self._settings.claim_seconds
            case StartAnswer.READY:
                await self._failed(row, allocation, "the hub started the server without its grant")
            case StartAnswer.RUNNING:
                await self._failed(row, allocation, "the hub says that the server runs, or is being stopped")
            case StartAnswer.FAILED:
                await self._failed(row, allocation, "the hub could not start the server")
            case StartAnswer.NO_USER:
                message = f"The hub does not know the user {row.request.user}."
                await self._end(row, message)
            case _:
                assert_never(answer)
        return None

    async def _failed(self, row: RequestRow, allocation: Allocation, why: str) -> None:
        """Give the grant back for the request to wait at its old place, or end it after the last failure."""
        if self.count_failure(row.id):
            times = self._failures[row.id]
            await self._end(
                row, f"The server was not started {times} times; at last {why}. See the hub's log."
            )
            return
        record = Outcome(row.id, None, f"The start failed and is tried again: {why}.")
        event = GrantUnclaimed(self._ledger.clock(), allocation.id)
        await self._ledger.apply(Change(event, (record,), why=why))

    async def _end(self, row: RequestRow, message: str) -> None:
        event = EndRequested(self._ledger.clock(), row.id)
        await self._ledger.apply(Change(event, (Outcome(row.id, "failed", message),), why=message))

    def _granted(self, allocation_id: AllocationId) -> Allocation | None:
        allocation = self._ledger.machine.allocations.get(allocation_id)
        is_granted = allocation is not None and allocation.state is AllocationState.GRANTED
        return allocation if is_granted else None

    # ---- the slow look at the hub ----------------------------------------------------------------

    async def compare(self) -> None:
        """End notebooks unknown to the hub at two looks in a row; a hub that is away proves nothing."""
        if self._hub is None:
            return
        before = set(self._running())
        known = await self._hub.servers()
        missing = {
            allocation_id: row
            for allocation_id, row in self._running().items()
            if allocation_id in before and row.server not in known
        }
        for allocation_id, row in missing.items():
            if allocation_id in self._missing:
                log.warning("allocation %s: the hub does not know its server; it is stopped", allocation_id)
                why = "the hub does not know the server any more"
                await self._ledger.apply(Change(EndRequested(self._ledger.clock(), row.id), why=why))
        self._missing = set(missing)

    def _running(self) -> dict[AllocationId, RequestRow]:
        """Return the notebooks that run, by allocation."""
        found: dict[AllocationId, RequestRow] = {}
        for row in self._ledger.rows():
            allocation = self._ledger.allocation_of(row.id) if row.server is not None else None
            if allocation is not None and allocation.state in LIVES:
                found[allocation.id] = row
        return found

    def drop(self, allocation_id: AllocationId) -> None:
        """Forget an allocation that is gone."""
        self._offered.discard(allocation_id)
        self._taken.discard(allocation_id)

    def drop_request(self, request_id: RequestId) -> None:
        """Forget the failures of a request that is over or runs."""
        self._failures.pop(request_id, None)


def _options(row: RequestRow, payload: NotebookPayload) -> dict[str, Any]:
    """Return what the hub is to keep as the server's options; nothing that goes stale."""
    profile = {"profile": payload.profile} if payload.profile is not None else {}
    return {**profile, "team": row.request.team}
