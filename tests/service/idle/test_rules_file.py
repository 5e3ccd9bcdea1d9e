"""idle.yaml: what it may say, and the line of everything that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyterhub_mesos.configuration.document import InvalidFile
from jupyterhub_mesos.service.idle.rules import MINUTE, Rule, Signal
from jupyterhub_mesos.service.idle.rulesfile import RuleModel, load_rules

ROOT = Path(__file__).parents[3]


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "idle.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def refusals(tmp_path: Path, content: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidFile) as caught:
        load_rules(written(tmp_path, content))
    return [(problem.line, f"{problem.key}: {problem.sentence}") for problem in caught.value.problems]


def test_what_a_rule_leaves_out_is_as_in_the_rule_that_it_is_like(tmp_path: Path) -> None:
    patient, class_, rest = load_rules(
        written(
            tmp_path,
            "rules:\n"
            "  - {name: patient, teams: [vision], idle_minutes: 240, signals: [kernel, tab]}\n"
            "  - {name: class, like: patient, profiles: [class], burst_minutes: 5}\n"
            "  - {name: rest, idle_minutes: never}\n",
        )
    )
    assert patient.idle_s == class_.idle_s == 240 * MINUTE
    assert class_.signals == {Signal.KERNEL, Signal.TAB}
    assert (class_.teams, class_.profiles, class_.burst_s) == (frozenset(), {"class"}, 5 * MINUTE)
    assert rest == Rule("rest", idle_s=None)


def test_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    assert load_rules(written(tmp_path, "")) == ()


def test_an_unknown_signal_is_refused_with_its_line(tmp_path: Path) -> None:
    content = "rules:\n  - name: a\n    signals:\n      - kernel\n      - mouse\n"
    [(line, sentence)] = refusals(tmp_path, content)
    assert line == 5
    assert sentence == (
        "rules[0].signals[1]: 'mouse' asked for; possible: 'kernel', 'gpu', 'cpu', 'terminal', 'tab'"
    )


def test_an_unknown_key_is_refused_with_those_that_are_possible(tmp_path: Path) -> None:
    [(line, sentence)] = refusals(tmp_path, "rules:\n  - name: a\n    idle_minute: 5\n")
    assert line == 3
    assert "did you mean idle_minutes?" in sentence


def test_circular_rules_are_refused_each_with_its_line(tmp_path: Path) -> None:
    rules = ("{name: a, like: b, teams: [x]}", "{name: b, like: a, teams: [y]}", "{name: c, like: a}")
    content = "rules:\n" + "".join(f"  - {rule}\n" for rule in rules)
    found = refusals(tmp_path, content)
    assert [line for line, _ in found] == [2, 3]
    assert "(a -> b -> a): leave one `like` out" in found[0][1]


def test_a_rule_that_is_like_none_there_is_refused(tmp_path: Path) -> None:
    [(line, sentence)] = refusals(tmp_path, "rules:\n  - name: a\n    like: z\n")
    assert (line, sentence) == (
        3,
        "rules[0].like: there is no rule 'z': name one of a, or leave it out",
    )


@pytest.mark.parametrize(
    ("above", "rule"),
    [
        ("- {name: all}", "{name: late, teams: [x]}"),
        (
            "- {name: x, teams: [x]}\n  - {name: y, teams: [y, z]}",
            "{name: late, teams: [x, y], flavors: [h200]}",
        ),
    ],
)
def test_an_unreachable_rule_is_refused_with_its_line(tmp_path: Path, above: str, rule: str) -> None:
    content = f"rules:\n  {above}\n  - {rule}\n"
    [(line, sentence)] = refusals(tmp_path, content)
    assert line == content.count("\n")
    assert "'late' is never reached" in sentence


def test_a_rule_that_is_hidden_in_part_is_taken(tmp_path: Path) -> None:
    content = (
        "rules:\n  - {name: a, teams: [x], flavors: [h200]}\n  - {name: b, teams: [x, y], flavors: [h200]}\n"
        "  - {name: c, teams: [x]}\n  - {name: d}\n"
    )
    assert [rule.name for rule in load_rules(written(tmp_path, content))] == ["a", "b", "c", "d"]


def test_a_rule_without_the_kernel_is_refused_with_its_line(tmp_path: Path) -> None:
    [(line, sentence)] = refusals(tmp_path, "rules:\n  - name: a\n    signals: [gpu]\n")
    assert line == 3
    assert "add kernel" in sentence


@pytest.mark.parametrize(
    "value", ["idle_minutes: 0", "idle_minutes: -5", "gpu_percent: 101", "missing_minutes: .inf", "name: a b"]
)
def test_an_absurd_value_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    content = f"rules:\n  - {value}\n" + ("" if value.startswith("name") else "    name: a\n")
    assert [line for line, _ in refusals(tmp_path, content)] == [2]


def test_two_rules_of_one_name_are_refused_with_the_second_line(tmp_path: Path) -> None:
    [(line, _)] = refusals(tmp_path, "rules:\n  - {name: a, teams: [x]}\n  - {name: a}\n")
    assert line == 3


@pytest.mark.parametrize("page", ["docs/explanation/idle.md", "docs/how-to/replace-the-idle-culler.md"])
def test_every_rules_file_in_the_documentation_is_taken(tmp_path: Path, page: str) -> None:
    files = re.findall(r"```yaml\n(rules:.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert files
    for content in files:
        assert load_rules(written(tmp_path, content))


def test_every_key_and_signal_of_a_rule_is_documented() -> None:
    page = (ROOT / "docs/explanation/idle.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert keys == {*RuleModel.model_fields, *Signal}


def test_every_example_of_the_page_is_a_test() -> None:
    page = (ROOT / "docs/explanation/idle.md").read_text(encoding="utf-8")
    tests = (Path(__file__).parent / "test_worked_examples.py").read_text(encoding="utf-8")
    named = re.findall(r"\(`(test_\w+)`\)", page)
    assert len(named) >= 10
    assert [name for name in named if f"def {name}(" not in tests] == []
