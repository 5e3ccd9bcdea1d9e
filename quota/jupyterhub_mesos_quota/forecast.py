"""When each of those that wait may start, kept from the moves of requests as they happen.

It learns from the actions of the machine, after they are durable: what became
active had waited since it was queued; what was withdrawn had waited in vain; what
lost its allocation waits anew. Like each other are those that ask for the same
accelerators while about as many wait, of one team where it knows enough of them.
It decides nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, NamedTuple

from jupyterhub_mesos_quota.events import Action, RequestMoved
from jupyterhub_mesos_quota.expectation import Curve, Expectation, Waited
from jupyterhub_mesos_quota.model import Request, RequestId, RequestStatus, TeamId
from jupyterhub_mesos_quota.resources import Flavor

MOST_KEPT: Final = 1_000
"""Waits kept per kind: the newest, since a cluster changes."""
REFRESH_SECONDS: Final = 2.0
"""How old a curve may be: a page of a long queue asks for each of its lines."""

NO_MATTER_OF_ROOM: Final = frozenset(
    {
        "no-nodes",
        "no-node-that-large",
        "no-node-with-labels",
        "no-zone-that-large",
        "cluster-too-small",
        "paused",
        "user-cap",
        "over-budget",
    }
)
"""Why a request waits (codes of `explain`) when how long others waited for room says nothing of it."""

Accelerators = tuple[tuple[Flavor, int], ...]


class Kind(NamedTuple):
    """Whose waits are looked at together; None is all of them."""

    team: TeamId | None
    accelerators: Accelerators  # of all replicas together
    crowd: int | None  # how many waited when it began to, in doublings


@dataclass(frozen=True, slots=True)
class PastWait:
    """One wait that is over; times in Unix seconds."""

    team: TeamId
    accelerators: Accelerators
    since: float
    until: float
    has_started: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    kind: Kind  # with a team and a crowd
    since: float


class Forecast:
    """What was waited, and who waits since when."""

    def __init__(self) -> None:
        self._past: dict[Kind, deque[Waited]] = {}
        self._waiting: dict[RequestId, _Waiting] = {}
        self._since: dict[Kind, dict[RequestId, float]] = {}
        self._curves: dict[Kind, tuple[float, Curve]] = {}

    # ---- learning -------------------------------------------------------------------------------

    def recall(self, past: Iterable[PastWait]) -> None:
        """Learn from waits that are over."""
        ends: list[float] = []  # of those that waited at the time looked at
        learnt: list[tuple[float, Kind, Waited]] = []
        for wait in sorted(past, key=lambda each: each.since):
            while ends and ends[0] <= wait.since:
                heappop(ends)
            kind = Kind(wait.team, wait.accelerators, len(ends).bit_length())
            heappush(ends, wait.until)
            learnt.append((wait.until, kind, (max(0.0, wait.until - wait.since), wait.has_started)))
        for _, kind, waited in sorted(learnt, key=lambda each: each[0]):
            self._learn(kind, waited)

    def begin(self, request: Request, since: float) -> None:
        """Say that a request waits, since when."""
        self._end(request.id)
        kind = Kind(request.team, request.total.accelerators, len(self._waiting).bit_length())
        self._waiting[request.id] = _Waiting(kind, since)
        for each in _looked_at(kind):
            self._since.setdefault(each, {})[request.id] = since

    def follow(self, actions: Iterable[Action], requests: Mapping[RequestId, Request]) -> None:
        """Learn from what the machine did; `requests` are those that it still knows."""
        for action in actions:
            if not isinstance(action, RequestMoved):
                continue
            if action.after is RequestStatus.QUEUED:
                request = requests.get(action.request_id)
                if request is not None:  # else it came and went at once
                    self.begin(request, action.at)
                continue
            ended = self._end(action.request_id)
            if ended is not None:
                has_started = action.after is not RequestStatus.WITHDRAWN
                self._learn(ended.kind, (max(0.0, action.at - ended.since), has_started))

    def _end(self, id_: RequestId) -> _Waiting | None:
        known = self._waiting.pop(id_, None)
        for kind in () if known is None else _looked_at(known.kind):
            del self._since[kind][id_]
            if not self._since[kind]:
                del self._since[kind]
        return known

    def _learn(self, kind: Kind, waited: Waited) -> None:
        for each in _looked_at(kind):
            self._past.setdefault(each, deque(maxlen=MOST_KEPT)).append(waited)

    # ---- telling --------------------------------------------------------------------------------

    def expect(self, request_id: RequestId, now: float) -> Expectation | None:
        """Say when a request may start that waits, or None: not enough history yet."""
        known = self._waiting.get(request_id)
        return None if known is None else self._expect(known.kind, max(0.0, now - known.since), now)

    def expect_next(self, team: TeamId, accelerators: Accelerators, now: float) -> Expectation | None:
        """Say when one may start that begins to wait now, or None: not enough history yet."""
        return self._expect(Kind(team, accelerators, len(self._waiting).bit_length()), 0.0, now)

    def _expect(self, kind: Kind, waited: float, now: float) -> Expectation | None:
        for each in _looked_at(kind):
            found = self._curve(each, now).expect(waited)
            if found is not None:
                return found
        return None

    def _curve(self, kind: Kind, now: float) -> Curve:
        kept = self._curves.get(kind)
        if kept is not None and abs(now - kept[0]) < REFRESH_SECONDS:
            return kept[1]
        still = [(max(0.0, now - since), False) for since in self._since.get(kind, {}).values()]
        curve = Curve.of([*self._past.get(kind, ()), *still])
        self._curves[kind] = now, curve
        return curve


def _looked_at(kind: Kind) -> tuple[Kind, ...]:
    """Return whom one is like, the most alike first."""
    return (
        kind,
        kind._replace(team=None),
        kind._replace(crowd=None),
        kind._replace(team=None, crowd=None),
    )
