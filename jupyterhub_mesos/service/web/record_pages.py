"""The pages of what was: the usage in hours, and the audit; forms that need no script."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jupyterhub_mesos.errors import CapacityError, InvalidInput
from jupyterhub_mesos.service import rows
from jupyterhub_mesos.service.audit_operations import audit_page
from jupyterhub_mesos.service.request_filters import PAGE_SIZE, stored_cursor
from jupyterhub_mesos.service.usage.operations import DAYS, UsageAsked
from jupyterhub_mesos.service.web.charts import Chart, stacked
from jupyterhub_mesos.service.web.pages import PageHandler
from jupyterhub_mesos.wire import AuditPage as AuditItems
from jupyterhub_mesos.wire.usage import UsageView

ZONE_COOKIE: Final = "capacity-zone"
"""Set by every page's script; it says nothing that a browser does not say to every script."""
ROWS_SHOWN: Final = 100
KINDS_OF_ROWS: Final = (
    ("team", "team"),
    ("user", "user"),
    ("flavor", "flavor"),
    ("kind", "kind"),
    ("day", "day"),
    ("team,user", "team and user"),
    ("team,flavor", "team and flavor"),
    ("day,team", "day and team"),
)


class _FilteredPage(PageHandler):
    """A page whose form is its query."""

    def said(self, name: str, otherwise: str = "") -> str:
        """Return a parameter without spaces around it."""
        return self.get_query_argument(name, "").strip() or otherwise

    def day(self, name: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime | None:
        """Return when a day begins (or is over), None where none is named; raises `InvalidInput`."""
        text = self.said(name)
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
            return datetime.combine(day + timedelta(days=int(is_end)), time(), zone)
        except (ValueError, OverflowError):
            raise InvalidInput(f"{text!r} is no day: write one as 2026-11-26", where=name) from None

    def zone(self) -> ZoneInfo:
        """Return the viewer's zone, which their browser's cookie names; UTC where that is none."""
        try:
            return ZoneInfo(self.get_cookie(ZONE_COOKIE) or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")


class UsagePage(_FilteredPage):
    """Hours and waits, as a chart over days and as a table."""

    async def get(self) -> None:
        """Show what the asker may see of what was used."""
        zone, problem, found, chart = self.zone(), None, None, None
        query = {"by": self.said("by", "team"), "zone": zone.key}
        query |= {name: self.said(name) for name in ("team", "user") if self.said(name)}
        try:
            since, until = self.day("since", zone), self.day("until", zone, is_end=True)
            query |= {name: at.isoformat() for name, at in (("since", since), ("until", until)) if at}
            asked = UsageAsked(
                query["by"], _at(since), _at(until), zone.key, query.get("team"), query.get("user")
            )
            splits = (asked.by, "day,team")
            found, over_days = await self.context.usage.added_up_by(self.identity, asked, splits)
            chart = _chart(over_days, zone)
        except InvalidInput as error:
            problem = error
        self.render_page(
            "usage.html",
            found=found,
            chart=chart,
            problem=problem,
            query=urlencode(query),
            asked={name: self.said(name) for name in ("since", "until", "team", "user")}
            | {"by": query["by"]},
            zone=zone.key,
            choices=KINDS_OF_ROWS,
            teams=self.context.teams.names(self.identity),
            days=DAYS,
            most=ROWS_SHOWN,
        )


class AuditPage(_FilteredPage):
    """What happened: for admins all of it, for others what happened to a request of theirs."""

    async def get(self) -> None:
        """Show a page of the audit, filtered."""
        words = {name: self.said(name) for name in ("who", "what", "subject", "text", "since", "until")}
        problem: CapacityError | None = None
        found = AuditItems(items=())
        try:
            if self.identity.is_admin or words["subject"]:
                found = await audit_page(self.context.operations, self.identity, self._wanted(words))
        except CapacityError as error:
            problem = error
        kept = {name: word for name, word in words.items() if word}
        older = urlencode({**kept, "cursor": found.next_cursor}) if found.next_cursor else ""
        self.render_page(
            "audit.html",
            found=found,
            asked=words,
            problem=problem,
            older=older,
            export=self._export(words),
            is_admin=self.identity.is_admin,
            zone=self.zone().key,
        )

    def _wanted(self, words: dict[str, str]) -> rows.AuditQuery:
        return rows.AuditQuery(
            who=words["who"] or None,
            what=words["what"] or None,
            subjects=frozenset({words["subject"]}) if words["subject"] else None,
            text=words["text"] or None,
            since=_at(self.day("since", self.zone())),
            until=_at(self.day("until", self.zone(), is_end=True)),
            before=stored_cursor(self.said("cursor")),
            limit=PAGE_SIZE,
        )

    def _export(self, words: dict[str, str]) -> str:
        """Return the query of the export: the same filters, days as moments."""
        query = {name: words[name] for name in ("who", "what", "subject", "text") if words[name]}
        try:
            edges = {
                "since": self.day("since", self.zone()),
                "until": self.day("until", self.zone(), is_end=True),
            }
        except InvalidInput:
            return urlencode(query)
        return urlencode(query | {name: at.isoformat() for name, at in edges.items() if at})


def _at(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _chart(found: UsageView, zone: ZoneInfo) -> Chart:
    """Draw accelerator-hours by day and team; CPU-hours where there are no accelerators."""
    has_accelerators = found.total.accelerator_hours > 0
    values: dict[tuple[str, str], float] = {
        (row.day or "", row.team or ""): row.accelerator_hours if has_accelerators else row.cpu_hours
        for row in found.items
    }
    return stacked(_days(found, zone), values, "accelerator-hours" if has_accelerators else "CPU-hours")


def _days(found: UsageView, zone: ZoneInfo) -> list[str]:
    first = datetime.fromtimestamp(found.since, UTC).astimezone(zone).date()
    last = datetime.fromtimestamp(found.until - 1, UTC).astimezone(zone).date()
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
