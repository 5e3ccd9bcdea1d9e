"""What waits, in groups: requests of one team for one size, and per size the contests between the groups.

What the head of a group cannot get, none of the group can, so that a decision
looks at heads alone. All groups of one size make a *lane*: whether there is
room for them is one question.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from jupyterhub_mesos_quota.accounts import Account
from jupyterhub_mesos_quota.contest import Contest, Place
from jupyterhub_mesos_quota.model import RequestId
from jupyterhub_mesos_quota.sizes import Size
from jupyterhub_mesos_quota.tally import Tally
from jupyterhub_mesos_quota.usage import Standing, Usage


class Group:
    """The waiting requests of one team for one size, the next first."""

    __slots__ = ("_heap", "_places", "account", "lane", "standing")

    def __init__(self, account: Account, lane: Lane) -> None:
        self.account = account
        self.lane = lane
        self.standing: Standing | None = None  # None until it was looked at
        self._heap: list[Place] = []
        self._places: dict[RequestId, Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def add(self, place: Place) -> None:
        """Let one more wait."""
        self._places[place.id] = place
        heappush(self._heap, place)

    def remove(self, place: Place) -> None:
        """Let one wait no more."""
        del self._places[place.id]
        if len(self._heap) > 2 * len(self._places) + 2:
            self._heap = list(self._places.values())
            heapify(self._heap)

    @property
    def head(self) -> Place | None:
        """The next of the group."""
        while self._heap and self._places.get(self._heap[0].id) != self._heap[0]:
            heappop(self._heap)
        return self._heap[0] if self._heap else None


class Lane:
    """All groups that wait for one size, and a contest per standing between them."""

    def __init__(self, size: Size, usage: Usage, tally: Tally, *, has_ages: bool) -> None:
        self.size = size
        self.groups: dict[Account, Group] = {}
        self._usage = usage
        self._below: dict[int, int] = {}  # groups under each account
        self._seen = usage.changes.end
        share = usage.share if usage.strategy.is_by_share else None
        self.contests = tuple(
            Contest(
                usage.depth,
                None if standing is Standing.INSIDE and usage.strategy.ranks_by_promise else share,
                self._inside_gate if standing is Standing.INSIDE else self._gate,
                tally,
            )
            for standing in Standing
        )
        # Of those who borrow the oldest first, where somebody asks.
        self.ages = Contest(usage.depth, None, self._gate, tally) if has_ages else None
        self._all = (*self.contests, self.ages) if self.ages is not None else self.contests
        self._stale: dict[Account, None] = {}  # whose offers are to be made anew

    def join(self, group: Group) -> None:
        """Take in a group."""
        self.groups[group.account] = group
        for above in group.account.path:
            self._below[above.number] = self._below.get(above.number, 0) + 1

    def leave(self, group: Group) -> None:
        """Drop a group that nobody waits in."""
        del self.groups[group.account]
        for above in group.account.path:
            self._below[above.number] -= 1
            if not self._below[above.number]:
                del self._below[above.number]

    def stand(self, group: Group, standing: Standing | None) -> None:
        """Let the head of a group compete where it stands now; with None nowhere."""
        old, group.standing = group.standing, standing
        account, head = group.account, group.head
        if old is not None and old is not standing:
            self.contests[old].enter(account, None)
        if standing is not None:
            self.contests[standing].enter(account, head)
        if self.ages is not None:
            is_borrower = head is not None and standing is Standing.BORROWS
            self.ages.enter(account, Place(0, head.rank, head.id) if head and is_borrower else None)
        self._stale[account] = None

    def sit_out(self, group: Group) -> None:
        """Keep a group out of its contest until it stands again."""
        self.stand(group, None)

    def catch_up(self) -> None:
        """Make the offers anew of all accounts that changed since this was last asked."""
        changes = self._usage.changes
        stale = self._stale
        if self._seen != changes.end:
            changed = changes.since(self._seen)
            self._seen = changes.end
            for account in self.groups if changed is None else changed:
                lowest = self._lowest(account)
                if lowest is not None:
                    stale[lowest] = None
        for account in stale:
            for contest in self._all:
                if contest.is_going:
                    contest.refresh(account)
        stale.clear()

    def _lowest(self, account: Account) -> Account | None:
        """Return the lowest account on the path that somebody of this lane waits under."""
        return next((each for each in account.path if each.number in self._below), None)

    # ---- gates ----------------------------------------------------------------------------------

    def _inside_gate(self, account: Account) -> bool:
        return not account.limit or not account.is_over_limit(self.size.total)

    def _gate(self, account: Account) -> bool:
        total = self.size.total
        if account.limit and (account.is_over_limit(total) or account.is_claimed(total)):
            return False
        return not account.borrow_cap or not account.is_over_borrow_cap(total)
