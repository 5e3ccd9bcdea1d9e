"""The service's own ledger as a trace, beside the service that has it open."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import service_rig as rig
from jupyterhub_mesos.errors import InvalidInput, LedgerError
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.ledger import Change
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces import ledger as described
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.ledger import LedgerJobs, ReadOnly, has_secret
from jupyterhub_mesos_quota.events import (
    AllocationGone,
    GoneReason,
)
from jupyterhub_mesos_quota.model import AllocationId, WorkloadKind
from postgres import PostgresServer
from trace_cases import ledger_history


def read(source: LedgerJobs) -> tuple[list[Job], list[RowFault]]:
    found = [job for _, job in source.jobs()]
    return (
        [job for job in found if isinstance(job, Job)],
        [fault for fault in found if isinstance(fault, RowFault)],
    )


async def test_a_request_is_a_job_that_ran_as_long_as_its_allocations(tmp_path: Path) -> None:
    clock = rig.Clock()
    async with rig.opened(tmp_path / "ledger.sqlite", clock) as ledger:
        await ledger_history(ledger, clock)
        source = LedgerJobs(ReadOnly.at(str(tmp_path)))
        jobs, faults = read(source)
    training, notebook = jobs
    assert (training.team, training.user, training.kind) == ("vision", "ada", WorkloadKind.TRAINING)
    assert (training.submit_s, training.duration_s, training.replicas) == (1000, 100 + 30, 2)
    assert training.resources == rig.SMALL
    # the ledger's last moment is 1300: the notebook had run since 1202
    assert (notebook.kind, notebook.submit_s, notebook.duration_s) == (WorkloadKind.NOTEBOOK, 1200, 98)
    assert [fault.fault for fault in faults] == [Fault.NEVER_RAN] * 2
    assert [team.id for team in source.teams()] == ["vision"]


async def test_the_same_moment_gives_the_same_jobs_while_the_service_goes_on(tmp_path: Path) -> None:
    clock = rig.Clock()
    async with rig.opened(tmp_path / "ledger.sqlite", clock) as ledger:
        await ledger_history(ledger, clock)
        before = LedgerJobs(ReadOnly.at(str(tmp_path)))
        jobs = read(before)[0]
        await ledger.apply(Change(AllocationGone(1999.0, AllocationId("notebook-1"), GoneReason.FINISHED)))
        assert read(LedgerJobs(ReadOnly.at(str(tmp_path)), before.until_s))[0] == jobs
        assert read(LedgerJobs(ReadOnly.at(str(tmp_path))))[0][1].duration_s == 1999 - 1202
        assert [job.duration_s for job in read(LedgerJobs(before.ledger, 1105.0))[0]] == [95]


async def test_a_ledger_in_postgresql_is_read_alike(postgresql: PostgresServer) -> None:
    clock = rig.Clock()
    with postgresql.database() as url:
        async with rig.opened(url, clock) as ledger:
            await ledger_history(ledger, clock)
            source = LedgerJobs(ReadOnly.at(url))
            jobs, faults = read(source)
        assert [(job.kind, job.submit_s, job.duration_s, job.resources) for job in jobs] == [
            (WorkloadKind.TRAINING, 1000, 130, rig.SMALL),
            (WorkloadKind.NOTEBOOK, 1200, 98, rig.SMALL),
        ]
        assert [fault.fault for fault in faults] == [Fault.NEVER_RAN] * 2
        assert [team.id for team in source.teams()] == ["vision"]
        with (
            pytest.raises(SQLAlchemyError, match="read-only transaction"),
            source.ledger.engine.begin() as open_,
        ):
            open_.execute(sa.text("DELETE FROM allocations"))


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("postgresql://hub:secret@db/ledger", True),
        ("postgresql://hub@db/ledger?password=secret", True),
        ("postgresql://hub:${LEDGER_PASSWORD}@db/ledger", False),
        ("postgresql://hub@db/ledger?sslmode=verify-full", False),
        ("/srv/capacity/state", False),
    ],
)
def test_a_password_in_a_url_is_seen(url: str, is_one: bool) -> None:
    assert has_secret(url) is is_one


async def test_nothing_is_written_into_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    clock = rig.Clock()
    async with rig.opened(path, clock) as ledger:
        await ledger_history(ledger, clock)
    before = path.read_bytes()
    read(LedgerJobs(ReadOnly.at(str(path))))
    assert path.read_bytes() == before
    with pytest.raises(LedgerError, match="readonly"):
        next(LedgerJobs(ReadOnly.at(str(path)))._rows(sa.text("DELETE FROM requests")))


@pytest.mark.parametrize("ours", [described.requests, described.allocations, described.teams])
def test_what_is_read_is_there_in_the_schema_of_the_service(ours: sa.TableClause) -> None:
    real = schema.metadata.tables[ours.name]
    assert {column.name for column in ours.columns} <= {column.name for column in real.columns}
    for column in ours.columns:
        assert isinstance(column.type, sa.JSON) == isinstance(real.columns[column.name].type, sa.JSON)


def test_where_there_is_no_ledger_it_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no ledger: name the service's state folder"):
        ReadOnly.at(str(tmp_path))


def test_a_file_that_is_no_ledger_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("no database at all, but long enough to look like one" * 9)
    with pytest.raises(LedgerError, match="cannot be read: file is not a database"):
        LedgerJobs(ReadOnly.at(str(tmp_path)))
