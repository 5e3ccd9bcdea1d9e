"""The sizes that are asked for: what one replica takes, and how many, laid out for quick arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, frexp
from typing import Final

from jupyterhub_mesos_quota.resources import AmountName, Resources
from jupyterhub_mesos_quota.rules import PlacementRule, tidy_rule

Pairs = tuple[tuple[AmountName, int], ...]
"""Amounts by name, none of them zero."""

LIMIT_BITS: Final = 5
"""Bits of a time limit that tell its class: sixteen classes per doubling, six percent apart at most."""
KEPT_SIZES: Final = 4096
"""Sizes laid out at a time; a cluster's profiles are some dozens, and another is laid out in microseconds."""


@dataclass(frozen=True, slots=True)
class Size:
    """What makes two requests equal to every rule about room."""

    resources: Resources
    replicas: int
    each: Pairs  # of one replica
    total: Pairs  # of all replicas together
    rule: PlacementRule | None = None  # where they may stand
    limit: float | None = None  # how long it may run, in seconds; only where something is booked

    @property
    def whole(self) -> Resources:
        """What all replicas hold together."""
        return whole_of(self.resources, self.replicas)

    @property
    def names(self) -> frozenset[AmountName]:
        """Which amounts are asked for."""
        return frozenset(name for name, _ in self.each)


@lru_cache(maxsize=KEPT_SIZES)
def size_of(
    resources: Resources,
    replicas: int = 1,
    rule: PlacementRule | None = None,
    limit: float | None = None,
) -> Size:
    """Lay a size out."""
    each = resources.amounts()
    total = tuple((name, amount * replicas) for name, amount in each)
    return Size(resources, replicas, each, total, tidy_rule(rule, replicas), limit)


@lru_cache(maxsize=KEPT_SIZES)
def whole_of(resources: Resources, replicas: int) -> Resources:
    """Return what so many replicas hold together."""
    return resources * replicas


def stepped_limit(max_seconds: float) -> float:
    """Return the class of a time limit: the next of sixteen per doubling, so that there are not too many."""
    if max_seconds <= 0:
        return max_seconds
    step = 2.0 ** (frexp(max_seconds)[1] - LIMIT_BITS)
    return ceil(max_seconds / step) * step
