"""Nodes by what they have free, so that the tightest that fits is found without looking at each.

Nodes with the same free accelerators share a *shelf*. On a shelf they stand by
free CPU, in a radix tree whose every branch knows the most memory under it: the
first with enough CPU that has enough memory too is found in a few steps down,
whatever the number of nodes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

from jupyterhub_mesos_quota.model import NodeId
from jupyterhub_mesos_quota.sizes import Pairs
from jupyterhub_mesos_quota.tally import Tally

FAN: Final = 32
"""Branches per step: five steps tell apart 33,554 cores by the thousandth."""
STEPS: Final = 5
MOST_CPU: Final = FAN**STEPS - 1
_EMPTY: Final = -1

Leaf = list[tuple[int, NodeId]]
"""Free memory and node, sorted: the nodes with one and the same free CPU."""


class _Branch:
    """One step of the tree: below each digit either another branch or a leaf, and the most memory there.

    The bits of `taken` say below which digits something stands: most of the tree is empty.
    """

    __slots__ = ("below", "most", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.most = [_EMPTY] * FAN
        self.below: list[_Branch | Leaf | None] = [None] * FAN


class Shelf:
    """Nodes with the same free accelerators, by free CPU and memory."""

    def __init__(self, accelerators: Pairs, tally: Tally) -> None:
        self.accelerators = accelerators
        self.amount_of = dict(accelerators)
        self._root = _Branch()
        self._count = 0
        self._tally = tally

    def __len__(self) -> int:
        return self._count

    def add(self, cpu: int, mem: int, node: NodeId) -> None:
        """Put a node on the shelf."""
        self._count += 1
        branch, trail = self._root, list[tuple[_Branch, int]]()
        *inner, last = _digits(cpu)
        for digit in inner:
            trail.append((branch, digit))
            below = branch.below[digit]
            if not isinstance(below, _Branch):
                below = branch.below[digit] = _Branch()
            branch = below
        leaf = branch.below[last]
        if not isinstance(leaf, list):
            leaf = branch.below[last] = []
        insort(leaf, (mem, node))
        trail.append((branch, last))
        self._tally.entries += STEPS
        for above, digit in trail:
            above.most[digit] = max(above.most[digit], mem)
            above.taken |= 1 << digit

    def remove(self, cpu: int, mem: int, node: NodeId) -> None:
        """Take a node off the shelf."""
        self._count -= 1
        branch, trail = self._root, list[tuple[_Branch, int]]()
        for digit in _digits(cpu):
            trail.append((branch, digit))
            below = branch.below[digit]
            if isinstance(below, _Branch):
                branch = below
            elif below is not None:
                del below[bisect_left(below, (mem, node))]
        self._tally.entries += STEPS
        for above, digit in reversed(trail):
            below = above.below[digit]
            if isinstance(below, _Branch):
                above.most[digit] = max(below.most)
            else:
                above.most[digit] = below[-1][0] if below else _EMPTY
            if above.most[digit] == _EMPTY:
                above.below[digit] = None
                above.taken ^= 1 << digit

    def at_least(self, cpu: int, mem: int) -> Iterator[NodeId]:
        """Yield the nodes with so much free: the least CPU first, then the least memory, then by name."""
        yield from self._under(self._root, _digits(cpu), 0, max(0, mem))

    def _under(self, branch: _Branch, floor: tuple[int, ...], step: int, mem: int) -> Iterator[NodeId]:
        first = floor[step] if floor else 0
        self._tally.entries += 1
        left = branch.taken >> first << first
        while left:
            lowest = left & -left
            left ^= lowest
            digit = lowest.bit_length() - 1
            if branch.most[digit] < mem:
                continue
            below = branch.below[digit]
            if isinstance(below, _Branch):
                yield from self._under(below, floor if digit == first else (), step + 1, mem)
            elif below is not None:
                for place in range(bisect_left(below, (mem, NodeId(""))), len(below)):
                    self._tally.entries += 1
                    yield below[place][1]

    def largest(self) -> Iterator[NodeId]:
        """Yield all nodes: the most CPU first, then the most memory."""
        yield from self._downwards(self._root)

    def _downwards(self, branch: _Branch) -> Iterator[NodeId]:
        left = branch.taken
        while left:
            digit = left.bit_length() - 1
            left ^= 1 << digit
            below = branch.below[digit]
            if isinstance(below, _Branch):
                yield from self._downwards(below)
            elif below is not None:
                for _, node in reversed(below):
                    self._tally.entries += 1
                    yield node


def _digits(cpu: int) -> tuple[int, int, int, int, int]:
    """Return the steps down to an amount of CPU; more than the tree tells apart stands at its end."""
    cpu = min(cpu, MOST_CPU)
    return cpu >> 20, cpu >> 15 & 31, cpu >> 10 & 31, cpu >> 5 & 31, cpu & 31
