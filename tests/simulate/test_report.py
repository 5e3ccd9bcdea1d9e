"""The figures of a comparison on a trace that can be worked out by hand, and the files that hold them."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.simulate.engine import Simulation
from jupyterhub_mesos.simulate.plots import check_plots, write_plots
from jupyterhub_mesos.simulate.pool import Measure
from jupyterhub_mesos.simulate.report import (
    Looks,
    Outcome,
    overall_rows,
    quantile,
    step_of,
    team_rows,
    write_files,
)
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.window import EVERYTHING, Window
from jupyterhub_mesos_quota.model import Budget
from jupyterhub_mesos_quota.policy import Policy
from simulate_cases import job, owner, pool

TEAMS = owner("a", 2), owner("b", 2)
TRACE = [
    job("lent", 0, 7200, 4, of="a"),  # 2 of it are borrowed
    job("inside", 3600, 3600, 2, of="b"),  # takes them back, or waits for the end
    job("never", 3600, 60, 9, of="b"),  # more than there is: it waits for ever
]


def outcome(title: str, setting: Setting, window: Window = EVERYTHING) -> Outcome:
    looks = Looks.over(window, 3600.0)
    Simulation(TRACE, setting, looks.observers).run()
    return Outcome(title, looks, Measure("GPU"), setting.teams)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [outcome("takes", pool(4, *TEAMS)), outcome("waits", pool(4, *TEAMS, policy=Policy()))]


def test_each_figure_is_what_it_says(outcomes: list[Outcome]) -> None:
    takes, waits = (each.overall() for each in outcomes)
    assert (takes.jobs, takes.refused, takes.never_started) == (3, 0, 1)
    assert (takes.wait_mean_s, takes.wait_max_s, takes.at_once) == (0, 0, 1)
    assert (takes.evictions, takes.evicted_jobs, takes.lost_hours) == (1, 1, 4 * 60 / 3600)
    assert (waits.wait_mean_s, waits.wait_p50_s, waits.wait_p99_s, waits.at_once) == (1800, 0, 3600, 0.5)
    assert (waits.inside, waits.inside_max_s, waits.evictions) == (1, 3600, 0)
    assert waits.used_hours == 4 * 2 + 2
    assert (waits.guarantee, waits.held_mean, waits.held_max) == (4, pytest.approx(10 / 3), 4)


def test_a_team_has_its_own_row(outcomes: list[Outcome]) -> None:
    a, b = outcomes[1].by_team()
    assert (a.team, a.jobs, a.wait_max_s) == ("a", 1, 0)
    assert (b.team, b.jobs, b.never_started, b.wait_max_s) == ("b", 2, 1, 3600)


def test_only_what_came_within_the_window_counts() -> None:
    figures = outcome("takes", pool(4, *TEAMS), Window(1800.0, 5400.0)).overall()
    assert (figures.jobs, figures.inside, figures.never_started) == (2, 1, 1)


def test_the_tables_put_scenarios_side_by_side(outcomes: list[Outcome]) -> None:
    heads, takes, waits = overall_rows(outcomes)
    assert dict(zip(heads, waits, strict=True))["mean s"] == "1,800"
    assert (takes[0], takes[-2]) == ("takes", "1")
    assert list(team_rows(outcomes)) == [
        ("team", "jobs", "takes: mean s", "takes: p95 s", "waits: mean s", "waits: p95 s"),
        ("a", "1", "0", "0", "0", "0"),
        ("b", "2", "0", "0", "3,600", "3,600"),
    ]


def test_the_files_hold_every_figure(tmp_path: Path, outcomes: list[Outcome]) -> None:
    write_files(tmp_path, outcomes, {"jobs": 3})
    with (tmp_path / "teams.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scenario"], row["team"]) for row in rows] == [
        (scenario, team) for scenario in ("takes", "waits") for team in ("*", "a", "b")
    ]
    assert float(rows[5]["wait_max_s"]) == 3600
    with (tmp_path / "waits.csv").open(encoding="utf-8") as file:
        waits = {
            (row["scenario"], row["team"], row["percent"]): row["wait_s"] for row in csv.DictReader(file)
        }
    assert (waits["waits", "*", "50"], waits["waits", "*", "100"]) == ("0.0", "3600.0")
    with (tmp_path / "utilisation.csv").open(encoding="utf-8") as file:
        used = [
            (row["at_s"], row["used"], row["waiting"])
            for row in csv.DictReader(file)
            if row["scenario"] == "takes"
        ]
    assert used[0] == ("0.0", "4.0", "0.0")
    assert used[1] == (
        "3600.0",
        "2.0",
        "2.0",
    )  # the taker alone; who was taken, and who asks for too much, wait
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["jobs"] == 3
    assert [each["scenario"] for each in summary["scenarios"]] == ["takes", "waits"]
    assert summary["scenarios"][1]["busy"] == pytest.approx((7200 * 4 + 3600 * 2) / (10800 * 4))


def test_figures_of_a_pool_of_cores_are_in_cores() -> None:
    looks = Looks.over(EVERYTHING, 3600.0)
    Simulation(TRACE, pool(4, *TEAMS), looks.observers).run()
    assert Outcome("x", looks, Measure("CPU core", 2)).overall().lost_hours == 4 * 60 / 3600 / 2


def test_what_was_seen_can_be_kept_and_recalled(outcomes: list[Outcome]) -> None:
    looks = Looks.over(EVERYTHING, 3600.0)
    looks.recall(json.loads(json.dumps(outcomes[0].looks.saved())))
    again = Outcome("takes", looks, Measure("GPU"), outcomes[0].teams)
    assert (again.overall(), again.busy) == (outcomes[0].overall(), outcomes[0].busy)


def test_a_course_of_any_length_has_few_steps() -> None:
    assert (step_of(60), step_of(14 * 86400), step_of(365 * 86400)) == (3600, 2 * 3600, 37 * 3600)


@pytest.mark.parametrize(("part", "value"), [(0.01, 1), (0.5, 2), (0.75, 3), (0.76, 4), (1, 4)])
def test_a_quantile_is_the_smallest_that_so_many_do_not_exceed(part: float, value: int) -> None:
    assert quantile([1, 2, 3, 4], part) == value


# ---- plots ------------------------------------------------------------------------------------------


def test_every_plot_is_a_picture_of_its_size(tmp_path: Path, outcomes: list[Outcome]) -> None:
    paths = write_plots(tmp_path, outcomes)
    assert [path.name for path in paths] == ["utilisation.png", "waits.png", "teams.png", "evictions.png"]
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20]) == 990  # the width in the header
        assert len(content) > 5_000


def test_budgets_are_written_and_drawn_where_there_are_some(tmp_path: Path) -> None:
    spender = replace(TEAMS[0], budget=Budget(window_seconds=3600, team_hours=8))
    found = outcome("x", pool(4, spender, TEAMS[1], policy=Policy()))
    write_files(tmp_path, [found], {})
    with (tmp_path / "budgets.csv").open(encoding="utf-8") as file:
        used = [(row["team"], float(row["at_h"]), float(row["used_up"])) for row in csv.DictReader(file)]
    assert used == [("a", 0, 0.5), ("a", 1, 0.5)]
    assert write_plots(tmp_path, [found])[-1].name == "budgets.png"


def test_plots_without_any_job_are_drawn_still(tmp_path: Path) -> None:
    looks = Looks.over(EVERYTHING, 3600.0)
    assert len(write_plots(tmp_path, [Outcome("empty", looks, Measure("GPU"))])) == 4


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        Unavailable, match=r"pip install 'jupyterhub-mesos\[simulate\]', or ask for none, --no-plots"
    ):
        check_plots()
