"""Amounts of CPU, memory and accelerators, as whole numbers.

`cpu_millis` are thousandths of a core, `mem_mib` are MiB, accelerators are
counted per flavor (`h200`, `a100-1g.10gb`). Every amount has a *name*:
`cpu_millis`, `mem_mib`, or the flavor itself with the prefix `accelerator/`,
so that the arithmetic of guarantee, limit and share is one loop over names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NewType

Flavor = NewType("Flavor", str)
"""A named kind of accelerator."""
AmountName = NewType("AmountName", str)
"""`cpu_millis`, `mem_mib` or `accelerator/<flavor>`."""

CPU_MILLIS: Final = AmountName("cpu_millis")
MEM_MIB: Final = AmountName("mem_mib")
ACCELERATOR_PREFIX: Final = "accelerator/"
ACCELERATORS: Final = AmountName("accelerators")
"""All accelerators together, whatever their flavor; only caps per user know it."""
SESSIONS: Final = AmountName("sessions")
"""Notebooks, by their number; only caps per user know it."""


class Unlimited(Enum):
    """The explicit word for "no bound": never -1, never 0-means-anything."""

    UNLIMITED = "unlimited"

    def __repr__(self) -> str:
        return "UNLIMITED"


UNLIMITED: Final = Unlimited.UNLIMITED
Bound = int | Unlimited
"""A whole number of an amount, or `UNLIMITED`."""


def accelerator(flavor: Flavor) -> AmountName:
    """Name the amount of accelerators of `flavor`."""
    return AmountName(ACCELERATOR_PREFIX + flavor)


def _tidy(accelerators: Mapping[Flavor, int]) -> tuple[tuple[Flavor, int], ...]:
    return tuple(sorted((flavor, count) for flavor, count in accelerators.items() if count))


@dataclass(frozen=True, slots=True)
class Resources:
    """How much is asked for, given, used or free; every amount is a whole number.

    A difference may be negative: `free = capacity - used` says so when a node shrank.
    `accelerators` is sorted by flavor and holds no zero; build it with `Resources.of`.
    """

    cpu_millis: int = 0
    mem_mib: int = 0
    accelerators: tuple[tuple[Flavor, int], ...] = ()
    _pairs: tuple[tuple[AmountName, int], ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def of(
        cls, cpu_millis: int = 0, mem_mib: int = 0, accelerators: Mapping[Flavor, int] | None = None
    ) -> Resources:
        """Build resources from a mapping of flavor to count, in any order."""
        return cls(cpu_millis, mem_mib, _tidy(accelerators or {}))

    @classmethod
    def from_amounts(cls, amounts: Mapping[AmountName, int]) -> Resources:
        """Build resources from amounts by name; the reverse of `amounts`."""
        return cls(
            amounts.get(CPU_MILLIS, 0),
            amounts.get(MEM_MIB, 0),
            _tidy(
                {
                    Flavor(name.removeprefix(ACCELERATOR_PREFIX)): amount
                    for name, amount in amounts.items()
                    if name.startswith(ACCELERATOR_PREFIX)
                }
            ),
        )

    def amounts(self) -> tuple[tuple[AmountName, int], ...]:
        """Return every amount that is not zero, by name."""
        pairs = self._pairs
        if pairs is None:
            pairs = tuple(self._name_amounts())
            object.__setattr__(self, "_pairs", pairs)  # worked out once; it is no part of the value
        return pairs

    def _name_amounts(self) -> Iterator[tuple[AmountName, int]]:
        if self.cpu_millis:
            yield CPU_MILLIS, self.cpu_millis
        if self.mem_mib:
            yield MEM_MIB, self.mem_mib
        for flavor, count in self.accelerators:
            yield accelerator(flavor), count

    def get(self, name: AmountName) -> int:
        """Return the amount called `name`, 0 where it is not held."""
        return next((amount for each, amount in self.amounts() if each == name), 0)

    def __add__(self, other: Resources) -> Resources:
        return self._combined(other, +1)

    def __sub__(self, other: Resources) -> Resources:
        return self._combined(other, -1)

    def __mul__(self, factor: int) -> Resources:
        if factor == 1:  # most requests have one replica
            return self
        return Resources(
            self.cpu_millis * factor,
            self.mem_mib * factor,
            _tidy({flavor: count * factor for flavor, count in self.accelerators}),
        )

    def _combined(self, other: Resources, sign: int) -> Resources:
        cpu_millis = self.cpu_millis + sign * other.cpu_millis
        mem_mib = self.mem_mib + sign * other.mem_mib
        if not self.accelerators and not other.accelerators:
            return Resources(cpu_millis, mem_mib)
        counts = dict(self.accelerators)
        for flavor, count in other.accelerators:
            counts[flavor] = counts.get(flavor, 0) + sign * count
        return Resources(cpu_millis, mem_mib, _tidy(counts))

    def fits_in(self, room: Resources) -> bool:
        """Say whether every amount is at most that of `room`."""
        return all(amount <= room.get(name) for name, amount in self.amounts())

    @property
    def is_zero(self) -> bool:
        """Whether nothing at all is held."""
        return not (self.cpu_millis or self.mem_mib or self.accelerators)

    def __str__(self) -> str:
        return describe(dict(self.amounts()))


NOTHING: Final = Resources()


@dataclass(frozen=True, slots=True)
class Bounds:
    """An upper bound per amount; an amount that is not named is unlimited."""

    by_name: tuple[tuple[AmountName, Bound], ...] = ()

    @classmethod
    def of(cls, bounds: Mapping[AmountName, Bound]) -> Bounds:
        """Build bounds from a mapping, in any order."""
        return cls(tuple(sorted((name, bound) for name, bound in bounds.items() if bound is not UNLIMITED)))

    def get(self, name: AmountName) -> Bound:
        """Return the bound of the amount called `name`."""
        return dict(self.by_name).get(name, UNLIMITED)

    def exceeded_by(self, resources: Resources) -> Iterator[tuple[AmountName, int, int]]:
        """Yield `(name, asked, bound)` for every amount of `resources` above its bound."""
        bounds = dict(self.by_name)
        for name, amount in resources.amounts():
            bound = bounds.get(name, UNLIMITED)
            if not isinstance(bound, Unlimited) and amount > bound:
                yield name, amount, bound


def describe(amounts: Mapping[AmountName, int]) -> str:
    """Say amounts in a person's words, e.g. `2 CPU, 1.5 GiB, 1 h200`."""
    return ", ".join(describe_amount(name, amount) for name, amount in amounts.items()) or "nothing"


def describe_amount(name: AmountName, amount: int) -> str:
    """Say one amount in a person's words, e.g. `0.5 CPU`."""
    if name == CPU_MILLIS:
        return f"{amount / 1000:g} CPU"
    if name == MEM_MIB:
        return f"{amount / 1024:g} GiB" if abs(amount) >= 1024 else f"{amount} MiB"
    if name in {ACCELERATORS, SESSIONS}:
        return f"{amount} {name if amount != 1 else name.removesuffix('s')}"
    return f"{amount} {name.removeprefix(ACCELERATOR_PREFIX)}"
