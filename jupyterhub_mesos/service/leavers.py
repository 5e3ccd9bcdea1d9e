"""Users that the hub has deleted: what waits of them is withdrawn, what runs is stopped.

A server that the hub removes withdraws its own request (`delete_forever`); of a user who never started one
the hub says nothing, so the service looks. A hub that has forgotten many at once has lost its database, or
is another one: nobody is taken for gone then.
"""

from __future__ import annotations

import logging
from typing import Final

from jupyterhub_mesos.service.hub_api import HubStarts
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos_quota.events import UserLeft
from jupyterhub_mesos_quota.model import UserName

log: Final = logging.getLogger(__name__)

LOOKS: Final = 20
"""Users in one round, those first who were looked at longest ago: a round costs the hub no more than that."""
DOUBTED_SHARE: Final = 0.5
"""Where so many of those that were looked at are unknown, few or many, it is the hub that has changed."""


class Leavers:
    """Looks whether the hub still knows those who have something here."""

    def __init__(self, ledger: Ledger, hub: HubStarts | None) -> None:
        self._ledger = ledger
        self._hub = hub
        self._looked: dict[UserName, None] = {}  # in order of the last look
        self._missing: set[UserName] = set()

    async def look(self) -> None:
        """Let go whom the hub does not know at two looks in a row. Raises `Unavailable` where it is away."""
        if self._hub is None:
            return
        present = {row.request.user for row in self._ledger.rows() if "/" not in row.request.user}
        self._looked = {name: None for name in self._looked if name in present}
        new = [name for name in present if name not in self._looked]
        due = [*sorted(new), *sorted(self._missing & present), *self._looked][:LOOKS]
        unknown = [name for name in dict.fromkeys(due) if not await self._known(name)]
        if unknown and len(unknown) >= DOUBTED_SHARE * len(due):
            log.warning(
                "the hub does not know %d of %d users who have something here, %s among them: none of them "
                "is taken for gone. Is it another hub, or its database another one?",
                *(len(unknown), len(due), unknown[0]),
            )
            self._missing.clear()
            return
        for name in unknown:
            if name in self._missing:
                await self._let_go(name)
        self._missing = (self._missing - set(due)) | set(unknown)

    async def _known(self, name: UserName) -> bool:
        assert self._hub is not None  # noqa: S101 - looked at by the caller
        self._looked.pop(name, None)
        self._looked[name] = None
        return await self._hub.knows(name)

    async def _let_go(self, name: UserName) -> None:
        log.warning("user %s: the hub has no such user any more; what they have here is ended", name)
        event = UserLeft(self._ledger.clock(), name)
        await self._ledger.apply(Change(event, who="hub", why="the hub has no such user any more"))
