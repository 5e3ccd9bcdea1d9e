"""Every machine that a test makes is audited at the test's end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Node, Team
from quota_cases import Bench, MakeBench


@pytest.fixture
def bench() -> Iterator[MakeBench]:
    made: list[Bench] = []

    def make(teams: Sequence[Team], nodes: Sequence[Node]) -> Bench:
        made.append(Bench(QuotaMachine(teams, nodes)))
        return made[-1]

    yield make
    for each in made:
        each.machine.audit_state()
