"""A policy file means what the core's policy means, and its mistakes are told with their lines."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from jupyterhub_mesos.configuration import InvalidFile, load_policy
from jupyterhub_mesos.configuration.policy import PolicyModel, PreemptModel, ReclaimModel
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY, Policy, Preempt, Reclaim
from jupyterhub_mesos_quota.strategies import LOWEST_USE


def loaded(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        loaded(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]


def test_an_empty_file_is_the_policy_of_the_core() -> None:
    assert PolicyModel().value() == DEFAULT_POLICY
    assert PolicyModel(reclaim=ReclaimModel()).value().reclaim == Reclaim()
    assert PolicyModel(preempt=PreemptModel()).value().preempt == Preempt()


def test_every_key_reaches_the_policy_in_seconds(tmp_path: Path) -> None:
    text = """\
strategy: lowest-use
half_life_hours: 168
patience_minutes: 90
budget_grace_minutes: 2
notice_minutes: 0.5
clear_seconds: 7
reclaim:
  min_runtime_minutes: 10
  grace_minutes: 0
  requeues_first: true
preempt:
  min_runtime_minutes: 1
  grace_minutes: 2
"""
    assert loaded(tmp_path, text) == Policy(
        strategy=LOWEST_USE,
        half_life_seconds=7 * 86400,
        patience_seconds=5400,
        budget_grace_seconds=120,
        notice_seconds=30,
        clear_seconds=7,
        reclaim=Reclaim(600, 0, requeues_first=True),
        preempt=Preempt(60, 120),
    )


def test_a_policy_of_the_core_has_no_field_that_a_file_cannot_say() -> None:
    said = {
        name.replace("_hours", "_seconds").replace("_minutes", "_seconds")
        for name in PolicyModel.model_fields
    }
    # how many have room laid aside at a time bounds the cost of a decision, and is nobody's to choose
    assert {field.name for field in fields(Policy)} - said == {"most_holds"}


def test_mistakes_are_told_with_their_lines_and_what_is_possible(tmp_path: Path) -> None:
    text = """\
strategy: fiar
half_life_hours: 0
patience_minutes: soon
reclaim:
  grace_min: 5
  min_runtime_minutes: -1
"""
    keys = "grace_minutes, min_runtime_minutes, requeues_first"
    assert refused(tmp_path, text) == [
        "policy.yaml:1: strategy: 'fiar' asked for; possible: 'fair', 'lowest-use', 'fifo'",
        "policy.yaml:2: half_life_hours: '0' asked for; a number of hours is due, above 0",
        "policy.yaml:3: patience_minutes: 'soon' asked for; a number of minutes is due",
        f"policy.yaml:5: reclaim.grace_min: unknown key; did you mean grace_minutes? possible here: {keys}",
        "policy.yaml:6: reclaim.min_runtime_minutes: '-1' asked for; a number of minutes is due, 0 or more",
    ]
