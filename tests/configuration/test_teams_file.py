"""Every mistake in a teams.yaml is told with its line, what was asked, what is possible, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_mesos.configuration import InvalidFile, diff_teams, load_teams, team_values
from jupyterhub_mesos.configuration.teams import RESERVED_NAMES
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.lake import Lake
from jupyterhub_mesos.wire import BudgetModel, ResourcesModel, TeamModel, TeamsModel, UserCapsModel
from jupyterhub_mesos_quota.errors import TreeError
from jupyterhub_mesos_quota.model import Budget
from jupyterhub_mesos_quota.resources import ACCELERATORS, CPU_MILLIS, MEM_MIB, SESSIONS, UNLIMITED

SHIPPED = Path(__file__).parents[2] / "config" / "teams.yaml"


def refused(tmp_path: Path, text: str) -> list[str]:
    """Return the lines of the refusal, each from the file's name on."""
    path = tmp_path / "teams.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFile) as caught:
        load_teams(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{tmp_path}/") for line in lines]


def test_the_shipped_teams_hold() -> None:
    teams = {team.id: team for team in team_values(load_teams(SHIPPED))}
    assert set(teams) == {"lab", "vision", "speech"}
    assert teams["vision"].parent == "lab"
    assert teams["vision"].guarantee.cpu_millis == 2000
    assert teams["vision"].limit.get(MEM_MIB) == 5120
    assert teams["vision"].borrow.get(CPU_MILLIS) is UNLIMITED


def test_an_unknown_key_is_told_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "teams:\n  vision:\n    garantee: {cpu_millis: 1}\n")
    assert line.startswith("teams.yaml:3: teams.vision.garantee: unknown key; did you mean guarantee?")
    known = (
        "admin_groups, borrow, budget, groups, guarantee, lend, limit, max_session_minutes, parent, per_user"
    )
    assert f"possible here: {known}, title, weight" in line


def test_an_unknown_key_deep_inside_is_told_with_what_is_possible_there(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "teams:\n  vision:\n    limit:\n      cpu_milis: 1\n")
    assert line == (
        "teams.yaml:4: teams.vision.limit.cpu_milis: unknown key; did you mean cpu_millis? "
        "possible here: accelerators, cpu_millis, mem_mib"
    )


def test_an_unknown_key_at_the_top_is_told(tmp_path: Path) -> None:
    assert "teams.yaml:2: team: unknown key; did you mean teams?" in "\n".join(
        refused(tmp_path, "teams: {}\nteam: {}\n")
    )


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("-1", "'-1' asked for; a whole number from 0 is due"),
        (
            "1.5",
            "'1.5' asked for; a whole number from 0 is due, in thousandths of a core: 1.5 cores are 1500",
        ),
        ("2.0", "'2.0' asked for; a whole number from 0 is due"),
        ("two", "'two' asked for; a whole number from 0 is due"),
        ("'2000'", "'2000' asked for; a whole number from 0 is due"),
        ("yes", "'yes' asked for; a whole number from 0 is due"),
        ("", "'nothing' asked for; a whole number from 0 is due"),
        ("unlimited", "'unlimited' asked for; a whole number from 0 is due"),
        ("010", "'010' asked for; a whole number from 0 is due"),
        ("1:30", "'1:30' asked for; a whole number from 0 is due"),
        (".inf", "'.inf' asked for; a whole number from 0 is due"),
        ("99999999999", "'99999999999' asked for; at most 2147483647 is possible"),
        ("[1]", "this does not fit; a whole number from 0 is due"),
    ],
)
def test_an_amount_that_is_no_whole_number_is_refused(tmp_path: Path, written: str, told: str) -> None:
    (line,) = refused(tmp_path, f"teams:\n  a:\n    guarantee:\n      cpu_millis: {written}\n")
    assert line.startswith(f"teams.yaml:4: teams.a.guarantee.cpu_millis: {told}")


@pytest.mark.parametrize("written", ["-1", "0.5", "lots", "'3'"])
def test_a_bound_is_a_whole_number_or_the_word_unlimited(tmp_path: Path, written: str) -> None:
    (line,) = refused(tmp_path, f"teams:\n  a:\n    limit:\n      mem_mib: {written}\n")
    assert line.startswith("teams.yaml:4: teams.a.limit.mem_mib:")
    assert "a whole number from 0 is due, or the word unlimited, in MiB: 4 GiB are 4096" in line


def test_a_weight_of_nothing_is_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "teams:\n  a:\n    weight: 0\n")
    assert line == "teams.yaml:3: teams.a.weight: '0' asked for; a whole number from 1 is due"


def test_a_key_that_stands_twice_is_told_with_the_line_of_the_first(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "teams:\n  a: {}\n  b: {}\n  a: {}\n")
    assert line == "teams.yaml:4: teams.a: stands here a second time (first in line 2): keep one"


def test_an_unknown_parent_is_told_with_the_known_teams(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "teams:\n  a:\n    parent: lap\n  lab: {}\n")
    assert line.startswith("teams.yaml:3: teams.a.parent:")
    assert "'lap'" in line
    assert "a, lab" in line


def test_a_team_under_itself_is_told(tmp_path: Path) -> None:
    lines = refused(tmp_path, "teams:\n  a: {parent: b}\n  b: {parent: a}\n")
    assert "stands under itself" in lines[0]


def test_children_guaranteed_more_than_their_parent_are_told_at_the_parents_guarantee(tmp_path: Path) -> None:
    (line,) = refused(
        tmp_path,
        "teams:\n"
        "  lab:\n"
        "    guarantee: {cpu_millis: 1000}\n"
        "  a: {parent: lab, guarantee: {cpu_millis: 800}}\n"
        "  b: {parent: lab, guarantee: {cpu_millis: 700}}\n",
    )
    assert line.startswith("teams.yaml:3: teams.lab.guarantee:")
    assert "1.5 CPU together" in line
    assert "lower theirs to 1 CPU" in line


def test_a_limit_under_its_guarantee_is_told(tmp_path: Path) -> None:
    (line,) = refused(
        tmp_path, "teams:\n  a:\n    guarantee: {mem_mib: 2048}\n    limit:\n      mem_mib: 1024\n"
    )
    assert line.startswith("teams.yaml:4: teams.a.limit:")
    assert "guaranteed 2 GiB" in line
    assert "1 GiB" in line


def test_all_problems_of_a_file_are_told_together_in_order_of_lines(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        "teams:\n  a:\n    weight: 0\n    colour: red\n  b: {guarantee: {cpu_millis: -4}}\n  a: {}\n",
    )
    assert [int(line.split(":")[1]) for line in lines] == [3, 4, 5, 6]


def test_all_problems_of_a_tree_are_told_together(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        "teams:\n"
        "  a: {guarantee: {cpu_millis: 2}, limit: {cpu_millis: 1}}\n"
        "  b: {parent: nobody}\n"
        "  c: {guarantee: {cpu_millis: 2}, limit: {cpu_millis: 1}}\n",
    )
    assert [int(line.split(":")[1]) for line in lines] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("teams:\n  a: {\n", 3, "no YAML"),
        ("teams:\n\ta: 1\n", 2, "no YAML"),
        ("teams: *nowhere\n", 1, "no YAML"),
        ("teams: &x\n  a: *x\n", 2, "levels deep"),
        ("- a\n- b\n", 1, "a mapping of keys to values is due"),
        ("", 1, "is missing"),
        ("teams: {}\n", 1, "there is no team"),
        ("teams:\n  a: 3\n", 2, "a mapping of keys to values is due"),
        ("teams:\n  a:\n    groups: vision\n", 3, "a list is due"),
        ("teams:\n  a:\n    groups:\n      - [x]\n", 4, "a text is due"),
        ("teams:\n  'a b': {}\n", 2, "not a possible name"),
        ("teams:\n  ? [a, b]\n  : {}\n", 2, "a key is a word"),
    ],
)
def test_a_file_of_another_shape_is_refused_at_the_line(
    tmp_path: Path, text: str, line: int, word: str
) -> None:
    lines = refused(tmp_path, text)
    assert any(told.startswith(f"teams.yaml:{line}:") and word in told for told in lines), lines


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.yaml: cannot read it"):
        load_teams(tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_text_is_refused_at_the_line(tmp_path: Path) -> None:
    path = tmp_path / "teams.yaml"
    path.write_bytes(b"teams:\n  a: {title: \xff}\n")
    with pytest.raises(InvalidFile, match=r"teams\.yaml:2: this is no UTF-8"):
        load_teams(path)


def test_names_that_yaml_takes_for_truths_and_numbers_stay_names(tmp_path: Path) -> None:
    path = tmp_path / "teams.yaml"
    path.write_text("teams:\n  no: {}\n  7: {parent: 'no'}\n", encoding="utf-8")
    assert list(load_teams(path).teams) == ["no", "7"]


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_team_that_the_lake_has_no_folder_for_is_refused_at_its_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "teams.yaml"
    path.write_text(f"teams:\n  lab: {{}}\n  {name}: {{}}\n", encoding="utf-8")
    with pytest.raises(InvalidFile, match=rf"teams\.yaml:3: teams\.{name}: a team may not be named '{name}'"):
        load_teams(path)
    with pytest.raises(InvalidInput):
        Lake(tmp_path).path(name)


def test_a_tree_that_came_another_way_is_refused_by_the_core() -> None:
    model = load_teams(SHIPPED)
    teams = {**model.teams, "lab": model.teams["lab"].model_copy(update={"parent": "lost"})}
    with pytest.raises(TreeError):
        team_values(TeamsModel(teams=teams))


# ---- what one user may hold, budgets, sessions -------------------------------------------------


def test_caps_budgets_and_sessions_are_what_the_core_is_told(tmp_path: Path) -> None:
    path = tmp_path / "teams.yaml"
    path.write_text(
        "teams:\n"
        "  a:\n"
        "    per_user: {accelerators: 2, sessions: 3, cpu_millis: 4000}\n"
        "    budget: {window_days: 7, team_hours: 500, user_hours: 100}\n"
        "    max_session_minutes: 480\n"
        "  b: {budget: {window_hours: 36, user_hours: 5}}\n",
        encoding="utf-8",
    )
    model = load_teams(path)
    a, b = team_values(model)
    assert dict(a.per_user.by_name) == {ACCELERATORS: 2, SESSIONS: 3, CPU_MILLIS: 4000}
    assert a.budget == Budget(7 * 86400, 500, 100)
    assert b.budget == Budget(36 * 3600, UNLIMITED, 5)
    assert (b.per_user.by_name, model.teams["a"].max_session_minutes) == ((), 480)


FROM_ONE = "a whole number from 1 is due"
WINDOW = "a budget has one window: write window_days or window_hours, for instance window_days: 7"
BOUND = "a budget bounds something: write team_hours, user_hours, or leave budget out"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("budget: {team_hours: 5}", f"budget: this does not fit; {WINDOW}"),
        ("budget: {window_days: 7, window_hours: 3, team_hours: 5}", f"budget: this does not fit; {WINDOW}"),
        ("budget: {window_days: 7}", f"budget: this does not fit; {BOUND}"),
        ("budget: {window_days: 0, team_hours: 5}", f"budget.window_days: '0' asked for; {FROM_ONE}"),
        (
            "budget: {window_days: 7, team_hours: 1.5}",
            f"budget.team_hours: '1.5' asked for; {FROM_ONE}, or the word unlimited",
        ),
        ("budget: {window_days: 7, hours: 5}", "budget.hours: unknown key; did you mean user_hours?"),
        ("per_user: {accelerators: -1}", "per_user.accelerators: '-1' asked for; a whole number from 0"),
        ("per_user: {gpus: 1}", "per_user.gpus: unknown key; possible here: accelerators, cpu_millis"),
        ("max_session_minutes: 0", f"max_session_minutes: '0' asked for; {FROM_ONE}, or the word unlimited"),
    ],
)
def test_a_cap_a_budget_or_a_session_that_does_not_hold_is_told(
    tmp_path: Path, written: str, told: str
) -> None:
    (line,) = refused(tmp_path, f"teams:\n  a:\n    {written}\n")
    assert line.startswith(f"teams.yaml:3: teams.a.{told}")


# ---- differences ----------------------------------------------------------------------------------


def test_the_same_teams_differ_in_nothing() -> None:
    assert diff_teams(load_teams(SHIPPED), load_teams(SHIPPED)) == ()


def test_a_changed_amount_is_one_line_in_a_persons_words() -> None:
    before = load_teams(SHIPPED)
    vision = before.teams["vision"].model_copy(
        update={"guarantee": ResourcesModel(cpu_millis=2500, mem_mib=3072)}
    )
    (change,) = diff_teams(before, TeamsModel(teams={**before.teams, "vision": vision}))
    assert (change.team, change.field) == ("vision", "guarantee.cpu_millis")
    assert (change.before, change.after) == ("2 CPU", "2.5 CPU")


def test_added_and_removed_teams_are_told() -> None:
    full = load_teams(SHIPPED)
    less = TeamsModel(teams={name: team for name, team in full.teams.items() if name != "speech"})
    (removed,) = diff_teams(full, less)
    assert (removed.team, removed.field, removed.after) == ("speech", "team", "removed")
    added = diff_teams(less, full)
    assert added[0].after == "added"
    assert ("speech", "parent", "-", "lab") in {(c.team, c.field, c.before, c.after) for c in added}


def test_changed_caps_budgets_and_sessions_are_lines_in_a_persons_words() -> None:
    before = TeamsModel(teams={"a": TeamModel(per_user=UserCapsModel(sessions=1))})
    budget = BudgetModel(window_days=7, team_hours=500, user_hours=100)
    after = TeamModel(
        per_user=UserCapsModel(sessions=3, accelerators=1), budget=budget, max_session_minutes=90
    )
    lines = [(c.field, c.before, c.after) for c in diff_teams(before, TeamsModel(teams={"a": after}))]
    assert lines == [
        ("per_user.accelerators", "unlimited", "1 accelerator"),
        ("per_user.sessions", "1 session", "3 sessions"),
        ("budget", "-", "500 accelerator-hours in 7 days, 100 per user"),
        ("max_session", "unlimited", "90 min"),
    ]
    hourly = BudgetModel(window_hours=1, user_hours=2)
    (change,) = diff_teams(
        TeamsModel(teams={"a": after}),
        TeamsModel(teams={"a": after.model_copy(update={"budget": hourly})}),
    )
    assert change.after == "2 accelerator-hours per user in 1 hour"
