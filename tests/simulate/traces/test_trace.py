"""A trace as a whole: what a first look finds, and the jobs that are left."""

from __future__ import annotations

from pathlib import Path

from jupyterhub_mesos.simulate.pool import Gate, even_pool
from jupyterhub_mesos.simulate.traces.faults import Fault
from jupyterhub_mesos.simulate.traces.reading import Defaults, TableJobs
from jupyterhub_mesos.simulate.traces.trace import Trace, fingerprint, open_table
from jupyterhub_mesos_quota.resources import Flavor, Resources
from trace_cases import written

CSV = """\
submit_s,duration_s,gpus,vc
50,100,2,a
10,30,9,a
20,30,4,b
20,10,1,stranger
30,-1,1,b
40,10,1,b
"""
POOL = even_pool(Resources.of(accelerators={Flavor("gpu"): 8}), is_plain=True)


def trace(path: Path) -> Trace:
    return Trace(TableJobs(open_table(path), {}, Defaults()), Gate(POOL).admitted, {"a", "b"})


def test_a_first_look_counts_jobs_teams_and_every_kind_of_bad_row(tmp_path: Path) -> None:
    survey = trace(written(tmp_path, "trace.csv", CSV)).survey(POOL.main)
    assert (survey.rows, survey.jobs, survey.first_s, survey.last_s) == (6, 3, 20, 50)
    assert survey.faults.counts == {Fault.TOO_LARGE: 1, Fault.UNKNOWN_TEAM: 1, Fault.NEGATIVE: 1}
    assert [str(row) for row in survey.faults.first] == [
        "line 3: it asks for 9 gpu; the pool has 8 gpu on one node",
        "line 5: there is no team 'stranger'",
        "line 6: duration_s is -1; 0 or more is possible",
    ]
    demand = survey.teams["b"]
    assert (demand.jobs, demand.largest, demand.amount_seconds) == (2, 4, 4 * 30 + 10)


def test_jobs_come_in_order_of_their_submission_though_the_trace_is_in_none(tmp_path: Path) -> None:
    found = trace(written(tmp_path, "trace.csv", CSV))
    survey = found.survey(POOL.main)
    assert not survey.is_in_order
    assert [job.submit_s for job in found.jobs(is_in_order=survey.is_in_order)] == [20, 40, 50]


def test_a_trace_in_order_is_known_as_one(tmp_path: Path) -> None:
    lines = CSV.splitlines()
    text = "\n".join([lines[0], lines[3], lines[6], lines[1]])
    assert trace(written(tmp_path, "trace.csv", text)).survey(POOL.main).is_in_order


def test_a_fingerprint_is_the_contents(tmp_path: Path) -> None:
    one = fingerprint(written(tmp_path, "one.csv", CSV))
    assert one == fingerprint(written(tmp_path, "same.csv", CSV))
    assert one != fingerprint(written(tmp_path, "other.csv", CSV + "\n"))
