"""What the decision core refuses, with facts as attributes.

```
QuotaError                    every refusal of the core
 ├─ TreeError                 a team tree that does not hold
 ├─ RefusedRequest            a request that can never be granted as asked
 │   ├─ UnknownTeam
 │   └─ OverLimit
 ├─ RefusedReservation        a booking that makes no sense as asked
 │   └─ Overbooked            what others are promised, or a limit, leaves no room for it
 ├─ UnknownReservation        an event names a reservation that is not there
 ├─ RefusedRename             a user's new name is another's already
 ├─ UnknownRequest            an event names a request that is not there
 ├─ UnknownAllocation         an event names an allocation that is not there
 └─ IllegalMove               an event that the table of legal moves forbids: a bug of the caller

InvariantBroken               what must always be true is not: a bug of the core, never of a caller
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jupyterhub_mesos_quota.resources import AmountName, describe_amount


class QuotaError(Exception):
    """A refusal of the decision core; `code` is for machines, the text is for people."""

    code: ClassVar[str] = "quota-error"


class TreeError(QuotaError):
    """A team tree that does not hold together; `team` is where it breaks, `field` is what breaks it."""

    code = "teams-invalid"

    def __init__(self, message: str, *, team: str, field: str) -> None:
        super().__init__(message)
        self.team = team
        self.field = field


class RefusedRequest(QuotaError):
    """A request that can never be granted as asked."""

    code = "request-refused"


class UnknownTeam(RefusedRequest):
    """The request names a team that is not in the tree."""

    code = "unknown-team"

    def __init__(self, team: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no team {team!r}. The teams are {', '.join(sorted(known)) or 'none yet'}: "
            "name one of them, or ask an admin to add it."
        )
        self.team = team


class OverLimit(RefusedRequest):
    """The request asks for more than its team, or a team above it, may ever hold."""

    code = "over-limit"

    def __init__(self, team: str, limiting_team: str, name: AmountName, asked: int, limit: int) -> None:
        asked_text, limit_text = describe_amount(name, asked), describe_amount(name, limit)
        super().__init__(
            f"{asked_text} asked for by team {team}; team {limiting_team} may hold {limit_text} at most: "
            f"ask for {limit_text} or less, or ask an admin to raise the limit of {limiting_team}."
        )
        self.team = team
        self.limiting_team = limiting_team
        self.name = name
        self.asked = asked
        self.limit = limit


class RefusedReservation(QuotaError):
    """A booking that makes no sense as asked."""

    code = "reservation-refused"


@dataclass(frozen=True, slots=True)
class Clash:
    """What a booking runs into: at which moment, over which amount, and what stands there."""

    at: float
    name: AmountName
    asked: int
    possible: int
    team: str | None = None  # whose limit it is; None for what the nodes can hold
    reservations: tuple[str, ...] = ()  # the ids of those that hold the rest at that moment


class Overbooked(RefusedReservation):
    """A booking for which others' guarantees and reservations, or a limit, leave no room."""

    code = "overbooked"

    def __init__(self, message: str, clash: Clash) -> None:
        super().__init__(message)
        self.clash = clash


class UnknownReservation(QuotaError):
    """An event names a reservation that the machine does not know."""

    code = "unknown-reservation"


class RefusedRename(QuotaError):
    """A user cannot get a name under which somebody has something already."""

    code = "rename-refused"


class UnknownRequest(QuotaError):
    """An event names a request that the machine does not know."""

    code = "unknown-request"


class UnknownAllocation(QuotaError):
    """An event names an allocation that the machine does not know."""

    code = "unknown-allocation"


class IllegalMove(QuotaError):
    """A move that the table forbids; `story` is everything that happened to the object, oldest first."""

    code = "illegal-move"

    def __init__(self, subject: str, before: str, after: str, story: Sequence[str]) -> None:
        super().__init__(f"{subject} may not move {before} -> {after}; its story: " + "; ".join(story))
        self.subject = subject
        self.before = before
        self.after = after
        self.story = tuple(story)


class InvariantBroken(AssertionError):
    """The machine's state contradicts itself; the text says where."""
