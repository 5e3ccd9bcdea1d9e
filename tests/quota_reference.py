"""The rules once more, slow and plain: everything is worked out anew from rows, for each single grant.

It shares nothing with the machine but the model and the tree's paths: no
counters, no indexes, no memory. `Reference.follow` takes an event and the
machine's answer, applies the moves, and then expects the grants one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import permutations
from typing import TypeVar

from jupyterhub_mesos_quota.events import (
    Action,
    AllocationMoved,
    Event,
    Grant,
    NodeRemoved,
    NodeSeen,
    RequestMoved,
    RequestSubmitted,
    TeamsReplaced,
)
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    AllocationState,
    Node,
    NodeId,
    Placement,
    Request,
    RequestId,
    RequestStatus,
    TeamId,
)
from jupyterhub_mesos_quota.policy import Policy
from jupyterhub_mesos_quota.resources import Resources, Unlimited
from jupyterhub_mesos_quota.rules import PlacementRule, Zones
from jupyterhub_mesos_quota.tree import TeamTree

INSIDE, FAMILY, BORROWS = range(3)
Amounts = dict[str, int]
Group = tuple[TeamId, Resources, int, PlacementRule | None]


Method = TypeVar("Method", bound=Callable[..., object])


def once(method: Method) -> Method:
    """Work it out once per state: slow and plain, but not for the same question a hundred times."""

    @wraps(method)
    def answer(self: Reference, *asked: object) -> object:
        key = (method.__name__, *asked)
        if key not in self.memo:
            self.memo[key] = method(self, *asked)
        return self.memo[key]

    return answer  # type: ignore[return-value]


def plus(*many: Amounts) -> Amounts:
    names = {name for amounts in many for name in amounts}
    return {name: sum(amounts.get(name, 0) for amounts in many) for name in names}


def amounts_of(resources: Resources, times: int = 1) -> Amounts:
    return {name: amount * times for name, amount in resources.amounts()}


def is_accelerator(name: str) -> bool:
    return name.startswith("accelerator/")


@dataclass
class Reference:
    tree: TeamTree
    nodes: dict[NodeId, Node]
    policy: Policy = field(default_factory=Policy)
    requests: dict[RequestId, Request] = field(default_factory=dict)
    live: dict[AllocationId, Allocation] = field(default_factory=dict)
    ranks: int = 0
    now: float = 0.0
    memo: dict[object, object] = field(default_factory=dict)

    # ---- following the machine ------------------------------------------------------------------

    def follow(self, event: Event, actions: Sequence[Action]) -> None:
        self.now = max(self.now, event.at)
        self.memo.clear()
        self._apply(event)
        grants = [action.allocation for action in actions if isinstance(action, Grant)]
        granted = {allocation.request_id for allocation in grants}
        for action in actions:
            if isinstance(action, RequestMoved) and action.after is not RequestStatus.ACTIVE:
                self._status(action.request_id, action.after)
            if isinstance(action, AllocationMoved) and action.after is AllocationState.GONE:
                self.live.pop(action.allocation_id, None)
        self.memo.clear()
        for allocation in grants:
            expected = self.next()
            got = (allocation.request_id, allocation.placements)
            assert expected == got, f"expected {expected}, got {got}; granted in all: {granted}"
            self.live[allocation.id] = allocation
            self._status(allocation.request_id, RequestStatus.ACTIVE)
            self.memo.clear()
        assert self.next() is None, "somebody may start and was not granted"

    def _apply(self, event: Event) -> None:
        if isinstance(event, TeamsReplaced):
            self.tree = TeamTree(event.teams)
        elif isinstance(event, NodeSeen):
            self.nodes[event.node.id] = event.node
        elif isinstance(event, NodeRemoved):
            self.nodes.pop(event.node_id, None)
        elif isinstance(event, RequestSubmitted) and event.request.id not in self.requests:
            self.ranks += 1
            self.requests[event.request.id] = replace(
                event.request, rank=self.ranks, rule=binding(event.request)
            )

    def _status(self, id_: RequestId, status: RequestStatus) -> None:
        self.requests[id_] = replace(self.requests[id_], status=status)

    # ---- counting -------------------------------------------------------------------------------

    def own(self, team: TeamId) -> Amounts:
        return plus(*(amounts_of(each.total) for each in self.live.values() if each.team == team))

    @once
    def used(self, team: TeamId) -> Amounts:
        return plus(self.own(team), *(self.used(child) for child in self.tree.children(team)))

    def guarantee(self, team: TeamId) -> Amounts:
        return dict(self.tree.guarantee(team))

    def claimed_up(self, team: TeamId, floors: dict[TeamId, Amounts], more: Amounts, to: TeamId) -> Amounts:
        """What a team holds and its children take, each at least its floor; `to` gets `more`."""
        total = plus(self.own(team), more if team == to else {})
        for child in self.tree.children(team):
            below, floor = self.claimed_up(child, floors, more, to), floors[child]
            total = plus(total, {n: max(below.get(n, 0), floor.get(n, 0)) for n in {*below, *floor}})
        return total

    @once
    def committed(self, team: TeamId) -> Amounts:
        return self.claimed_up(team, {each: self.guarantee(each) for each in self.tree}, {}, team)

    @once
    def unlendable(self, team: TeamId) -> Amounts:
        lend = dict(self.tree[team].lend.by_name)
        return {
            name: max(0, amount - bound) if not isinstance(bound := lend.get(name, amount), Unlimited) else 0
            for name, amount in self.guarantee(team).items()
            if name in lend
        }

    # ---- rules ----------------------------------------------------------------------------------

    @once
    def standing(self, request: Request) -> int:
        asked = amounts_of(request.total)
        committed, guarantee = self.committed(request.team), self.guarantee(request.team)
        if all(committed.get(n, 0) + a <= guarantee.get(n, 0) for n, a in asked.items()):
            return INSIDE
        slack: Amounts = {}
        for above in self.tree.path(request.team):
            held, promised = self.committed(above), self.guarantee(above)
            slack = plus(slack, {n: max(0, a - held.get(n, 0)) for n, a in promised.items()})
        return FAMILY if all(a <= slack.get(n, 0) for n, a in asked.items()) else BORROWS

    def breaks_limit(self, request: Request, beside: Amounts | None = None) -> bool:
        asked = amounts_of(request.total)
        for above in self.tree.path(request.team):
            used = plus(self.used(above), beside or {})
            for name, bound in self.tree[above].limit.by_name:
                if name in asked and used.get(name, 0) + asked[name] > bound:  # type: ignore[operator]
                    return True
        return False

    def breaks_cap(self, request: Request) -> bool:
        asked = amounts_of(request.total)
        for above in self.tree.path(request.team):
            used, guarantee = self.used(above), self.guarantee(above)
            for name, bound in self.tree[above].borrow.by_name:
                over = used.get(name, 0) - guarantee.get(name, 0)
                if name in asked and over + asked[name] > bound:  # type: ignore[operator]
                    return True
        return False

    @once
    def breaks_lend_cap(self, request: Request) -> bool:
        asked = amounts_of(request.total)
        floors = {team: self.unlendable(team) for team in self.tree}

        def kept(team: TeamId, more: Amounts) -> Amounts:
            return self.claimed_up(team, floors, more, request.team)

        for above in self.tree.path(request.team):
            before, after = kept(above, {}), kept(above, asked)
            for name, bound in self.tree[above].limit.by_name:
                if name in asked and after.get(name, 0) > max(bound, before.get(name, 0)):  # type: ignore[type-var]
                    return True
        roots = [team for team in self.tree if self.tree[team].parent is None]

        def in_all(more: Amounts, name: str) -> int:
            return sum(max(floors[root].get(name, 0), kept(root, more).get(name, 0)) for root in roots)

        total = plus(*(amounts_of(each.total) for each in self.live.values()))
        free = self.free()
        for name, amount in asked.items():
            after = in_all(asked, name)
            idle = after - total.get(name, 0) - amount
            if after > in_all({}, name) and idle > 0 and free.get(name, 0) - amount < idle:
                return True
        return False

    @once
    def passes_a_claim(self, request: Request) -> bool:
        """Whether a limit above both has no room for it and for one who waits inside its guarantee."""
        asked = amounts_of(request.total)
        for other in self.waiting() if self.policy.strategy.ranks_by_promise else ():
            if self.standing(other) != INSIDE:
                continue
            claimed = amounts_of(other.total)
            for above in set(self.tree.path(request.team)) & set(self.tree.path(other.team)):
                used = self.used(above)
                for name, bound in self.tree[above].limit.by_name:
                    if name in asked and name in claimed:
                        both = used.get(name, 0) + asked[name] + claimed[name]
                        if both > bound:  # type: ignore[operator]
                            return True
        return False

    def is_hindered(self, request: Request, standing: int) -> bool:
        if self.breaks_limit(request):
            return True
        return standing != INSIDE and (self.breaks_cap(request) or self.breaks_lend_cap(request))

    # ---- nodes ----------------------------------------------------------------------------------

    def placements_on(self, node: NodeId) -> Iterator[Placement]:
        for allocation in self.live.values():
            yield from (placed for placed in allocation.placements if placed.node == node)

    @once
    def empty(self, node: Node) -> Amounts:
        """What the node would have: no more accelerators than it names."""
        has = amounts_of(node.capacity)
        for flavor in {device.flavor for device in node.devices}:
            name = f"accelerator/{flavor}"
            named = len({device.id for device in node.devices if device.flavor == flavor})
            if name in has:
                has[name] = min(has[name], named)
        return has

    @once
    def room(self, node: Node) -> Amounts:
        used = plus(*(amounts_of(placed.resources) for placed in self.placements_on(node.id)))
        held = {device for placed in self.placements_on(node.id) for device in placed.devices}
        room = {name: amount - used.get(name, 0) for name, amount in amounts_of(node.capacity).items()}
        for flavor in {device.flavor for device in node.devices}:
            name = f"accelerator/{flavor}"
            named = {device.id for device in node.devices if device.flavor == flavor}
            if name in room:
                room[name] = min(room[name], len(named - held))
        return {name: max(0, amount) for name, amount in room.items()}

    @once
    def open(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.is_schedulable]

    @once
    def free(self) -> Amounts:
        return plus(*(self.room(node) for node in self.open()))

    @staticmethod
    def copies(asked: Amounts, room: Amounts) -> int:
        return max(0, min(room.get(name, 0) // amount for name, amount in asked.items()))

    def matching(self, request: Request) -> list[Node]:
        labels = () if request.rule is None else request.rule.labels
        return [node for node in self.open() if all(label in node.labels for label in labels)]

    def zones(self, request: Request) -> list[str]:
        """The zones that count for a spread: those that could hold a replica."""
        asked = amounts_of(request.resources)
        able = [node for node in self.matching(request) if self.copies(asked, self.empty(node))]
        return sorted({node.zone for node in able})

    def sharings(self, request: Request) -> list[dict[str, int]]:
        """Every way to share the replicas out over the zones; with the key None where zones do not matter."""
        zones = self.zones(request)
        if request.rule is None or request.rule.zones == "any":
            return [{"*": request.replicas}]
        if request.rule.zones == "one":
            return [{zone: request.replicas} for zone in zones]
        fewer, rest = divmod(request.replicas, len(zones) or 1)
        return [
            {zone: fewer + (zone in more) for zone in (*more, *(each for each in zones if each not in more))}
            for more in permutations(zones, rest)
            if zones
        ]

    def place(self, request: Request, withheld: dict[NodeId, Amounts]) -> tuple[Placement, ...] | None:
        """Of all ways to share out, the cheapest zone by zone; the preferred zone first."""
        prefer = None if request.rule is None else request.rule.prefer_zone
        if request.rule is not None and request.rule.zones == "any" and prefer:
            preferred = [node for node in self.matching(request) if node.zone == prefer]
            spots = self.pack(request, preferred, request.replicas, withheld)
            if spots is not None:
                return self.with_devices(request, spots)
        found = []
        for sharing in self.sharings(request):
            parts = []
            for zone, count in sharing.items():
                nodes = [node for node in self.matching(request) if zone in {"*", node.zone}]
                spots = self.pack(request, nodes, count, withheld) if count else []
                cost = None if spots is None else (zone != prefer, len(spots), *self.left(request, spots))
                parts.append((cost, zone, count, spots))
            if all(cost is not None for cost, *_ in parts):
                most = max(count for *_, count, _ in parts)
                found.append(([part[:2] for part in parts if part[2] == most], parts))
        if not found:
            return None
        _, parts = min(found, key=lambda entry: entry[0])  # type: ignore[arg-type,return-value]
        return self.with_devices(request, [spot for *_, spots in parts for spot in spots or ()])

    def left(self, request: Request, spots: list[tuple[Node, int]]) -> tuple[int, int]:
        asked, left = amounts_of(request.resources), []
        for node, count in spots:
            left += [(n, a - count * asked.get(n, 0)) for n, a in self.room(node).items()]
        return sum(a for n, a in left if is_accelerator(n)), sum(a for n, a in left if n == "cpu_millis")

    def pack(
        self, request: Request, nodes: list[Node], count: int, withheld: dict[NodeId, Amounts]
    ) -> list[tuple[Node, int]] | None:
        """On as few nodes as possible, the largest room first; none with other accelerators if it can be."""
        asked = amounts_of(request.resources)
        able: list[tuple[object, Node, int, bool]] = []
        for node in nodes:
            room = self.room(node)
            spare = {name: amount - withheld.get(node.id, {}).get(name, 0) for name, amount in room.items()}
            wastes = any(
                amount for name, amount in room.items() if is_accelerator(name) and name not in asked
            )
            if copies := self.copies(asked, spare):
                able.append((self.tightness(node, room, asked), node, copies, wastes))
        if sum(copies for _, _, copies, wastes in able if not wastes) >= count:
            able = [entry for entry in able if not entry[3]]
        if sum(copies for _, _, copies, _ in able) < count:
            return None
        able.sort(key=lambda entry: entry[0])  # type: ignore[arg-type,return-value]
        spots: list[tuple[Node, int]] = []
        while count:
            most = min(count, max(copies for _, _, copies, _ in able))
            chosen = next(entry for entry in able if entry[2] >= most)
            able.remove(chosen)
            spots.append((chosen[1], most))
            count -= most
        return spots

    def with_devices(self, request: Request, spots: list[tuple[Node, int]]) -> tuple[Placement, ...]:
        placements: list[Placement] = []
        for node, count in spots:
            taken = {device for placed in self.placements_on(node.id) for device in placed.devices}
            for _ in range(count):
                devices = []
                for name, amount in request.resources.amounts():
                    spare_ones = [
                        device.id
                        for device in node.devices
                        if f"accelerator/{device.flavor}" == name and device.id not in taken
                    ]
                    devices += spare_ones[:amount]
                taken.update(devices)
                placements.append(Placement(len(placements), node.id, request.resources, tuple(devices)))
        return tuple(placements)

    @staticmethod
    def tightness(node: Node, room: Amounts, asked: Amounts) -> object:
        free = {name: amount for name, amount in room.items() if is_accelerator(name) and amount}
        others = sum(amount for name, amount in free.items() if name not in asked)
        left = sum(amount - asked[name] for name, amount in free.items() if name in asked)
        shelf = tuple(sorted(free.items()))
        return (others, left), shelf, room.get("cpu_millis", 0), room.get("mem_mib", 0), node.id

    @once
    def could_ever_hold(self, request: Request) -> bool:
        asked = amounts_of(request.resources)
        return any(
            all(
                sum(
                    self.copies(asked, self.empty(node))
                    for node in self.matching(request)
                    if zone in {"*", node.zone}
                )
                >= count
                for zone, count in sharing.items()
            )
            for sharing in self.sharings(request)
        )

    # ---- holds ----------------------------------------------------------------------------------

    @once
    def holds(self) -> list[tuple[Group, int, dict[NodeId, Amounts]]]:
        if not self.policy.strategy.ranks_by_promise:
            wanted: list[tuple[Request, int]] = []
        else:
            wanted = [(each, standing) for standing in (INSIDE, FAMILY) for each in self.claims(standing)]
        wanted = wanted[: self.policy.most_holds]
        starved = self.starved()
        if starved is not None:
            wanted.append((starved, BORROWS))
        taken: set[NodeId] = set()
        holds = []
        for request, standing in wanted:
            chosen = self.nearest(request, taken)
            if chosen is not None:
                taken |= set(chosen)
                holds.append((group_of(request), standing, chosen))
        return holds

    def claims(self, standing: int) -> list[Request]:
        heads: dict[Group, Request] = {}
        for request in sorted(self.waiting(), key=place):
            if self.standing(request) == standing:
                heads.setdefault(group_of(request), request)
        return [each for each in heads.values() if self.needs_nodes(each, standing)]

    def needs_nodes(self, request: Request, standing: int) -> bool:
        return self.could_ever_hold(request) and not self.is_hindered(request, standing)

    def starved(self) -> Request | None:
        if self.policy.patience_seconds is None:
            return None
        heads: dict[Group, Request] = {}
        for request in sorted(self.waiting(), key=place):
            heads.setdefault(group_of(request), request)
        oldest: dict[tuple[object, ...], Request] = {}
        for request in sorted(heads.values(), key=lambda each: each.rank):
            at_gate = self.breaks_limit(request) or self.breaks_cap(request) or self.passes_a_claim(request)
            if self.standing(request) == BORROWS and not at_gate:
                oldest.setdefault(group_of(request)[1:], request)
        able = [each for each in oldest.values() if self.needs_nodes(each, BORROWS)]
        first = min(able, key=lambda each: each.rank, default=None)
        has_waited = first is not None and self.now - first.submitted_at >= self.policy.patience_seconds
        return first if has_waited else None

    def nearest(self, request: Request, taken: set[NodeId]) -> dict[NodeId, Amounts] | None:
        """Of all ways to share out, the one whose larger parts miss least."""
        found = []
        for sharing in self.sharings(request):
            parts = [
                (zone, count, self.nearest_in(request, zone, count, taken) if count else {})
                for zone, count in sharing.items()
            ]
            most = max(sharing.values())
            if all(chosen is not None for _, _, chosen in parts):
                costs = [(*self.missing(chosen or {}), zone) for zone, n, chosen in parts if n == most]
                found.append((costs, [chosen for *_, chosen in parts]))
        if not found:
            return None
        _, chosen = min(found, key=lambda entry: entry[0])
        return {node: amounts for part in chosen for node, amounts in (part or {}).items()}

    def missing(self, chosen: dict[NodeId, Amounts]) -> tuple[int, int, int]:
        short = [
            (name, max(0, amount - self.room(self.nodes[node]).get(name, 0)))
            for node, amounts in chosen.items()
            for name, amount in amounts.items()
        ]
        return (
            sum(amount for name, amount in short if is_accelerator(name)),
            sum(amount for name, amount in short if name == "cpu_millis"),
            sum(amount for name, amount in short if name == "mem_mib"),
        )

    def nearest_in(
        self, request: Request, zone: str, missing: int, taken: set[NodeId]
    ) -> dict[NodeId, Amounts] | None:
        asked = amounts_of(request.resources)
        wanted = [name for name in asked if is_accelerator(name)]

        def nearness(node: Node) -> object:
            room = self.room(node)
            free = {name: amount for name, amount in room.items() if is_accelerator(name) and amount}
            most = tuple(-free.get(name, 0) for name in wanted)
            others = sum(amount for name, amount in free.items() if name not in wanted)
            mine = sum(amount for name, amount in free.items() if name in wanted)
            return most, (others, mine), tuple(sorted(free.items()))

        among = [node for node in self.matching(request) if zone in {"*", node.zone}]
        nodes = sorted(among, key=lambda node: node.id, reverse=True)
        nodes.sort(
            key=lambda n: (self.room(n).get("cpu_millis", 0), self.room(n).get("mem_mib", 0)), reverse=True
        )
        nodes.sort(key=nearness)  # type: ignore[arg-type,return-value]
        chosen: dict[NodeId, Amounts] = {}
        for node in nodes:
            copies = 0 if node.id in taken else min(missing, self.copies(asked, self.empty(node)))
            if copies:
                chosen[node.id] = {name: amount * copies for name, amount in asked.items()}
                missing -= copies
            if not missing:
                return chosen
        return None

    def withheld(self, request: Request, standing: int) -> dict[NodeId, Amounts]:
        if standing == INSIDE:
            return {}
        return {
            node: amounts
            for group, strength, chosen in self.holds()
            if (strength < standing or strength == standing == BORROWS) and group != group_of(request)
            for node, amounts in chosen.items()
        }

    # ---- the order ------------------------------------------------------------------------------

    def waiting(self) -> list[Request]:
        return [each for each in self.requests.values() if each.status is RequestStatus.QUEUED]

    def order(self, request: Request) -> tuple[object, ...]:
        strategy, standing = self.policy.strategy, self.standing(request)
        if strategy.name == "fifo":
            return 0, (), place(request)
        if standing == INSIDE:
            return standing, (), place(request)
        path = [self.share(above) for above in reversed(self.tree.path(request.team))]
        depth = max(len(self.tree.path(team)) for team in self.tree)
        return standing, tuple(path + [0] * (depth - len(path))), place(request)

    @once
    def share(self, team: TeamId) -> int:
        used, guarantee = self.used(team), self.guarantee(team)
        whole = 10**12
        if self.policy.strategy.name == "lowest-use":
            parts = [amount * whole // (guarantee.get(n) or 1) for n, amount in used.items()]
        else:
            capacity = plus(*(amounts_of(node.capacity) for node in self.nodes.values()))
            parts = [
                (amount - guarantee.get(n, 0)) * whole // (in_steps(capacity.get(n, 0)) or 1)
                for n, amount in used.items()
            ]
        return max(0, *parts, 0) // self.tree[team].weight

    def next(self) -> tuple[RequestId, tuple[Placement, ...]] | None:
        """The first in order of all that waits for whom everything is well."""
        for request in sorted(self.waiting(), key=self.order):
            standing = self.standing(request)
            if self.is_hindered(request, standing):
                continue
            if standing != INSIDE and self.passes_a_claim(request):
                continue
            placements = self.place(request, self.withheld(request, standing))
            if placements is not None:
                return request.id, placements
        return None


def group_of(request: Request) -> Group:
    return request.team, request.resources, request.replicas, request.rule


def binding(request: Request) -> PlacementRule | None:
    """One replica stands in one zone, whatever is asked for."""
    rule = request.rule
    if rule is not None and request.replicas == 1:
        rule = replace(rule, zones=Zones.ANY)
    return None if rule == PlacementRule() else rule


def place(request: Request) -> tuple[int, int]:
    return -request.priority, request.rank


def in_steps(amount: int) -> int:
    """The next of eight steps per doubling: 8 to 15 times a power of two."""
    step = 1
    while amount > 15 * step:
        step *= 2
    return -(-amount // step) * step
