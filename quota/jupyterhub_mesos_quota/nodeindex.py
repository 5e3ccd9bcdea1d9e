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
Floor = tuple[int, ...]
"""The steps down to the least CPU that will do, from here on; none where any will."""


class _Branch:
    """One step of the tree: below each digit either another branch or a leaf, and the most memory there.

    The bits of `taken` say below which digits something stands: most of the tree is empty.
    """

    __slots__ = ("below", "most", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.most = [_EMPTY] * FAN
        self.below: list[_Branch | Leaf | None] = [None] * FAN

    def raise_to(self, digit: int, mem: int) -> None:
        """Say that something with so much memory stands below a digit."""
        if self.most[digit] < mem:
            self.most[digit] = mem
            self.taken |= 1 << digit


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
        self._tally.entries += STEPS
        branch = self._root
        *inner, last = _digits(cpu)
        for digit in inner:
            branch.raise_to(digit, mem)
            below = branch.below[digit]
            if not isinstance(below, _Branch):
                below = branch.below[digit] = _Branch()
            branch = below
        branch.raise_to(last, mem)
        leaf = branch.below[last]
        if not isinstance(leaf, list):
            leaf = branch.below[last] = []
        insort(leaf, (mem, node))

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
            most = max(below.most) if isinstance(below, _Branch) else below[-1][0] if below else _EMPTY
            if most == above.most[digit]:
                return  # and so all the way up
            above.most[digit] = most
            if most == _EMPTY:
                above.below[digit] = None
                above.taken ^= 1 << digit

    def at_least(self, cpu: int, mem: int) -> Iterator[NodeId]:
        """Yield the nodes with so much free: the least CPU first, then the least memory, then by name."""
        mem = max(0, mem)
        above: list[tuple[_Branch, int, Floor]] = []  # where the search goes on, the lowest last
        branch = self._root
        floor: Floor = _digits(cpu)
        left = self._from(branch, floor)
        while left or above:  # one loop, not a generator per step: it costs half
            if not left:
                branch, left, floor = above.pop()
                continue
            lowest = left & -left
            left ^= lowest
            digit = lowest.bit_length() - 1
            if branch.most[digit] < mem:
                continue
            below = branch.below[digit]
            if isinstance(below, _Branch):
                above.append((branch, left, floor))
                branch, floor = below, floor[1:] if floor and digit == floor[0] else ()
                left = self._from(branch, floor)
            elif below is not None:
                for place in range(bisect_left(below, (mem, NodeId(""))), len(below)):
                    self._tally.entries += 1
                    yield below[place][1]

    def _from(self, branch: _Branch, floor: Floor) -> int:
        """Return the bits of the digits to look below."""
        self._tally.entries += 1
        return branch.taken >> floor[0] << floor[0] if floor else branch.taken

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
