"""The routes of the usage, as JSON page by page and as one CSV."""

from __future__ import annotations

from jupyterhub_mesos.service.usage.operations import UsageAsked
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.csv_text import MEDIA, csv_text
from jupyterhub_mesos.service.web.paging import page_of
from jupyterhub_mesos.service.web.queries import UsageListQuery, UsageQuery
from jupyterhub_mesos.wire.usage import UsageRow, UsageView


def asked_of(query: UsageQuery) -> UsageAsked:
    """Return what a query asks for."""
    return UsageAsked(
        by=query.by,
        since=None if query.since is None else query.since.timestamp(),
        until=None if query.until is None else query.until.timestamp(),
        zone=query.zone,
        team=query.team,
        user=query.user,
    )


class UsageHandler(ApiHandler):
    """`/usage`."""

    @contract(answers=UsageView, query=UsageListQuery)
    async def get(self) -> None:
        """Return what was used, by what the query names."""
        asked = self.query(UsageListQuery)
        found = await self.context.usage.added_up(self.identity, asked_of(asked))
        items, more = page_of(found.items, asked, _name)
        self.answer_page(found.model_copy(update={"items": items, "next_cursor": more}), more)


class UsageCsvHandler(ApiHandler):
    """`/usage.csv`."""

    @contract(query=UsageQuery, media=MEDIA)
    async def get(self) -> None:
        """Return the same as a table."""
        found = await self.context.usage.added_up(self.identity, asked_of(self.query(UsageQuery)))
        self.set_header("Content-Type", f"{MEDIA}; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="usage.csv"')
        self.send(csv_text(*_table(found)))


def _name(row: UsageRow) -> str:
    return "/".join(word or "" for word in (row.team, row.user, row.kind, row.flavor, row.day))


def _table(found: UsageView) -> tuple[list[str], list[tuple[object, ...]]]:
    """Lay the rows out: the key's parts, the hours, one column per flavor, the waits."""
    flavors = list(found.total.accelerators)
    waits = ["starts", "mean_wait_seconds", "wait_seconds_of_nine_in_ten"]
    hours = ["cpu_hours", "memory_gib_hours", "accelerator_hours"]
    head = [*found.by, *hours, *(f"{flavor}_hours" for flavor in flavors), *waits]
    rows: list[tuple[object, ...]] = [
        (
            *(getattr(row, name) for name in (*found.by, *hours)),
            *(row.accelerators.get(flavor, 0.0) for flavor in flavors),
            *(getattr(row, name) for name in waits),
        )
        for row in found.items
    ]
    return head, rows
