"""Who is next: the waiting requests, and the key that orders them.

Requests inside their team's guarantee come first, by priority, then rank.
Then come those inside a guarantee above their team's, then borrowers: each by
the weighted dominant share that their teams hold above their guarantees (the
lowest first), then priority, then rank. A larger priority goes first; a
smaller rank is older.

Requests of one team that ask for the same wait in one *group*: what the first
cannot get, none of the others can, so that a decision looks at groups' heads.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from jupyterhub_mesos_quota.model import Request, RequestId, TeamId
from jupyterhub_mesos_quota.resources import AmountName, Resources
from jupyterhub_mesos_quota.usage import Standing, Usage


class Shape(NamedTuple):
    """What makes two waiting requests equal to every rule but the order."""

    team: TeamId
    resources: Resources
    replicas: int

    @property
    def total(self) -> Resources:
        """What all replicas hold together."""
        return self.resources * self.replicas


class Place(NamedTuple):
    """The place of a request within its group; ids break a tie that only damaged rows have."""

    minus_priority: int
    rank: int
    id: RequestId


OrderKey = tuple[Standing, tuple[Fraction, ...], Place]
"""Smaller is sooner."""


def shape_of(request: Request) -> Shape:
    """Return the group that `request` waits in."""
    return Shape(request.team, request.resources, request.replicas)


def place_of(request: Request) -> Place:
    """Return the place of `request` within its group."""
    return Place(-request.priority, request.rank, request.id)


def order_key(shape: Shape, place: Place, usage: Usage, capacity: Mapping[AmountName, int]) -> OrderKey:
    """Return the key that orders all that waits, as things stand now."""
    standing = usage.standing(shape.team, shape.total)
    shares = () if standing is Standing.INSIDE else usage.shares(shape.team, capacity)
    return standing, shares, place


class WaitingLine:
    """Everything that waits, in groups; each group sorted by priority and rank."""

    def __init__(self) -> None:
        self._groups: dict[Shape, list[Place]] = {}
        self._length = 0
        self.version = 0  # grows when a group comes or goes

    def __len__(self) -> int:
        return self._length

    def add(self, request: Request) -> None:
        """Let `request` wait, at its own place."""
        shape = shape_of(request)
        if shape not in self._groups:
            self._groups[shape] = []
            self.version += 1
        insort(self._groups[shape], place_of(request))
        self._length += 1

    def remove(self, request: Request) -> None:
        """Take `request` out of the line."""
        shape, place = shape_of(request), place_of(request)
        group = self._groups[shape]
        del group[bisect_left(group, place)]
        self._length -= 1
        if not group:
            del self._groups[shape]
            self.version += 1

    def head(self, shape: Shape) -> Place | None:
        """Return the first of a group, or None where nobody waits."""
        group = self._groups.get(shape)
        return group[0] if group else None

    def groups(self) -> Iterator[tuple[Shape, list[Place]]]:
        """Yield each group that somebody waits in."""
        yield from self._groups.items()

    def ordered(self, usage: Usage, capacity: Mapping[AmountName, int]) -> list[RequestId]:
        """Return everything that waits, the next first, as shares stand now."""
        keys = [
            order_key(shape, place, usage, capacity) for shape, places in self.groups() for place in places
        ]
        return [place.id for _, _, place in sorted(keys)]
