"""The nodes that a replay runs on. What they do not name is not counted: a pool of GPUs counts GPUs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.reading import GPU
from jupyterhub_mesos_quota.model import Node, NodeId
from jupyterhub_mesos_quota.resources import ACCELERATOR_PREFIX, NOTHING, AmountName, Flavor, Resources


@dataclass(frozen=True, slots=True)
class Measure:
    """What figures count: its name, and how many of the core's units (thousandths of a core) are one."""

    name: str
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Pool:
    """What there is; with `is_plain` all accelerators count alike, whatever flavor a job names."""

    nodes: tuple[Node, ...]
    is_plain: bool = False

    @property
    def total(self) -> Resources:
        """What all nodes have together."""
        total = NOTHING
        for node in self.nodes:
            total += node.capacity
        return total

    @property
    def main(self) -> AmountName:
        """The amount that figures are about: the commonest accelerators, else what there is."""
        amounts = self.total.amounts()
        accelerators = [each for each in amounts if each[0].startswith(ACCELERATOR_PREFIX)]
        return max(accelerators or amounts[:1], key=lambda each: each[1])[0]

    @property
    def measure(self) -> Measure:
        """What figures count: all accelerators together, else CPU cores."""
        flavors = [flavor for flavor, _ in self.total.accelerators]
        if not flavors:
            return Measure("CPU core", 1000)
        return Measure("GPU" if flavors == [GPU] or len(flavors) > 1 else flavors[0])


def even_pool(total: Resources, nodes: int = 1, *, is_plain: bool = False) -> Pool:
    """Spread amounts evenly over nodes; raises `InvalidInput` where they do not come out even."""
    if total.is_zero:
        raise InvalidInput("the pool holds nothing: say how much there is, for instance --gpus 64")
    for name, amount in total.amounts():
        if amount % nodes:
            what = name.removeprefix(ACCELERATOR_PREFIX)
            raise InvalidInput(
                f"{amount} of {what} do not spread evenly over {nodes} nodes: "
                f"ask for a multiple of {nodes}, or for other --nodes"
            )
    each = Resources.from_amounts({name: amount // nodes for name, amount in total.amounts()})
    return Pool(tuple(Node(NodeId(f"node-{number}"), each) for number in range(1, nodes + 1)), is_plain)


@dataclass(slots=True)
class Gate:
    """Lets through the jobs that the pool could ever run, with what it counts of them."""

    pool: Pool
    _names: frozenset[AmountName] = field(init=False)
    _total: Resources = field(init=False)
    _counted: dict[Resources, Resources] = field(default_factory=dict[Resources, Resources])
    _pieces: dict[tuple[Resources, int], tuple[Resources, int] | None] = field(
        default_factory=dict[tuple[Resources, int], "tuple[Resources, int] | None"]
    )

    def __post_init__(self) -> None:
        self._total = self.pool.total
        self._names = frozenset(name for name, _ in self._total.amounts())

    def admitted(self, job: Job) -> Job:
        """Return the job as the pool counts it; raises `RowFault` for one that could never run on it."""
        counted = self._counted.get(job.resources)
        if counted is None:
            counted = self._counted[job.resources] = self._count(job.resources)
        if counted.is_zero:
            raise RowFault(Fault.NOT_COUNTED, f"it asks for {job.resources}; the pool has {self._total}")
        size = (counted, job.replicas)
        if size not in self._pieces:
            self._pieces[size] = self._fitted(counted, job.replicas)
        fitted = self._pieces[size]
        if fitted is None:
            raise RowFault(Fault.TOO_LARGE, self._why_too_large(counted, job.replicas))
        if fitted == (job.resources, job.replicas):
            return job
        return _resized(job, *fitted)

    def _count(self, resources: Resources) -> Resources:
        amounts = dict(resources.amounts())
        if self.pool.is_plain:
            accelerators = sum(count for _, count in resources.accelerators)
            amounts = {name: amount for name, amount in amounts.items() if not _is_accelerator(name)}
            amounts[AmountName(ACCELERATOR_PREFIX + GPU)] = accelerators
        return Resources.from_amounts({name: n for name, n in amounts.items() if name in self._names})

    def _fitted(self, each: Resources, replicas: int) -> tuple[Resources, int] | None:
        """Return replicas that nodes can hold: as asked, or one replica too large for any node in pieces."""
        if self._holds(each, replicas):
            return each, replicas
        counts = [count for _, count in each.accelerators]
        most = min(counts, default=0) if replicas == 1 else 0
        for pieces in range(2, most + 1):
            if all(count % pieces == 0 for count in counts):
                piece = _piece(each, pieces)
                if self._holds(piece, pieces):
                    return piece, pieces
        return None

    def _holds(self, each: Resources, replicas: int) -> bool:
        """Say whether the nodes, all empty, hold so many."""
        if not (each * replicas).fits_in(self._total):
            return False
        room = 0
        for node in self.pool.nodes:
            room += min(node.capacity.get(name) // amount for name, amount in each.amounts())
            if room >= replicas:
                return True
        return False

    def _why_too_large(self, each: Resources, replicas: int) -> str:
        asked = f"{replicas} x {each}" if replicas > 1 else str(each)
        on = f"{len(self.pool.nodes)} nodes" if len(self.pool.nodes) > 1 else "one node"
        return f"it asks for {asked}; the pool has {self._total} on {on}"


def _is_accelerator(name: AmountName) -> bool:
    return name.startswith(ACCELERATOR_PREFIX)


def _piece(each: Resources, pieces: int) -> Resources:
    """Divide by a number that goes into the accelerators; the rest is rounded up."""
    counts: Mapping[Flavor, int] = {flavor: count // pieces for flavor, count in each.accelerators}
    return Resources.of(-(-each.cpu_millis // pieces), -(-each.mem_mib // pieces), counts)


def _resized(job: Job, resources: Resources, replicas: int) -> Job:
    # `dataclasses.replace` takes four times as long, for each job of a trace
    return Job(
        job.id,
        job.team,
        job.user,
        job.kind,
        job.submit_s,
        job.duration_s,
        replicas,
        resources,
        job.priority,
        job.max_seconds,
        job.session,
    )
