"""What the hub's spawners ask: claim or ask for room, launch, poll, stop, delete."""

from __future__ import annotations

import logging
from typing import Final

from jupyterhub_mesos.errors import Conflict, Queued
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.service.notebooks import Claim, Notebooks
from jupyterhub_mesos.service.operations import WAITING, Operations
from jupyterhub_mesos.service.rows import RequestRow
from jupyterhub_mesos.service.submissions import hub_submission
from jupyterhub_mesos.wire import HubClaim, HubLaunch, HubServer, HubStart, NotebookPayload, ResourcesModel
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import UserRenamed
from jupyterhub_mesos_quota.model import AllocationId, UserName

log: Final = logging.getLogger(__name__)

HUB = "hub"
"""Who did it, in the audit log, where the hub asked."""
HTTP = "http"
"""The port name of a notebook server."""


class HubSide:
    """The spawners' operations; whoever calls has shown the hub's key."""

    def __init__(self, operations: Operations, notebooks: Notebooks) -> None:
        self._operations = operations
        self._notebooks = notebooks

    async def start(self, start: HubStart) -> HubClaim:
        """Claim the grant of a server, or ask for room; raises `Queued` where it has to wait."""
        if start.grant is not None:
            return _claim_view(await self._notebooks.claim(start.user, start.server_name, start.grant))
        ledger = self._operations.ledger
        submission = hub_submission(start.server_name, start.options)
        live = ledger.server(start.user, start.server_name)
        claim: Claim | None
        if live is None:
            who = Identity(start.user, frozenset(start.groups))
            claim = await self._submit(self._operations.change(who, submission, why="started at the hub"))
        else:
            claim = await self._claim(live)
        if claim is not None:
            return _claim_view(claim)
        waiting = ledger.server(start.user, start.server_name)
        if waiting is None:
            raise Conflict("The request was withdrawn while it was asked for: start again.")
        raise self._queued(waiting)

    async def launch(self, allocation_id: str, launch: HubLaunch) -> HubServer:
        """Start the claimed server with what the hub made; repeated until it runs."""
        return await self._notebooks.launch(AllocationId(allocation_id), launch.argv, launch.env)

    async def server(self, user: str, server_name: str, allocation: str = "") -> HubServer:
        """Say whether a server is alive; `allocation` is the one that the hub's spawner knows, if any.

        Where that is another user's server of this name, the hub has renamed the user: so do we.
        """
        if allocation:
            await self._follow(user, server_name, AllocationId(allocation))
        return await self._notebooks.server(user, server_name)

    async def _follow(self, user: str, server_name: str, allocation_id: AllocationId) -> None:
        ledger = self._operations.ledger
        allocation = ledger.machine.allocations.get(allocation_id)
        row = ledger.row(allocation.request_id) if allocation is not None else None
        if row is None or row.request.user == user or _server_name(row) != server_name:
            return
        event = UserRenamed(ledger.clock(), row.request.user, UserName(user))
        try:
            await ledger.apply(Change(event, who=HUB, why="the hub has renamed the user"))
        except QuotaError as error:  # both have something: an admin decides
            log.warning(
                "the hub has renamed %s to %s, which cannot be followed: %s", row.request.user, user, error
            )

    async def recover(self, user: str, server_name: str) -> HubServer:
        """Say where a server stands whose start the hub, restarted meanwhile, does not go on with."""
        return await self._notebooks.recover(user, server_name)

    async def stop(self, user: str, server_name: str) -> HubServer:
        """End what runs, and leave what waits."""
        return await self._notebooks.stop(user, server_name, HUB)

    async def delete(self, user: str, server_name: str) -> None:
        """End or withdraw whatever there is of a server that was removed."""
        await self._notebooks.delete(user, server_name, HUB)

    async def _submit(self, change: Change) -> Claim | None:
        try:
            return await self._notebooks.submit(change)
        except Conflict:
            return None  # another door was first: what it asked for waits or runs

    async def _claim(self, live: RequestRow) -> Claim | None:
        if live.request.status in WAITING:
            return None
        return await self._notebooks.claim(live.request.user, _server_name(live), None)

    def _queued(self, row: RequestRow) -> Queued:
        sentence = f"{row.request.user}'s request {row.id} waits."
        if row.request.status in WAITING:
            why = self._operations.explanation(row.request)
            expected = why.expected_start
            when = f" {expected.sentence}" if expected and expected.median_seconds is not None else ""
            sentence = f"{why.sentence} It starts by itself; place {why.position or '?'} in the queue.{when}"
        return Queued(sentence, request_id=row.id, page_url=self._operations.links.page(row.id))


def _server_name(row: RequestRow) -> str:
    return row.info.payload.server_name if isinstance(row.info.payload, NotebookPayload) else ""


def _claim_view(claim: Claim) -> HubClaim:
    payload = claim.info.payload
    return HubClaim(
        request_id=claim.request.id,
        allocation_id=claim.allocation.id,
        team=claim.request.team,
        profile=payload.profile if isinstance(payload, NotebookPayload) else None,
        resources=ResourcesModel.of(claim.request.resources),
        port=claim.endpoint.ports[HTTP],
        host=claim.endpoint.host,
    )
