"""What people may ask of the usage: their own, that of teams that they administer, admins all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.identity import Identity, Membership
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.service.usage.accounting import Account, Part, Tally, Window
from jupyterhub_mesos.service.usage.reading import PAGE, UsageWanted
from jupyterhub_mesos.wire.usage import UsageRow, UsageView

DAYS: Final = 30
"""How far back is looked where nothing else is said."""
SECONDS_PER_DAY: Final = 86400.0
DAYS_MOST: Final = 400
ALLOCATIONS_MOST: Final = 200_000
"""More are not added up for one answer: it would take the service a minute."""
DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class UsageAsked:
    """What somebody asks for; times in Unix seconds, `team` with all below it."""

    by: str = "team"
    since: float | None = None
    until: float | None = None
    zone: str = "UTC"
    team: str | None = None
    user: str | None = None


class Usage:
    """Adds up what was held and waited."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def added_up(self, who: Identity, asked: UsageAsked) -> UsageView:
        """Return what the asker may see of what was used, a row per key; raises `InvalidInput`."""
        (view,) = await self.added_up_by(who, asked, (asked.by,))
        return view

    async def added_up_by(self, who: Identity, asked: UsageAsked, splits: Iterable[str]) -> list[UsageView]:
        """Return the same once for each way to tell it apart, from one reading."""
        window, now = self._window(asked), self._ledger.clock()
        accounts = [Account(window, _parts(by), now) for by in splits]
        wanted, after = self._wanted(who, asked, window), ""
        for _ in range(ALLOCATIONS_MOST // PAGE):
            page = await self._ledger.read(partial(Store.held, wanted=wanted, after=after))
            for account in accounts:
                account.take(held for _, held in page)
            if len(page) < PAGE:
                return [_view(account) for account in accounts]
            after = page[-1][0]
        raise InvalidInput(
            f"more than {ALLOCATIONS_MOST:,} starts are in this time: ask for less, a team or a user",
            where="since",
        )

    def _window(self, asked: UsageAsked) -> Window:
        until = self._ledger.clock() if asked.until is None else asked.until
        since = until - DAYS * SECONDS_PER_DAY if asked.since is None else asked.since
        if since >= until:
            raise InvalidInput("the time ends before it begins: say a `since` before `until`", where="since")
        if until - since > DAYS_MOST * SECONDS_PER_DAY:
            raise InvalidInput(
                f"at most {DAYS_MOST} days are added up at once: say a later `since`", where="since"
            )
        return Window(since, until, _zone(asked.zone))

    def _wanted(self, who: Identity, asked: UsageAsked, window: Window) -> UsageWanted:
        membership = Membership(self._ledger.teams.teams)
        seen = frozenset(name for name in membership.teams if membership.is_team_admin(who, name))
        within = None
        if asked.team is not None:
            below = (name for name in membership.teams if asked.team in membership.ancestors(name))
            within = frozenset({asked.team, *below})
        return UsageWanted(
            window.since, window.until, within, asked.user, None if who.is_admin else seen, who.name
        )


def _parts(by: str) -> tuple[Part, ...]:
    words = by.split(",")
    known = [part.value for part in Part]
    for word in words:
        if word not in known or words.count(word) > 1:
            raise InvalidInput(f"{word!r} is none of {', '.join(known)}, each said once at most", where="by")
    return tuple(map(Part, words))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"{name!r} is no time zone: say one as Europe/Berlin, or UTC", where="zone"
        ) from None


def _view(account: Account) -> UsageView:
    rows = [_row(account.parts, key, tally) for key, tally in account.tallies.items()]
    rows.sort(key=lambda row: (row.day or "", -row.accelerator_hours, -row.cpu_hours, row.team or ""))
    return UsageView(
        since=account.window.since,
        until=account.window.until,
        by=tuple(part.value for part in account.parts),
        zone=account.window.zone.key,
        total=_row((), (), account.total),
        items=tuple(rows),
    )


def _row(parts: tuple[Part, ...], key: tuple[str, ...], tally: Tally) -> UsageRow:
    words = dict(zip((part.value for part in parts), key, strict=True))
    mean, most = tally.mean_wait, tally.wait_of_nine_in_ten
    return UsageRow(
        **words,
        cpu_hours=round(tally.cpu_hours, DIGITS),
        memory_gib_hours=round(tally.memory_gib_hours, DIGITS),
        accelerator_hours=round(tally.all_accelerator_hours, DIGITS),
        accelerators={name: round(hours, DIGITS) for name, hours in sorted(tally.accelerator_hours.items())},
        starts=len(tally.waits),
        mean_wait_seconds=None if mean is None else round(mean, DIGITS),
        wait_seconds_of_nine_in_ten=None if most is None else round(most, DIGITS),
    )
