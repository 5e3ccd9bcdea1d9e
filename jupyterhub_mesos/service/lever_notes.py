"""Who pulled which lever, when and why: as the audit says it, at hand for every view.

The core knows that a queue is paused or a node cordoned; the audit log knows
the rest. After a start it is read from there; a lever that the audit says
nothing of is one without a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.service.changes import Note
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.service.rows import AuditRow
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos_quota.events import Event
from jupyterhub_mesos_quota.model import NodeId, TeamId

LOOK_BACK: Final = 100
"""Audit rows of one lever that are looked through: refused pulls stand among them."""


class Lever(StrEnum):
    """What was done, in the audit's words."""

    PAUSED = "queue paused"
    RESUMED = "queue resumed"
    CORDONED = "node cordoned"
    DRAINED = "node drained"
    UNCORDONED = "node uncordoned"
    EXTENDED = "session extended"
    BOOKED = "reservation booked"
    CANCELLED = "reservation cancelled"
    RENAMED = "user renamed"
    LEFT = "user left"


HELD_BY: Final = frozenset({Lever.PAUSED, Lever.CORDONED, Lever.DRAINED})
"""What goes on until somebody ends it."""


@dataclass(frozen=True, slots=True)
class Pull:
    """A lever about to be pulled: what, on which subject, with what else the audit is to keep."""

    lever: Lever
    subject: str
    data: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Pulled:
    """A lever that somebody pulled at `at` (Unix seconds); `is_by_admin` as opposed to a team's admin."""

    lever: Lever
    who: str
    at: float
    why: str
    is_by_admin: bool


def queue_subject(team: TeamId | str | None) -> str:
    """Name a queue in the audit."""
    return "queue" if team is None else f"queue/{team}"


def node_subject(node: NodeId | str) -> str:
    """Name a node in the audit."""
    return f"node/{node}"


def queue_name(team: TeamId | None) -> str:
    """Name a queue in a sentence."""
    return "the whole queue" if team is None else f"the queue of team {team}"


class LeverNotes:
    """The last pull of each lever that is held."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pulled: dict[str, Pulled] = {}

    async def open(self) -> None:
        """Read what the audit says of the levers that are held now."""
        machine = self._ledger.machine
        subjects = [*map(queue_subject, machine.paused), *map(node_subject, machine.cordoned)]
        self._pulled = dict(await self._ledger.read(lambda store: tuple(_last_pulls(store, subjects))))

    def of(self, subject: str) -> Pulled | None:
        """Return who pulled a lever last; None where the audit does not say."""
        return self._pulled.get(subject)

    def pause_over(self, team: TeamId) -> str:
        """Say why nothing of a team starts; empty where no pause is over it."""
        machine = self._ledger.machine
        for each in (None, *machine.tree.path(team)):
            if each in machine.paused:
                note = self.of(queue_subject(each))
                name = "The whole queue" if each is None else f"The queue of team {each}"
                reason = " by an admin" if note is None else f": {note.why.rstrip('.')}"
                return f"{name} is paused{reason}."
        return ""

    async def pull(self, who: Identity, event: Event, pull: Pull, reason: str) -> None:
        """Pull a lever and note it; durable when this returns."""
        data = {**pull.data, "is_by_admin": who.is_admin}
        note = Note(pull.lever, pull.subject, data)
        if pull.lever in HELD_BY:  # before the commit, so that a page that hears of it finds the reason
            noted = Pulled(pull.lever, who.signature, event.at, reason, who.is_admin)
            self._pulled[pull.subject] = noted
        try:
            await self._ledger.apply(Change(event, who=who.signature, why=reason, note=note))
        finally:
            await self._read(pull.subject)

    async def _read(self, subject: str) -> None:
        """Bring one note to what the audit says."""
        found = await self._ledger.read(lambda store: tuple(_last_pulls(store, [subject])))
        self._pulled.pop(subject, None)
        self._pulled.update(found)


def _last_pulls(store: Store, subjects: Iterable[str]) -> Iterator[tuple[str, Pulled]]:
    levers = frozenset(Lever)
    for subject in subjects:
        rows = (row for row in store.audit(subject, limit=LOOK_BACK) if row.what in levers)
        if (last := next(rows, None)) is not None and last.what in HELD_BY:
            yield subject, _pulled(last)


def _pulled(row: AuditRow) -> Pulled:
    return Pulled(Lever(row.what), row.who, row.at, row.why, bool(row.data.get("is_by_admin")))
