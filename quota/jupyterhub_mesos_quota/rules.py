"""Where a request wants its replicas: on nodes with which labels, and how they stand over the zones.

A *zone* is a fault domain: what fails together (a rack, a room, a region). Nodes
that name no zone make one zone together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jupyterhub_mesos_quota.errors import RefusedRequest

Cost = tuple[int | float, ...]
"""What it costs to take a zone; the smaller the better."""


class Zones(StrEnum):
    """How the replicas of a request stand over the zones."""

    ANY = "any"  # wherever there is room
    ONE = "one"  # all of them in one zone, whichever
    SPREAD = "spread"  # over all zones that could hold one, in numbers that differ by one at most


@dataclass(frozen=True, slots=True)
class PlacementRule:
    """What nodes must have, and how zones are used; `labels` are sorted, build it with `of`.

    `prefer_zone` is a wish: it is taken where it has room for all replicas.
    """

    labels: tuple[tuple[str, str], ...] = ()
    zones: Zones = Zones.ANY
    prefer_zone: str = ""

    @classmethod
    def of(
        cls, labels: Mapping[str, str] | None = None, zones: Zones = Zones.ANY, prefer_zone: str = ""
    ) -> PlacementRule:
        """Build a rule from labels in any order."""
        return cls(tuple(sorted((labels or {}).items())), zones, prefer_zone)

    def matches(self, labels: tuple[tuple[str, str], ...]) -> bool:
        """Say whether a node with `labels` has all that are asked for."""
        return set(self.labels) <= set(labels)


def tidy_rule(rule: PlacementRule | None, replicas: int) -> PlacementRule | None:
    """Return the rule as it binds so many replicas; None where it binds nothing. One stands in one zone."""
    if rule is None:
        return None
    zones = Zones.ANY if replicas == 1 else rule.zones
    tidy = PlacementRule(tuple(sorted(set(rule.labels))), zones, rule.prefer_zone)
    return None if tidy == PlacementRule() else tidy


def check_rule(rule: PlacementRule | None) -> None:
    """Refuse a rule that no node could ever fulfil. Raises `RefusedRequest`."""
    wanted: dict[str, str] = {}
    for key, value in () if rule is None else rule.labels:
        if wanted.setdefault(key, value) != value:
            raise RefusedRequest(
                f"Nodes asked for with label {key} = {wanted[key]} and {key} = {value}; "
                f"a node has one value of it: name {key} once."
            )


def share_out(
    rule: PlacementRule, replicas: int, zones: Sequence[str], cost: Callable[[str, int], Cost | None]
) -> list[tuple[str, int]] | None:
    """Return how many replicas go to which zone, or None where the rule cannot be kept.

    `cost` says what so many in a zone cost, None where they cannot stand there.
    """
    if rule.zones is Zones.SPREAD:
        return _spread(replicas, zones, cost)
    costs = [(found, zone) for zone in zones if (found := cost(zone, replicas)) is not None]
    return [(min(costs)[1], replicas)] if costs else None


def _spread(
    replicas: int, zones: Sequence[str], cost: Callable[[str, int], Cost | None]
) -> list[tuple[str, int]] | None:
    """Give every zone the same, and the rest to those where one more costs least."""
    if not zones:
        return None
    fewer, rest = divmod(replicas, len(zones))
    able = [(found, zone) for zone in zones if rest and (found := cost(zone, fewer + 1)) is not None]
    larger = [zone for _, zone in sorted(able)[:rest]]
    smaller = [zone for zone in zones if zone not in larger] if fewer else []
    if len(larger) < rest or any(cost(zone, fewer) is None for zone in smaller):
        return None
    return [*((zone, fewer + 1) for zone in larger), *((zone, fewer) for zone in smaller)]


def most_by_rule(rule: PlacementRule, copies: Sequence[int]) -> int:
    """Return how many replicas the zones hold under the rule that have room for `copies` each."""
    if not copies:
        return 0
    match rule.zones:
        case Zones.ANY:
            return sum(copies)
        case Zones.ONE:
            return max(copies)
        case Zones.SPREAD:
            least = min(copies)
            return least * len(copies) + sum(each > least for each in copies)
