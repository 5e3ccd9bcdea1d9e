"""What people and their tasks can do with connections: see their teams', and get sessions for them.

A session goes to members of a team that has the connection, and to the tasks of that team as long
as their allocation lives. Who got one for what stands in the audit; the session itself nowhere.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, NotAllowed, NotFound, Unavailable
from jupyterhub_mesos.lake.connections import Connections
from jupyterhub_mesos.lake.sessions import Sessions
from jupyterhub_mesos.service.changes import Note
from jupyterhub_mesos.service.identity import Identity, Membership, TokenKind
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rates import WriteRates
from jupyterhub_mesos.wire import ConnectionModel, ConnectionsView, LakeCredentials

log: Final = logging.getLogger(__name__)

SESSIONS_PER_MINUTE: Final = 240
"""Of one user: a job of 200 workers starts, each worker asks once an hour at most."""
NOUN: Final = "sessions of the lake"
_MAY_OPEN: Final = frozenset({TokenKind.USER, TokenKind.LAKE})


class LakeOperations:
    """Connections; who may is decided here."""

    def __init__(
        self, ledger: Ledger, connections: Connections, sessions: Sessions, rates: WriteRates | None = None
    ) -> None:
        self._ledger = ledger
        self._connections = connections
        self._sessions = sessions
        self._rates = rates or WriteRates(SESSIONS_PER_MINUTE, time.monotonic, NOUN)

    def listed(self, who: Identity) -> ConnectionsView:
        """Return the connections of the asker's teams."""
        return ConnectionsView(connections=self._connections.of(self._teams(who)))

    async def session(self, who: Identity, name: str) -> LakeCredentials:
        """Return a session for a connection; `NotFound` for one that no team of the asker's has."""
        if who.kind not in _MAY_OPEN:
            raise NotAllowed(f"{who.name} is a {who.kind}; only people and their tasks open the lake.")
        connection = self._connections.get(name, self._teams(who))
        if connection is None:
            raise NotFound(f"No team of {who.name} has a connection {name!r}: ask an admin for it.")
        self._rates.take(who.name)
        session = await self._made(name, connection, who)
        why = f"for request {who.request_id}" if who.request_id else "with a token of the hub"
        note = Note("lake opened", name, {"mode": connection.mode, "until": session.expiration})
        await self._ledger.apply(Change(None, who=who.name, why=why, note=note))
        return session

    async def _made(self, name: str, connection: ConnectionModel, who: Identity) -> LakeCredentials:
        try:
            return await self._sessions.session(name, connection, who.name)
        except InvalidInput as error:  # it names files and variables of the service
            log.warning("%s", error)
            raise Unavailable(
                f"Connection {name} cannot be opened now: an admin finds the reason in the service's log."
            ) from error

    def _teams(self, who: Identity) -> tuple[str, ...]:
        return Membership(self._ledger.teams.teams).teams_of(who)
