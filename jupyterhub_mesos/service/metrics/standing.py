"""How things stand, read when Prometheus asks: what is derived from other state is not stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.metrics import definitions as of
from jupyterhub_mesos.service.metrics.definitions import Metric
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import TeamId
from jupyterhub_mesos_quota.resources import CPU_MILLIS, MEM_MIB, AmountName, Resources

Values = Iterator[tuple[tuple[str, ...], float]]
NOTHING = Resources()


class Standing(Collector):
    """Reads the quota machine; only on the loop's thread."""

    def __init__(self, ledger: Ledger, streams: Callable[[], int], missing: Callable[[], int]) -> None:
        self._ledger = ledger
        self._streams = streams
        self._missing = missing

    def collect(self) -> Iterator[Family]:
        """Yield every gauge."""
        machine = self._ledger.machine
        yield from _capacity(machine)
        yield from _teams(machine)
        yield _family(of.QUEUE_WAITING, iter([((), len(machine.queue()))]))
        yield _family(of.STREAMS_OPEN, iter([((), self._streams())]))
        yield _family(of.COMPLAINTS, iter([((), self._missing())]))

    def describe(self) -> Iterator[Family]:
        """Name nothing before it is asked: the machine may not be there yet."""
        return iter(())


def _family(metric: Metric, values: Values) -> Family:
    family = GaugeMetricFamily(metric.name, metric.says, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _capacity(machine: QuotaMachine) -> Iterator[Family]:
    offered, free, used, open_nodes = NOTHING, NOTHING, NOTHING, 0
    for node in machine.nodes.values():
        left = machine.free(node.id)
        used += node.capacity - left
        if node.is_schedulable:
            offered, free, open_nodes = offered + node.capacity, free + left, open_nodes + 1
    names = _names(offered, used)
    for metric, held in ((of.CAPACITY_OFFERED, offered), (of.CAPACITY_USED, used), (of.CAPACITY_FREE, free)):
        yield _family(metric, (((name,), held.get(name)) for name in names))
    closed = len(machine.nodes) - open_nodes
    yield _family(of.NODES, iter([(("yes",), open_nodes), (("no",), closed)]))


def _teams(machine: QuotaMachine) -> Iterator[Family]:
    teams = machine.tree.teams
    used = {team: machine.used(team) for team in teams}
    borrowed = {team: machine.borrowed(team) for team in teams}
    guaranteed = {team: Resources.from_amounts(machine.tree.guarantee(team)) for team in teams}
    for metric, held in (
        (of.TEAM_USED, used),
        (of.TEAM_GUARANTEED, guaranteed),
        (of.TEAM_BORROWED, borrowed),
    ):
        yield _family(metric, _by_team(held))
    waiting = _waiting(machine)
    yield _family(of.TEAM_WAITING, (((team,), waiting[team]) for team in teams))


def _by_team(held: dict[TeamId, Resources]) -> Values:
    names = _names(*held.values())
    for team, amounts in held.items():
        for name in names:
            yield (team, name), amounts.get(name)


def _names(*held: Resources) -> list[AmountName]:
    """Name the amounts of which there are any; CPU and memory always, so that a 0 is shown as one."""
    return sorted({CPU_MILLIS, MEM_MIB, *(name for each in held for name, _ in each.amounts())})


def _waiting(machine: QuotaMachine) -> Counter[TeamId]:
    counts: Counter[TeamId] = Counter()
    for request in machine.queue():
        counts.update(machine.tree.path(request.team))
    return counts
