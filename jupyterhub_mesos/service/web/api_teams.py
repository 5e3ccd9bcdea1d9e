"""The routes of teams, profiles, capacity and health."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.wire import Health, TeamsModel
from jupyterhub_mesos_quota.model import RequestStatus

TEAMS_BYTES = 1024 * 1024
"""Room for some thousand teams."""


class CapacityHandler(ApiHandler):
    """`/capacity`."""

    takes_own_tokens = True

    async def get(self) -> None:
        """Return what there is and what is free."""
        self.answer(self.context.teams.capacity())


class ProfilesHandler(ApiHandler):
    """`/profiles`."""

    async def get(self) -> None:
        """Return what the asker may start a notebook with."""
        self.answer(self.context.teams.profiles(self.identity))


class TeamsHandler(ApiHandler):
    """`/teams`."""

    max_bytes = TEAMS_BYTES

    async def get(self) -> None:
        """Return the teams that the asker may see."""
        self.answer(self.context.teams.teams(self.identity))

    async def put(self) -> None:
        """Put a tree in force, or with `dry_run` say what would change."""
        edit = await self.context.teams.edit(
            self.identity,
            self.body(TeamsModel),
            is_dry_run=self.truth("dry_run"),
            expected=self.number("revision", -1) if self.get_query_argument("revision", None) else None,
        )
        self.answer(edit)


class HealthHandler(ApiHandler):
    """`/health`, for everybody."""

    async def prepare(self) -> None:
        """Ask nobody who they are."""

    async def get(self) -> None:
        """Say whether the parts answer."""
        ledger = self.context.operations.ledger
        rows = ledger.rows()
        complaints = [*_complaints(ledger), *self.context.operations.controller.vitals.complaints()]
        self.answer(
            Health(
                status="degraded" if complaints else "ok",
                version=version("jupyterhub-mesos"),
                backend=self.context.operations.backend.name,
                ledger="failed" if ledger.failure or ledger.is_in_doubt else "ok",
                waiting=sum(row.request.status is RequestStatus.QUEUED for row in rows),
                active=sum(row.request.status is RequestStatus.ACTIVE for row in rows),
                message="; ".join(complaints),
            )
        )


class ReadyHandler(ApiHandler):
    """`/ready`, for everybody: whether changes can be made now."""

    async def prepare(self) -> None:
        """Ask nobody who they are."""

    async def get(self) -> None:
        """Answer 204, or 503 with what is missing."""
        if complaints := [*_complaints(self.context.operations.ledger)]:
            raise Unavailable("; ".join(complaints))
        self.set_status(204)


def _complaints(ledger: Ledger) -> Iterator[str]:
    if ledger.is_taken_over:
        yield "another capacity service has taken the ledger over"
    elif ledger.is_in_doubt:
        yield "the ledger's database does not answer"
    elif ledger.failure:
        yield "the last change could not be written to the ledger"
