"""Guarantees from what each team owns: a pool split in proportion."""

from __future__ import annotations

from collections.abc import Mapping

from jupyterhub_mesos.errors import InvalidInput


def split(pool: int, owned: Mapping[str, int], at_least: Mapping[str, int]) -> dict[str, int]:
    """Split a pool in proportion to what teams own, each at least its `at_least`; the parts sum to the pool.

    Who would get less than its least gets that, and the others share the rest in proportion. Parts are
    rounded down; what that leaves goes one by one to those that own the most. Raises `InvalidInput` where the
    least of all is more than the pool.
    """
    least = sum(at_least.get(team, 0) for team in owned)
    if least > pool:
        raise InvalidInput(
            f"{pool} are to be split, and the largest jobs of the teams need {least} together: "
            "take a larger pool, or leave the largest jobs out"
        )
    fixed: dict[str, int] = {}
    while True:
        free = {team: size for team, size in owned.items() if team not in fixed}
        left, whole = pool - sum(fixed.values()), sum(free.values())
        short = {team: at_least[team] for team in free if at_least.get(team, 0) * whole > left * free[team]}
        if not short:
            return fixed | _in_proportion(left, free)
        fixed |= short


def _in_proportion(pool: int, owned: Mapping[str, int]) -> dict[str, int]:
    whole = sum(owned.values()) or 1
    parts = {team: pool * size // whole for team, size in owned.items()}
    largest = sorted(owned, key=lambda team: -owned[team])  # of equals the first named
    for team in largest[: pool - sum(parts.values())]:
        parts[team] += 1
    return parts
