"""The routes of teams, profiles, capacity and health."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.operations import Operations
from jupyterhub_mesos.service.team_operations import EditTerms
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.etags import IF_MATCH, revision_tag, revisions_of
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import NamesQuery, TeamsEditQuery
from jupyterhub_mesos.wire import CapacityView, Health, ProfilesView, TeamsEdit, TeamsModel, TeamsView
from jupyterhub_mesos_quota.model import RequestStatus

TEAMS_BYTES = 1024 * 1024
"""Room for some thousand teams."""


class CapacityHandler(ApiHandler):
    """`/capacity`."""

    takes_own_tokens = True

    @contract(answers=CapacityView)
    async def get(self) -> None:
        """Return what there is and what is free."""
        self.answer(self.context.teams.capacity())


class ProfilesHandler(ApiHandler):
    """`/profiles`."""

    @contract(answers=ProfilesView, query=NamesQuery)
    async def get(self) -> None:
        """Return what the asker may start a notebook with."""
        asked, seen = self.query(NamesQuery), self.context.teams.profiles(self.identity)
        found = [one for one in seen.profiles if (asked.text or "").lower() in one.name.lower()]
        items, more = page_of(found, asked, lambda one: one.name)
        self.answer_page(seen.model_copy(update={"profiles": items, "next_cursor": more}), more)


class TeamsHandler(ApiHandler):
    """`/teams`."""

    max_bytes = TEAMS_BYTES

    @contract(answers=TeamsView, query=NamesQuery)
    async def get(self) -> None:
        """Return the teams that the asker may see."""
        asked, seen = self.query(NamesQuery), self.context.teams.teams(self.identity)
        found = [one for one in seen.teams if (asked.text or "").lower() in one.id.lower()]
        items, more = page_of(found, asked, lambda one: one.id)
        self.answer_page(seen.model_copy(update={"teams": items, "next_cursor": more}), more)

    def compute_etag(self) -> str | None:
        """Name the revision of the tree, and what this answer says of it."""
        return revision_tag(self.context.operations.ledger.revision, super().compute_etag())

    @contract(takes=TeamsModel, answers=TeamsEdit, query=TeamsEditQuery, headers=IF_MATCH)
    async def put(self) -> None:
        """Put a tree in force, or with `dry_run` say what would change."""
        asked = self.query(TeamsEditQuery)
        seen = revisions_of(self.request.headers.get("If-Match"))
        terms = EditTerms(asked.dry_run, asked.revision, seen, asked.reason)
        edit = await self.context.teams.edit(self.identity, self.body(TeamsModel), terms)
        self.set_header("ETag", revision_tag(edit.revision))
        self.answer(edit)


class HealthHandler(ApiHandler):
    """`/health`, for everybody."""

    async def prepare(self) -> None:
        """Ask nobody who they are."""
        self.check_query()

    @contract(answers=Health)
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
        self.check_query()

    @contract(statuses=(204,))
    async def get(self) -> None:
        """Answer 204, or 503 with what is missing."""
        if complaints := missing(self.context.operations):
            raise Unavailable("; ".join(complaints))
        self.answer_nothing()


def missing(operations: Operations) -> list[str]:
    """Say what changes need and does not answer."""
    return [*_complaints(operations.ledger), *operations.controller.vitals.backend_complaints()]


def _complaints(ledger: Ledger) -> Iterator[str]:
    if ledger.is_taken_over:
        yield "another capacity service has taken the ledger over"
    elif ledger.is_in_doubt:
        yield "the ledger's database does not answer"
    elif ledger.failure:
        yield "the last change could not be written to the ledger"
