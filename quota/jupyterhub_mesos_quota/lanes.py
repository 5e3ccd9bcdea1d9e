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

    __slots__ = ("_heap", "_places", "account", "head", "lane", "standing")

    def __init__(self, account: Account, lane: Lane) -> None:
        self.account = account
        self.lane = lane
        self.standing: Standing | None = None  # None until it was looked at
        self.head: Place | None = None  # the next of the group
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
        if self.head is None or place < self.head:
            self.head = place

    def remove(self, place: Place) -> None:
        """Let one wait no more."""
        del self._places[place.id]
        if len(self._heap) > 2 * len(self._places) + 2:
            self._heap = list(self._places.values())
            heapify(self._heap)
        if place == self.head:
            self.head = self._find_head()

    def _find_head(self) -> Place | None:
        heap, places = self._heap, self._places
        while heap and places.get(heap[0].id) != heap[0]:
            heappop(heap)
        return heap[0] if heap else None


class Lane:
    """All groups that wait for one size, and a contest per standing between them."""

    def __init__(self, size: Size, usage: Usage, tally: Tally, *, has_ages: bool) -> None:
        self.size = size
        self.groups: dict[Account, Group] = {}
        by_share, by_promise = usage.strategy.is_by_share, usage.strategy.ranks_by_promise
        self.contests = tuple(
            Contest(
                usage,
                self._inside_gate if standing is Standing.INSIDE else self._gate,
                tally,
                is_by_share=by_share and not (by_promise and standing is Standing.INSIDE),
            )
            for standing in Standing
        )
        # Of those who borrow the oldest first, where somebody asks.
        self.ages = Contest(usage, self._gate, tally, is_by_share=False) if has_ages else None

    def join(self, group: Group) -> None:
        """Take in a group."""
        self.groups[group.account] = group

    def leave(self, group: Group) -> None:
        """Drop a group that nobody waits in."""
        del self.groups[group.account]

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

    def sit_out(self, group: Group) -> None:
        """Keep a group out of its contest until it stands again."""
        self.stand(group, None)

    # ---- gates ----------------------------------------------------------------------------------

    def _inside_gate(self, account: Account) -> bool:
        return not account.limit or not account.is_over_limit(self.size.total)

    def _gate(self, account: Account) -> bool:
        total = self.size.total
        if account.limit and (account.is_over_limit(total) or account.is_claimed(total)):
            return False
        return not account.borrow_cap or not account.is_over_borrow_cap(total)
