# ruff: noqa: E501 - the formats have lines as long as they are
"""Small traces in every format, and what is read of them."""

from __future__ import annotations

from pathlib import Path

import service_rig as rig
from jupyterhub_mesos.service.ledger import Change, Ledger
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.columns import asked
from jupyterhub_mesos.simulate.traces.faults import Faults, RowFault
from jupyterhub_mesos.simulate.traces.reading import Defaults, TableJobs
from jupyterhub_mesos.simulate.traces.trace import Format, open_table
from jupyterhub_mesos_quota.events import (
    AllocationClaimed,
    AllocationGone,
    AllocationStarted,
    EndRequested,
    GoneReason,
)
from jupyterhub_mesos_quota.model import AllocationId, RequestId


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def read(
    path: Path, columns: str = "", *, team: str | None = None, format_: Format | None = None
) -> tuple[list[Job], Faults]:
    """The jobs of a trace, and what was wrong with its rows."""
    source = TableJobs(open_table(path, format_), asked(columns), Defaults(team=team))
    jobs, faults = list[Job](), Faults()
    for number, found in source.jobs():
        if isinstance(found, RowFault):
            faults.note(f"{source.noun} {number}", found)
        else:
            jobs.append(found)
    return jobs, faults


SWF = """\
; Version: 2.2
; Computer: a cluster of 4 nodes
; UnixStartTime: 1078934400
; MaxProcs: 64
; Note: fields are job submit wait run procs cpu mem reqprocs reqtime reqmem status user group exe queue part prev think
    1        0     10    100    8   95.0     -1    8    200     -1  1  3  1  -1  1 -1 -1 -1
    2       60      0     50   -1   -1       -1   16    100     -1  1  4  2  -1  2 -1 -1 -1
    3       70     -1     -1   -1   -1       -1    4    100     -1  5  4  2  -1  2 -1 -1 -1
    4       80      5     30    4   -1       -1    4    100     -1  0  5  2  -1  1 -1 -1 -1
    5       90      5
"""
"""The columns and notes of a trace of the Parallel Workloads Archive; job 3 was cancelled while it waited."""

SACCT = """\
JobID|User|Account|Submit|Start|End|ElapsedRaw|State|Timelimit|ReqTRES|AllocTRES
101|ann|vision|2024-03-01T08:00:00|2024-03-01T08:00:05|2024-03-01T09:00:05|3600|COMPLETED|1-00:00:00|billing=8,cpu=8,gres/gpu=2,mem=64G,node=1|billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=64G,node=1
101.batch||vision|2024-03-01T08:00:05|2024-03-01T08:00:05|2024-03-01T09:00:05|3600|COMPLETED||cpu=8,mem=64G,node=1|cpu=8,mem=64G,node=1
102_7|ben|speech|2024-03-01T08:00:10|2024-03-01T09:00:05|2024-03-01T09:30:05|1800|TIMEOUT|00:30:00|cpu=4,gres/gpu:a100=1,mem=4000M,node=1|cpu=4,gres/gpu:a100=1,mem=4000M,node=1
103|ben|speech|2024-03-01T08:05:00|None|2024-03-01T08:06:00|0|CANCELLED by 1000|01:00:00|cpu=4,gres/gpu=1,mem=4G,node=1|
104|cem|vision|2024-03-01T08:07:00|2024-03-01T08:07:00|2024-03-01T08:08:00|60|COMPLETED|01:00:00|cpu=2,mem=many,node=1|
"""
"""What `sacct --parsable2` prints: an array's job, a step, one cancelled before it ran, one that is damaged."""


async def _runs(ledger: Ledger, allocation: str, started: float, gone: float, reason: GoneReason) -> None:
    """An allocation that was granted runs from one moment to another."""
    id_ = AllocationId(allocation)
    await ledger.apply(Change(AllocationClaimed(started, id_)))
    await ledger.apply(Change(AllocationStarted(started, id_)))
    await ledger.apply(Change(AllocationGone(gone, id_, reason)))


async def ledger_history(ledger: Ledger, clock: rig.Clock) -> None:
    """A training that lost its node once, a notebook that runs, and two that never did."""
    await rig.add_node(ledger)
    await ledger.apply(rig.training(ledger, "job"))
    await _runs(ledger, "job-1", 1010.0, 1110.0, GoneReason.NODE_LOST)
    await _runs(ledger, "job-2", 1120.0, 1150.0, GoneReason.FINISHED)
    clock.now = 1200.0
    await ledger.apply(rig.notebook(ledger, "notebook", user="ben"))
    await ledger.apply(Change(AllocationClaimed(1201.0, AllocationId("notebook-1"))))
    await ledger.apply(Change(AllocationStarted(1202.0, AllocationId("notebook-1"))))
    await ledger.apply(rig.training(ledger, "too-late", replicas=4))
    clock.now = 1300.0
    await ledger.apply(Change(EndRequested(1300.0, RequestId("too-late"))))
    await ledger.apply(rig.training(ledger, "waits", replicas=4))
