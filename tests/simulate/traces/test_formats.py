"""Each format, read from a file of its own layout: its jobs, and what is wrong with its rows by name."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.simulate.traces.faults import NAMED, Fault
from jupyterhub_mesos.simulate.traces.trace import Format
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources
from trace_cases import SACCT, SWF, read, written


def gpus(count: int, flavor: str = "gpu") -> Resources:
    return Resources.of(accelerators={Flavor(flavor): count})


# ---- CSV and JSON lines --------------------------------------------------------------------------

CSV = """\
submit_s,duration_s,gpus,vc
0,100,2,a
5,-3,1,a
7,30,many,b
9,30,1,
11,30
12,60,1,b
"""


def test_a_csv_gives_its_jobs_and_names_its_bad_lines(tmp_path: Path) -> None:
    jobs, faults = read(written(tmp_path, "trace.csv", CSV))
    assert [(job.id, job.team, job.submit_s, job.duration_s, job.resources) for job in jobs] == [
        ("2", "a", 0, 100, gpus(2)),
        ("7", "b", 12, 60, gpus(1)),
    ]
    assert [str(row) for row in faults.first] == [
        "line 3: duration_s is -3; 0 or more is possible",
        "line 4: gpus is 'many'; a number is possible",
        "line 5: vc is missing",
        "line 6: 2 cells; the first line names 4 columns",
    ]
    assert faults.counts == {Fault.NEGATIVE: 1, Fault.UNREADABLE: 2, Fault.MISSING: 1}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_seen(tmp_path: Path, separator: str) -> None:
    jobs, _ = read(written(tmp_path, "trace.csv", CSV.replace(",", separator)))
    assert [job.team for job in jobs] == ["a", "b"]


def test_a_gzipped_trace_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    assert read(path) == read(written(tmp_path, "trace.csv", CSV))


def test_only_the_first_bad_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    lines = "submit_s,duration_s,gpus,vc\n" + "1,-1,1,a\n" * (NAMED + 5)
    _, faults = read(written(tmp_path, "trace.csv", lines))
    assert (faults.bad, len(faults.first)) == (NAMED + 5, NAMED)
    assert faults.lines()[0] == f"{NAMED + 5} x negative value"
    assert faults.lines()[-1] == "  ... and 5 more"


def test_dates_units_and_every_field_are_read(tmp_path: Path) -> None:
    text = """\
ended_at;started_at;submitted_at;gpus;cpu_millis;mem_gib;workers;gpu_type;team;user;kind;priority;session
1970-01-01T01:00;1970-01-01T00:01;1970-01-01T00:00;2;1500;4;3;a100;vision;ann;notebook;-2;s1
"""
    (job,), faults = read(written(tmp_path, "trace.csv", text))
    assert not faults.counts
    assert job.resources == Resources.of(1500, 4096, {Flavor("a100"): 2})
    assert (job.submit_s, job.duration_s, job.replicas, job.user, job.kind, job.priority, job.session) == (
        0,
        3540,
        3,
        "ann",
        WorkloadKind.NOTEBOOK,
        -2,
        "s1",
    )


def test_json_lines_give_the_same_jobs(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"submit_s": 0, "duration_s": 100, "gpus": 2, "vc": "a"},
        {"submit_s": 5, "duration_s": 30, "gpus": 0.5, "vc": "a"},
        [1, 2],
        {"submit_s": 12, "duration_s": 60.0, "gpus": 1, "vc": 7},
    ]
    lines = "\n".join([*map(json.dumps, rows), "{broken", ""])
    jobs, faults = read(written(tmp_path, "trace.jsonl", lines))
    assert [(job.id, job.team, job.duration_s) for job in jobs] == [("1", "a", 100), ("4", "7", 60)]
    assert [row.where for row in faults.first] == ["line 2", "line 3", "line 5"]
    assert "this is no JSON object" in faults.first[1].sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "it is empty"), (b"\xff\xfe\x00s,\n", "no UTF-8"), (b"a,gpus,a\n", "two columns are named 'a'")],
)
def test_a_file_that_is_no_trace_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        read(path)


def test_a_cut_off_gzip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress((CSV * 10_000).encode())[:200])
    with pytest.raises(InvalidInput, match="not whole"):
        read(path)


# ---- Parquet ---------------------------------------------------------------------------------------


def test_parquet_gives_its_jobs_and_numbers_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "trace.parquet"
    columns: dict[str, list[object]] = {
        "submit_s": [0, 5, 9],
        "duration_s": [100, None, 30],
        "gpus": [2, 1, 8],
        "vc": ["a", "a", "b"],
    }
    pq.write_table(pa.table(columns), path)
    jobs, faults = read(path)
    assert [(job.id, job.team, job.resources) for job in jobs] == [("1", "a", gpus(2)), ("3", "b", gpus(8))]
    assert [str(row) for row in faults.first] == ["row 2: duration_s is missing"]


def test_a_file_that_is_no_parquet_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="this is no Parquet file"):
        read(written(tmp_path, "trace.parquet", CSV))


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        Unavailable, match=r"pip install 'jupyterhub-mesos\[simulate\]', or give the trace as CSV"
    ):
        read(written(tmp_path, "trace.parquet", "PAR1"))


# ---- the Standard Workload Format ------------------------------------------------------------------


def test_swf_gives_its_jobs_with_processors_as_cores_and_groups_as_teams(tmp_path: Path) -> None:
    jobs, faults = read(written(tmp_path, "trace.swf", SWF))
    assert [(job.id, job.team, job.user, job.submit_s, job.duration_s) for job in jobs] == [
        ("6", "1", "3", 0, 100),
        ("7", "2", "4", 60, 50),
        ("9", "2", "5", 80, 30),
    ]
    # job 2 says only how many it asked for
    assert [job.resources.cpu_millis for job in jobs] == [8000, 16000, 4000]
    assert faults.passed_over == {Fault.NEVER_RAN: 1}
    assert [str(row) for row in faults.first] == ["line 10: 3 numbers; the format has 18 in each line"]


def test_the_processors_and_teams_of_swf_can_be_told_otherwise(tmp_path: Path) -> None:
    jobs, _ = read(written(tmp_path, "trace.swf", SWF), "gpus=procs,team=queue")
    assert [(job.team, job.resources) for job in jobs] == [("1", gpus(8)), ("2", gpus(16)), ("1", gpus(4))]


# ---- Slurm's sacct ---------------------------------------------------------------------------------


def test_sacct_gives_its_jobs_with_accounts_as_teams_and_without_steps(tmp_path: Path) -> None:
    jobs, faults = read(written(tmp_path, "jobs.sacct", SACCT))
    assert [(job.id, job.team, job.user, job.duration_s, job.resources) for job in jobs] == [
        ("2", "vision", "ann", 3600, Resources.of(8000, 65536, {Flavor("a100"): 2})),
        ("4", "speech", "ben", 1800, Resources.of(4000, 4000, {Flavor("a100"): 1})),
    ]
    assert jobs[1].submit_s - jobs[0].submit_s == 10
    assert faults.passed_over == {Fault.NEVER_RAN: 1}
    assert [row.where for row in faults.first] == ["line 6"]
    assert "mem is 'many'" in faults.first[0].sentence


def test_a_dump_that_lacks_a_column_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no Account in its first line: dump it again with sacct"):
        read(written(tmp_path, "jobs.sacct", SACCT.replace("|Account|", "|Group|")))


# ---- which format --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (CSV, 2),
        ('{"submit_s": 0, "duration_s": 1, "gpus": 1, "vc": "a"}\n', 1),
        (SWF, 3),
        (SWF.split("think\n")[1], 3),
        (SACCT, 2),
    ],
    ids=["csv", "jsonl", "swf", "swf without a header", "sacct"],
)
def test_a_format_is_seen_without_an_ending(tmp_path: Path, content: str, count: int) -> None:
    assert len(read(written(tmp_path, "trace", content))[0]) == count


def test_a_format_that_is_named_wins(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, "trace.txt.csv", SWF), format_=Format.SWF)[0]) == 3


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        read(tmp_path / "nothing.csv")
