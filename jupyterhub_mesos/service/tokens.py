"""The tokens that this service makes itself, beside the hub's: a pipeline's own, and a team's.

- A *pipeline's* token is derived from its allocation and valid while that lives: it asks as the
  pipeline's owner, in its team alone, for what a pipeline needs.
- A *task's* token for the lake is derived in the same way, and is good for sessions of its team's
  connections alone.
- A *team's* token is made by an admin of the team for CI outside the hub, and asks as the team's robot.
  Of its secret the ledger has the sha256.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from jupyterhub_mesos.errors import Conflict, LedgerError, NotAllowed, NotAuthenticated, NotFound
from jupyterhub_mesos.lake.handout import TOKEN_PREFIX as LAKE_PREFIX
from jupyterhub_mesos.lake.handout import lake_token, named_allocation
from jupyterhub_mesos.pipeline.plan import TOKEN_PREFIX as PIPELINE_PREFIX
from jupyterhub_mesos.pipeline.plan import allocation_of, workload_token
from jupyterhub_mesos.service.identity import Identity, Membership, TokenKind, robot_name
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import TokenId, TokenRevoked, TokenRow, TokenUsed
from jupyterhub_mesos.wire import TeamTokenMade, TeamTokenOrder, TeamTokensView, TeamTokenView
from jupyterhub_mesos_quota.model import AllocationId, AllocationState, WorkloadKind

TEAM_PREFIX: Final = "capteam_"
"""How a team's token begins, so that it can be told from the hub's, and found where it was leaked."""
SECRET_BYTES: Final = 32
"""As long as the hub's own tokens."""
MAX_TOKENS: Final = 100
"""Of one team: more is a script that forgets to revoke."""
USED_SECONDS: Final = 60.0
"""How exact `last used` is: a token that polls may not cost a commit each time."""
SECONDS_PER_DAY: Final = 86400.0


def is_ours(token: str) -> bool:
    """Say whether a token is one of this service's; the hub is never asked about such a one."""
    return token.startswith((PIPELINE_PREFIX, TEAM_PREFIX, LAKE_PREFIX))


class ServiceTokens:
    """Says who holds a token of ours; `secret` is that of an allocation."""

    def __init__(self, ledger: Ledger, secret: Callable[[AllocationId], str]) -> None:
        self._ledger = ledger
        self._secret = secret

    async def identity(self, token: str) -> Identity:
        """Return who shows a token; raises `NotAuthenticated` for one that is not valid (any more)."""
        if token.startswith(PIPELINE_PREFIX):
            return self._of_pipeline(token)
        if token.startswith(LAKE_PREFIX):
            return self._of_task(token)
        return await self._of_team(token)

    def _of_pipeline(self, token: str) -> Identity:
        name = allocation_of(token)
        allocation = self._ledger.machine.allocations.get(name)
        row = self._ledger.row(allocation.request_id) if allocation is not None else None
        is_genuine = hmac.compare_digest(token.encode(), workload_token(name, self._secret(name)).encode())
        is_live = allocation is not None and allocation.state is not AllocationState.GONE
        if not is_genuine or not is_live or row is None or row.request.kind is not WorkloadKind.PIPELINE:
            raise NotAuthenticated(
                "This is no token of a pipeline that runs: it is valid while its run holds its resources."
            )
        request = row.request
        return Identity(request.user, kind=TokenKind.PIPELINE, team=request.team, request_id=request.id)

    def _of_task(self, token: str) -> Identity:
        name = AllocationId(named_allocation(token))
        allocation = self._ledger.machine.allocations.get(name)
        row = self._ledger.row(allocation.request_id) if allocation is not None else None
        is_genuine = hmac.compare_digest(token.encode(), lake_token(name, self._secret(name)).encode())
        is_live = allocation is not None and allocation.state is not AllocationState.GONE
        if not is_genuine or not is_live or row is None:
            raise NotAuthenticated(
                "This is no token of a task that runs: it is valid while the task holds its resources."
            )
        request = row.request
        return Identity(request.user, kind=TokenKind.LAKE, team=request.team, request_id=request.id)

    async def _of_team(self, token: str) -> Identity:
        digest = _digest(token)
        found = next((row for row in self._ledger.memory.tokens.values() if row.digest == digest), None)
        if found is None:
            raise NotAuthenticated(
                "This is no token of a team, or it was revoked: an admin of the team makes another one "
                "(jupyterhub-mesos token make)."
            )
        now = self._ledger.clock()
        if found.expires_at <= now:
            raise NotAuthenticated(
                f"The token {found.name!r} of team {found.team} has expired: an admin of the team makes "
                "another one (jupyterhub-mesos token make)."
            )
        await self._note_use(found, now)
        return Identity(
            robot_name(found.team), kind=TokenKind.TEAM, team=found.team, token=f"{found.name} ({found.id})"
        )

    async def _note_use(self, row: TokenRow, now: float) -> None:
        if row.last_used_at is not None and now - row.last_used_at < USED_SECONDS:
            return
        with suppress(LedgerError):  # a look must not fail for it; /health says what is wrong
            await self._ledger.apply(Change(None, (TokenUsed(row.id, now),)))


class TeamTokens:
    """What admins of a team do with its tokens."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def make(self, who: Identity, team: str, order: TeamTokenOrder) -> TeamTokenMade:
        """Make a token; its secret is told this once."""
        self._check_admin(who, team)
        held = self._of(team)
        if len(held) >= MAX_TOKENS:
            raise Conflict(
                f"Team {team} has {len(held)} tokens; {MAX_TOKENS} are possible: revoke some first."
            )
        secret, now = TEAM_PREFIX + secrets.token_urlsafe(SECRET_BYTES), self._ledger.clock()
        row = TokenRow(
            id=TokenId(f"t{secrets.token_hex(6)}"),
            team=team,
            name=order.name,
            digest=_digest(secret),
            made_by=who.name,
            made_at=now,
            expires_at=now + order.expires_in_days * SECONDS_PER_DAY,
        )
        await self._ledger.apply(Change(None, (row,), who=who.name, why=f"made by {who.name}"))
        return TeamTokenMade(token=secret, view=self._view(row))

    def listed(self, who: Identity, team: str) -> TeamTokensView:
        """Return the team's tokens, oldest first, without their secrets."""
        self._check_admin(who, team)
        return TeamTokensView(items=tuple(map(self._view, self._of(team))))

    async def revoke(self, who: Identity, team: str, token_id: str) -> None:
        """Make a token worthless at once."""
        self._check_admin(who, team)
        if token_id not in {row.id for row in self._of(team)}:
            raise NotFound(f"Team {team} has no token {token_id!r}.")
        change = Change(None, (TokenRevoked(TokenId(token_id)),), who=who.name, why=f"revoked by {who.name}")
        await self._ledger.apply(change)

    def _of(self, team: str) -> list[TokenRow]:
        rows = [row for row in self._ledger.memory.tokens.values() if row.team == team]
        return sorted(rows, key=lambda row: (row.made_at, row.id))

    def _check_admin(self, who: Identity, team: str) -> None:
        membership = Membership(self._ledger.teams.teams)
        if team not in membership.visible_to(who):
            raise NotFound(f"There is no team {team!r}.")
        if not membership.is_team_admin(who, team):
            raise NotAllowed(f"Only an admin of team {team} makes, lists and revokes its tokens.")

    def _view(self, row: TokenRow) -> TeamTokenView:
        return TeamTokenView(
            id=row.id,
            team=row.team,
            name=row.name,
            made_by=row.made_by,
            made_at=row.made_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            is_expired=row.expires_at <= self._ledger.clock(),
        )


def _digest(token: str) -> str:
    """Hash a token as it is kept: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
