"""Many requests at once: submitted or ended in one transaction of the ledger, with an outcome each.

An item that is refused does not keep the others from being made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyterhub_mesos.errors import CapacityError, Conflict
from jupyterhub_mesos.service.calls import Refusal
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.operations import WAITING, Operations
from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.wire import BatchOutcome, RequestSubmission
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import EndRequested, RequestSubmitted
from jupyterhub_mesos_quota.model import RequestId, RequestStatus


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of an item, with its row as it stands then; `error` is why it was refused."""

    outcome: BatchOutcome
    row: RequestRow | None = None
    error: Refusal | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An item that the ledger is asked for, and where it stands among the items."""

    index: int
    change: Change
    event: RequestSubmitted
    submission: RequestSubmission


class Batches:
    """Submit and end many; who may is decided by the operations on one."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._ledger = operations.ledger

    # ---- submit -------------------------------------------------------------------------------

    async def submit(self, who: Identity, items: Sequence[RequestSubmission]) -> tuple[ItemOutcome, ...]:
        """Ask for workloads; answered when all that were not refused are durable."""
        found: dict[int, ItemOutcome] = {}
        asked: list[_Asked] = []
        for index, item in enumerate(items):
            prepared = self._prepared(who, index, item)
            if isinstance(prepared, _Asked):
                asked.append(prepared)
            else:
                found[index] = prepared
        with self._operations.places.hold_many([one.event.request for one in asked]) as full:
            found |= {
                one.index: ItemOutcome(BatchOutcome.REFUSED, error=full[one.event.request.id])
                for one in asked
                if one.event.request.id in full
            }
            found |= await self._entered(who, [one for one in asked if one.event.request.id not in full])
        return tuple(found[index] for index in range(len(items)))

    def _prepared(self, who: Identity, index: int, item: RequestSubmission) -> _Asked | ItemOutcome:
        """Return what the ledger is to be asked, or what is known already."""
        try:
            self._operations.check_kind(who, item)
            live = self._operations.live(who, item)
            if live is not None:
                return ItemOutcome(BatchOutcome.EXISTED, live)
            change = self._operations.change(who, item)
        except (CapacityError, QuotaError) as error:
            return ItemOutcome(BatchOutcome.REFUSED, error=error)
        assert isinstance(change.event, RequestSubmitted)  # noqa: S101 - `change` makes nothing else
        return _Asked(index, change, change.event, item)

    async def _entered(self, who: Identity, asked: Sequence[_Asked]) -> dict[int, ItemOutcome]:
        refusals = await self._ledger.apply_each(*(one.change for one in asked))
        return {
            one.index: self._outcome(who, one, refusal) for one, refusal in zip(asked, refusals, strict=True)
        }

    def _outcome(self, who: Identity, one: _Asked, refusal: Refusal | None) -> ItemOutcome:
        if refusal is None:
            return ItemOutcome(BatchOutcome.CREATED, self._ledger.row(one.event.request.id))
        live = self._operations.live(who, one.submission) if isinstance(refusal, Conflict) else None
        if live is not None:  # twice in one batch, or pressed at the same time
            return ItemOutcome(BatchOutcome.EXISTED, live)
        return ItemOutcome(BatchOutcome.REFUSED, error=refusal)

    # ---- end ----------------------------------------------------------------------------------

    async def cancel(self, who: Identity, ids: Sequence[str]) -> tuple[ItemOutcome, ...]:
        """Withdraw what waits, stop what runs; what is over stays as it is."""
        rows = [await self._visible(who, name) for name in ids]
        to_end = {row.id: row for row in rows if isinstance(row, RequestRow) and _may_end(row)}
        at = self._ledger.clock()
        why = f"ended by {who.signature}"
        changes = (Change(EndRequested(at, name), who=who.signature, why=why) for name in to_end)
        refusals = await self._ledger.apply_each(*changes)
        refused = {name: error for name, error in zip(to_end, refusals, strict=True) if error is not None}
        return tuple([await self._ended(row, set(to_end), refused) for row in rows])

    async def _ended(
        self, row: RequestRow | CapacityError, ended: set[RequestId], refused: dict[RequestId, Refusal]
    ) -> ItemOutcome:
        if isinstance(row, CapacityError):
            return ItemOutcome(BatchOutcome.REFUSED, error=row)
        if row.id in refused:
            return ItemOutcome(BatchOutcome.REFUSED, error=refused[row.id])
        if row.id not in ended:
            return ItemOutcome(BatchOutcome.UNCHANGED, row)
        return ItemOutcome(BatchOutcome.ENDED, await self._ledger.find(row.id))

    async def _visible(self, who: Identity, name: str) -> RequestRow | CapacityError:
        try:
            return await self._operations.visible(who, name)
        except CapacityError as error:
            return error


def _may_end(row: RequestRow) -> bool:
    is_live = row.request.status in WAITING or row.request.status is RequestStatus.ACTIVE
    return is_live and not row.request.is_ending
