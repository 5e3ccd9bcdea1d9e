"""What owners say of when their requests start: a word for now, or other hours; who may is decided here."""

from __future__ import annotations

from jupyterhub_mesos.errors import Conflict, NotAllowed
from jupyterhub_mesos.service.holding.keeper import Keeper
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.operations import WAITING, Operations
from jupyterhub_mesos.service.rows import RequestRow, StartRow
from jupyterhub_mesos.wire import RequestView, StartWish


class Wishes:
    """Confirm a start, or choose another."""

    def __init__(self, ledger: Ledger, operations: Operations, keeper: Keeper) -> None:
        self._ledger = ledger
        self._operations = operations
        self._keeper = keeper

    async def confirm(self, who: Identity, request_id: str) -> RequestView:
        """Let a request start by itself for a while, whatever its hours; one that does so anyway stays."""
        row = await self._own(who, request_id)
        if row.start is not None:
            await self._set(who, row, self._keeper.confirmed(row.start), f"confirmed by {who.signature}")
        return await self._operations.get(who, request_id)

    async def choose(self, who: Identity, request_id: str, wish: StartWish) -> RequestView:
        """Say anew when a request starts."""
        row = await self._own(who, request_id)
        start = None if wish == StartWish() else StartRow(wish)
        await self._set(who, row, start, f"its start was changed by {who.signature}")
        return await self._operations.get(who, request_id)

    async def _set(self, who: Identity, row: RequestRow, start: StartRow | None, why: str) -> None:
        await self._ledger.apply(self._keeper.change(row, start, who.signature, why))

    async def _own(self, who: Identity, request_id: str) -> RequestRow:
        """Return a request of the asker's own that waits, or say why not."""
        row = await self._operations.visible(who, request_id)
        status = row.request.status
        if not who.owns(row.request):
            raise NotAllowed(f"{row.request.user} asked for {request_id} and says when it starts: ask them.")
        if status not in WAITING:
            raise Conflict(f"{request_id} is {status.value}: only what waits has a start to choose.")
        return row
