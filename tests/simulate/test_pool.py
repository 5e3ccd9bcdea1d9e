"""Which jobs a pool could run, and what it counts of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.pool import Gate, Pool, even_pool
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos_quota.model import Node, NodeId, WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources


def gpus(count: int, flavor: str = "gpu") -> Resources:
    return Resources.of(accelerators={Flavor(flavor): count})


JOB = Job("1", "a", "ann", WorkloadKind.TRAINING, 0, 60, 1, Resources.of(4000, 1024, {Flavor("a100"): 16}))


def test_amounts_are_spread_evenly_over_the_nodes() -> None:
    pool = even_pool(gpus(760), 95)
    assert len(pool.nodes) == 95
    assert {node.capacity for node in pool.nodes} == {gpus(8)}
    assert len({node.id for node in pool.nodes}) == 95
    assert (pool.total, pool.main) == (gpus(760), "accelerator/gpu")


def test_amounts_that_do_not_come_out_even_are_refused() -> None:
    with pytest.raises(InvalidInput, match="760 of gpu do not spread evenly over 100 nodes"):
        even_pool(gpus(760), 100)
    with pytest.raises(InvalidInput, match="holds nothing: say how much there is"):
        even_pool(Resources())


def test_what_the_pool_does_not_name_is_not_counted() -> None:
    job = Gate(even_pool(gpus(64, "a100"))).admitted(JOB)
    assert (job.resources, job.replicas) == (gpus(16, "a100"), 1)


def test_a_plain_pool_counts_accelerators_of_every_flavor_alike() -> None:
    assert Gate(even_pool(gpus(64), is_plain=True)).admitted(JOB).resources == gpus(16)


def test_a_job_that_asks_for_nothing_counted_is_passed_over() -> None:
    with pytest.raises(RowFault, match="it asks for 4 CPU, 1 GiB, 16 a100; the pool has 64 h200") as caught:
        Gate(even_pool(gpus(64, "h200"))).admitted(JOB)
    assert caught.value.fault is Fault.NOT_COUNTED
    assert not caught.value.fault.is_bad


@pytest.mark.parametrize(
    ("size", "pieces"), [(8, (8, 1)), (16, (8, 2)), (12, (6, 2)), (24, (8, 3)), (13, (1, 13))]
)
def test_a_job_larger_than_a_node_comes_in_equal_pieces(size: int, pieces: tuple[int, int]) -> None:
    job = Gate(even_pool(gpus(32), 4)).admitted(replace(JOB, resources=gpus(size)))
    assert (job.resources, job.replicas) == (gpus(pieces[0]), pieces[1])


def test_cores_and_memory_of_a_piece_are_rounded_up() -> None:
    pool = even_pool(Resources.of(64_000, 64_000, {Flavor("gpu"): 32}), 4)
    job = Gate(pool).admitted(replace(JOB, resources=Resources.of(5001, 1025, {Flavor("gpu"): 16})))
    assert (job.resources, job.replicas) == (Resources.of(2501, 513, {Flavor("gpu"): 8}), 2)


@pytest.mark.parametrize(
    ("each", "replicas"),
    [
        (gpus(33), 1),  # more than all
        (gpus(17), 1),  # no equal pieces but single ones, of which the nodes with 4 and 8 hold 12
        (gpus(3), 5),  # in sum there would be room, on the nodes there is none
        (Resources.of(9000, 0, {Flavor("gpu"): 1}), 1),  # more cores than any node has
    ],
)
def test_what_no_node_could_hold_is_too_large(each: Resources, replicas: int) -> None:
    nodes = (
        Node(NodeId("small"), Resources.of(8000, 0, {Flavor("gpu"): 4})),
        Node(NodeId("large"), Resources.of(8000, 0, {Flavor("gpu"): 8})),
    )
    with pytest.raises(RowFault, match="the pool has 16 CPU, 12 gpu on 2 nodes") as caught:
        Gate(Pool(nodes)).admitted(replace(JOB, resources=each, replicas=replicas))
    assert caught.value.fault is Fault.TOO_LARGE


def test_figures_are_about_the_commonest_accelerators_else_about_what_there_is() -> None:
    both = Resources.of(8000, 1024, {Flavor("a100"): 4, Flavor("h200"): 8})
    assert even_pool(both).main == "accelerator/h200"
    assert even_pool(Resources.of(8000, 1024)).main == "cpu_millis"
