"""A gang on as few nodes as possible.

The nodes with room for the most replicas first, one after the other; for what is
left at the end the tightest node that holds all of it. Of nodes that hold as
many, the tightest. (The largest first uses the fewest, as no node holds more
than it has room for.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jupyterhub_mesos_quota.model import NodeId
from jupyterhub_mesos_quota.sizes import Pairs

Spots = list[tuple[NodeId, int]]
"""Nodes, and how many replicas go to each."""


class Packing:
    """One search: `tightest` yields nodes for amounts, `copies` says how many replicas one may hold."""

    def __init__(
        self,
        tightest: Callable[[Pairs], Iterator[NodeId]],
        copies: Callable[[NodeId], int],
        each: Pairs,
    ) -> None:
        self._tightest = tightest
        self._copies = copies
        self._each = each
        self._taken: dict[NodeId, None] = {}

    def spots(self, replicas: int) -> Spots:
        """Return where the replicas go; there must be room for all of them."""
        found: Spots = []
        missing = most = replicas
        while missing:
            most = self._most_at_once(min(most, missing))
            for node in self._with_room(most):
                found.append((node, most))
                self._taken[node] = None
                missing -= most
                if missing < most:
                    break
        return found

    def _most_at_once(self, limit: int) -> int:
        """Return how many one node holds at most of those that are left, by halving the range."""
        if self._holds(limit):
            return limit
        fits, too_many = 1, limit
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            fits, too_many = (middle, too_many) if self._holds(middle) else (fits, middle)
        return fits

    def _holds(self, count: int) -> bool:
        return next(self._with_room(count), None) is not None

    def _with_room(self, count: int) -> Iterator[NodeId]:
        pairs = tuple((name, amount * count) for name, amount in self._each)
        for node in self._tightest(pairs):
            if node not in self._taken and self._copies(node) >= count:
                yield node
