"""Who waits and may not start, whatever room there is: a pause, a cap per user, or a budget.

A request with a bar before it stands beside the line, so that it holds up nobody
of its team; it joins the line again, at its old rank, when its bar is lifted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import heappop, heappush

from jupyterhub_mesos_quota.budgets import Budgets, Spent
from jupyterhub_mesos_quota.model import Request, RequestId, TeamId, UserName, WorkloadKind
from jupyterhub_mesos_quota.resources import ACCELERATOR_PREFIX, ACCELERATORS, SESSIONS, AmountName, Unlimited
from jupyterhub_mesos_quota.tree import Amounts, TeamTree


class Bar(StrEnum):
    """What keeps a request from starting; also its reason code."""

    PAUSED = "paused"
    USER_CAP = "user-cap"
    BUDGET = "over-budget"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Which bar stands before a request, at which team (None: the whole queue), and by how much."""

    bar: Bar
    team: TeamId | None
    name: AmountName | None = None
    asked: int = 0
    held: int = 0
    bound: int = 0
    user: UserName | None = None
    until: float | None = None  # when a budget has something left again


class Bars:
    """The bars of one tree, what each user holds under them, and who stands before them."""

    def __init__(self, tree: TeamTree) -> None:
        self.paused: set[TeamId | None] = set()
        self.budgets = Budgets(tree)
        self.may_bind = _may_bind(tree)  # a user's cap or a budget may stop somebody
        self._tree = tree
        self._has_caps = _has_caps(tree)
        self._untils: list[tuple[float, RequestId]] = []  # of budgets that somebody waits for
        self._held: dict[tuple[TeamId, UserName], Amounts] = {}
        self._before: dict[RequestId, tuple[Request, Obstacle]] = {}
        self._of_user: dict[UserName, dict[RequestId, None]] = {}

    def __len__(self) -> int:
        return len(self._before)

    def __iter__(self) -> Iterator[RequestId]:
        return iter(self._before)

    def plant(self, tree: TeamTree, active: Sequence[Request], spent: Iterable[Spent]) -> None:
        """Put a tree in force, with those who hold something under it and what was spent."""
        self._tree = tree
        self._has_caps = _has_caps(tree)
        self.paused = {team for team in self.paused if team is None or team in tree}
        self.may_bind = _may_bind(tree)
        self._held.clear()
        self.budgets.plant(tree, active, spent)
        for request in active:
            self._count(request, +1)

    def charge(self, request: Request, sign: int = +1) -> None:
        """Count what a user holds by a request; with `sign` -1 it holds it no more."""
        if self.budgets.has_bounds:
            self.budgets.charge(request, sign)
        if self._has_caps:
            self._count(request, sign)

    def _count(self, request: Request, sign: int) -> None:
        for above in self._tree.path(request.team):
            if self._tree[above].per_user.by_name:
                held = self._held.setdefault((above, request.user), {})
                for name, amount in counted(request):
                    held[name] = held.get(name, 0) + sign * amount

    def rename(self, before: UserName, after: UserName, requests: Mapping[RequestId, Request]) -> None:
        """Say that what is one user's is another name's; `requests` say so already."""
        self.budgets.rename(before, after)
        self._held = {
            (team, after if user == before else user): held for (team, user), held in self._held.items()
        }
        for id_ in list(self._of_user.get(before, ())):
            found = self.found(id_)
            self.drop(id_)
            if found is not None:
                whose = after if found.user == before else found.user
                self.hold_back(requests[id_], replace(found, user=whose))

    def is_paused(self, team: TeamId) -> bool:
        """Say whether nothing of a team starts, as a queue that it stands in is paused."""
        return any(each in self.paused for each in (None, *self._tree.path(team)))

    def obstacle(self, request: Request) -> Obstacle | None:
        """Return the first bar before a request: pauses, then what its user holds."""
        path = self._tree.path(request.team)
        for team in (None, *path) if self.paused else ():
            if team in self.paused:
                return Obstacle(Bar.PAUSED, team)
        for above in path if self._has_caps else ():
            bounds = self._tree[above].per_user
            held = self._held.get((above, request.user), {})
            for name, amount in counted(request) if bounds.by_name else ():
                bound = bounds.get(name)
                if not isinstance(bound, Unlimited) and held.get(name, 0) + amount > bound:
                    return Obstacle(Bar.USER_CAP, above, name, amount, held.get(name, 0), bound)
        over = self.budgets.over(request) if self.budgets.has_bounds else None
        if over is not None:
            (team, user), until = over
            return Obstacle(Bar.BUDGET, team, user=user, until=until)
        return None

    def next_until(self) -> float | None:
        """Return when the first budget that somebody waits for has something left again."""
        untils = self._untils
        while untils:
            until, id_ = untils[0]
            found = self.found(id_)
            if found is not None and found.until == until:
                return until
            heappop(untils)
        return None

    def hold_back(self, request: Request, obstacle: Obstacle) -> None:
        """Let a request wait before its bar."""
        self._stand_before(request, obstacle)
        self._of_user.setdefault(request.user, {})[request.id] = None

    def found(self, id_: RequestId) -> Obstacle | None:
        """Return the bar that a request waits before, or None."""
        entry = self._before.get(id_)
        return None if entry is None else entry[1]

    def drop(self, id_: RequestId) -> bool:
        """Let a request go that waits before a bar; say whether it did."""
        entry = self._before.pop(id_, None)
        if entry is None:
            return False
        user = entry[0].user
        del self._of_user[user][id_]
        if not self._of_user[user]:
            del self._of_user[user]
        return True

    def lifted_for(self, user: UserName) -> list[Request]:
        """Let those of one user go, each of whom no bar stops by itself, and return them."""
        return self._lifted(list(self._of_user[user])) if user in self._of_user else []

    def lifted(self) -> list[Request]:
        """Let all go whom no bar stops any more, and return them."""
        return self._lifted(list(self._before))

    def _lifted(self, ids: Iterable[RequestId]) -> list[Request]:
        free: list[Request] = []
        for id_ in ids:
            request, _ = self._before[id_]
            obstacle = self.obstacle(request)
            if obstacle is None:
                self.drop(id_)
                free.append(request)
            else:
                self._stand_before(request, obstacle)
        return free

    def _stand_before(self, request: Request, obstacle: Obstacle) -> None:
        known = self.found(request.id)
        self._before[request.id] = request, obstacle
        if obstacle.until is not None and (known is None or known.until != obstacle.until):
            heappush(self._untils, (obstacle.until, request.id))

    def waiting(self) -> list[RequestId]:
        """Return who waits before a bar, by priority and rank."""
        before = sorted((-request.priority, request.rank, id_) for id_, (request, _) in self._before.items())
        return [id_ for _, _, id_ in before]


def _has_caps(tree: TeamTree) -> bool:
    return any(team.per_user.by_name for team in tree.teams.values())


def _may_bind(tree: TeamTree) -> bool:
    return any(team.per_user.by_name or team.budget for team in tree.teams.values())


def counted(request: Request) -> Iterator[tuple[AmountName, int]]:
    """Yield what a request counts for under a user's cap: amounts, accelerators together, sessions."""
    accelerators = 0
    for name, amount in request.total.amounts():
        yield name, amount
        accelerators += amount if name.startswith(ACCELERATOR_PREFIX) else 0
    if accelerators:
        yield ACCELERATORS, accelerators
    if request.kind is WorkloadKind.NOTEBOOK:
        yield SESSIONS, 1
