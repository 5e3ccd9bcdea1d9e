"""idle.yaml: the rules of idleness as an operator writes them, with the line of everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from jupyterhub_mesos.configuration.document import Document, read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.service.idle.rules import MINUTE, Rule, Signal
from jupyterhub_mesos.wire.base import Name, Positive, Wire

SignalName = Literal["kernel", "gpu", "cpu", "terminal", "tab"]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=32)]
Minutes = Annotated[float, Field(ge=0, le=525_600, allow_inf_nan=False)]
LongMinutes = Annotated[float, Field(gt=0, le=525_600, allow_inf_nan=False)]
"""At most a year: longer is `never`."""
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
ANY: Final = ""
"""Stands for every name that a rule does not name; no name is empty."""


class RuleModel(Wire):
    """One rule; what it leaves out is as in the rule named by `like`, or the usual."""

    name: Name
    like: Name | None = None
    profiles: Names | None = None
    teams: Names | None = None
    flavors: Names | None = None
    idle_minutes: LongMinutes | Literal["never"] | None = None
    signals: Annotated[tuple[SignalName, ...], Field(min_length=1)] | None = None
    gpu_percent: Percent | None = None
    cpu_millis: Positive | None = None
    burst_minutes: Minutes | None = None
    missing_minutes: LongMinutes | None = None


class RulesModel(Wire):
    """The file: rules in order, the first that is for a notebook holds."""

    rules: Annotated[tuple[RuleModel, ...], Field(max_length=256)] = ()


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read idle.yaml; raise `InvalidFile` with every problem and its line."""
    document = read(path)
    model = validated(document, RulesModel)
    if model is None:
        document.check()
        raise AssertionError(f"{path} does not hold, and nothing says why")  # pragma: no cover
    _note_second_names(document, model)
    _note_circles(document, model)
    document.check()
    by_name = {rule.name: rule for rule in model.rules}
    rules = tuple(_rule(rule, by_name) for rule in model.rules)
    _note_kernel_left_out(document, rules)
    _note_unreachable(document, rules)
    document.check()
    return rules


def _note_second_names(document: Document, model: RulesModel) -> None:
    seen: set[str] = set()
    for index, rule in enumerate(model.rules):
        if rule.name in seen:
            document.blame(
                ("rules", index, "name"), f"{rule.name!r} is the name of a rule above: choose another"
            )
        seen.add(rule.name)


def _note_circles(document: Document, model: RulesModel) -> None:
    likes = {rule.name: rule.like for rule in model.rules}
    for index, rule in enumerate(model.rules):
        place = ("rules", index, "like")
        if rule.like is not None and rule.like not in likes:
            names = ", ".join(likes)
            document.blame(place, f"there is no rule {rule.like!r}: name one of {names}, or leave it out")
        elif rule.name in (way := _way(rule.name, likes)):
            circle = " -> ".join([rule.name, *way])
            document.blame(place, f"the rules go round in a circle ({circle}): leave one `like` out")


def _way(name: str, likes: Mapping[str, str | None]) -> list[str]:
    """Return the rules that a rule is like, nearest first, each once."""
    way: list[str] = []
    following = likes.get(name)
    while following is not None and following not in way:
        way.append(following)
        following = likes.get(following)
    return way


def _rule(model: RuleModel, by_name: Mapping[str, RuleModel]) -> Rule:
    likes = {name: rule.like for name, rule in by_name.items()}
    chain = [model, *(by_name[name] for name in _way(model.name, likes))]
    said: dict[str, object] = {}
    for each in reversed(chain):
        said |= {key: value for key, value in each.model_dump().items() if value is not None}
    usual = Rule(model.name)
    merged = RuleModel.model_validate(said)
    return Rule(
        name=model.name,
        profiles=frozenset(model.profiles or ()),
        teams=frozenset(model.teams or ()),
        flavors=frozenset(model.flavors or ()),
        idle_s=_idle_s(merged, usual),
        signals=usual.signals if merged.signals is None else frozenset(map(Signal, merged.signals)),
        gpu_percent=usual.gpu_percent if merged.gpu_percent is None else merged.gpu_percent,
        cpu_millis=usual.cpu_millis if merged.cpu_millis is None else merged.cpu_millis,
        burst_s=_seconds(merged.burst_minutes, usual.burst_s),
        missing_s=_seconds(merged.missing_minutes, usual.missing_s),
    )


def _idle_s(model: RuleModel, usual: Rule) -> float | None:
    match model.idle_minutes:
        case None:
            return usual.idle_s
        case "never":
            return None
        case minutes:
            return minutes * MINUTE


def _seconds(minutes: float | None, usual: float) -> float:
    return usual if minutes is None else minutes * MINUTE


def _note_kernel_left_out(document: Document, rules: tuple[Rule, ...]) -> None:
    for index, rule in enumerate(rules):
        if Signal.KERNEL not in rule.signals:
            document.blame(
                ("rules", index, "signals"),
                "the kernel is left out, and a busy kernel is never idle: add kernel",
            )


def _note_unreachable(document: Document, rules: tuple[Rule, ...]) -> None:
    for index, rule in enumerate(rules):
        above = rules[:index]
        hiding = [next((each for each in above if _covers(each, case)), None) for case in _cases(rule)]
        if None not in hiding:
            names = ", ".join(dict.fromkeys(each.name for each in hiding if each is not None))
            document.blame(
                ("rules", index),
                f"{rule.name!r} is never reached: {names} above is for all of its notebooks; "
                "move it up or leave it out",
            )


def _cases(rule: Rule) -> Iterator[tuple[str, str, str]]:
    profiles, teams, flavors = (sorted(names) or [ANY] for names in (rule.profiles, rule.teams, rule.flavors))
    return product(profiles, teams, flavors)


def _covers(rule: Rule, case: tuple[str, str, str]) -> bool:
    named = (rule.profiles, rule.teams, rule.flavors)
    return all(not names or each in names for names, each in zip(named, case, strict=True))
