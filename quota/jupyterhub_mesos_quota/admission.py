"""Whether a request may start now, and if not, what stands in its way.

1. On whose promise would it stand (its own guarantee, its family's, none)?
2. Do the rules of the tree allow it (limits; for a borrower the caps)?
3. Does it take what a waiting request on a better promise needs? It competes
   where both ask for the same amount and either stand under one limit without
   room for both, or use a node that could hold the other.
4. Is there room for all of its replicas on the nodes?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jupyterhub_mesos_quota.model import Node, Placement
from jupyterhub_mesos_quota.order import Shape, WaitingLine
from jupyterhub_mesos_quota.placement import NodePool
from jupyterhub_mesos_quota.resources import AmountName, Resources
from jupyterhub_mesos_quota.tree import TeamTree
from jupyterhub_mesos_quota.usage import Hindrance, Standing, Usage, exceeds


@dataclass(frozen=True, slots=True)
class Claimant:
    """A waiting group that stands on a promise and could be served on these nodes."""

    standing: Standing
    shape: Shape


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a question: `placements` where it may start, else what stands in its way."""

    standing: Standing
    hindrance: Hindrance | None = None
    rivals: tuple[Claimant, ...] = ()  # those it must not pass
    placements: tuple[Placement, ...] | None = None


@dataclass(slots=True)
class Admission:
    """The state that a decision looks at; it changes nothing."""

    tree: TeamTree
    usage: Usage
    pool: NodePool = field(default_factory=NodePool)
    line: WaitingLine = field(default_factory=WaitingLine)
    _claimants: tuple[Claimant, ...] = ()
    _claimants_of: tuple[int, int, int] | None = None

    def claimants(self) -> tuple[Claimant, ...]:
        """Return the waiting groups that borrowers must not pass.

        A group that its nodes could not hold even if they were empty holds up nobody.
        """
        versions = (self.usage.version, self.pool.version, self.line.version)
        if versions != self._claimants_of:
            self._claimants = tuple(self._find_claimants())
            self._claimants_of = versions
        return self._claimants

    def forget_claimants(self) -> None:
        """Say that the tree was replaced: its counters start anew."""
        self._claimants_of = None

    def _find_claimants(self) -> Sequence[Claimant]:
        found: list[Claimant] = []
        for shape, _ in self.line.groups():
            standing = self.usage.standing(shape.team, shape.total)
            if standing is Standing.BORROWS or not self.pool.could_ever_hold(shape.resources, shape.replicas):
                continue
            # A family's promise is passed on under caps; a team that its own cap stops waits for nobody.
            if standing is Standing.FAMILY and self._hindrance(shape) is not None:
                continue
            found.append(Claimant(standing, shape))
        return found

    def judge(self, shape: Shape, claimants: Sequence[Claimant] | None = None) -> Verdict:
        """Answer the four questions; `claimants` may be those of a moment ago (they only become fewer)."""
        standing = self.usage.standing(shape.team, shape.total)
        hindrance = self._hindrance(shape)
        if hindrance is not None:
            return Verdict(standing, hindrance)
        rivals: tuple[Claimant, ...] = ()
        if standing is not Standing.INSIDE:
            known = self.claimants() if claimants is None else claimants
            rivals = tuple(rival for rival in known if _competes(rival, standing, shape))
            narrow = tuple(rival for rival in rivals if self._shares_full_limit(rival.shape, shape))
            if narrow:
                return Verdict(standing, rivals=narrow)
        placements = self.pool.place(shape.resources, shape.replicas, _closed_by(rivals))
        return Verdict(standing, rivals=rivals, placements=placements)

    def _hindrance(self, shape: Shape) -> Hindrance | None:
        return self.usage.hindrance(shape.team, shape.total, self.pool.free)

    def _shares_full_limit(self, rival: Shape, shape: Shape) -> bool:
        """Say whether a limit above both has no room for both."""
        above_rival = set(self.tree.path(rival.team))
        for above in self.tree.path(shape.team):
            if above in above_rival:
                limits, used = self.tree[above].limit, self.usage.used(above)
                for name in _common(rival.resources, shape.resources):
                    both = rival.total.get(name) + shape.total.get(name)
                    if exceeds(used.get(name, 0) + both, limits.get(name)):
                        return True
        return False


def _competes(rival: Claimant, standing: Standing, shape: Shape) -> bool:
    return rival.standing < standing and bool(_common(rival.shape.resources, shape.resources))


def _common(one: Resources, other: Resources) -> list[AmountName]:
    names = {name for name, _ in one.amounts()}
    return [name for name, _ in other.amounts() if name in names]


def _closed_by(rivals: Sequence[Claimant]) -> Callable[[Node], bool] | None:
    if not rivals:
        return None
    wanted = {rival.shape.resources for rival in rivals}

    def is_closed(node: Node) -> bool:
        return any(resources.fits_in(node.capacity) for resources in wanted)

    return is_closed
