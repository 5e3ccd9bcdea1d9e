from __future__ import annotations

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.traces.columns import Field, Source, asked, recognise

PHILLY = ("submit_s", "duration_s", "gpus", "vc")


def test_the_common_names_are_recognised_with_their_units() -> None:
    found = recognise(("start_min", "dur_min", "gpus", "session"), {}, has_team=True)
    assert found == {
        Field.START: Source("start_min", 60.0),
        Field.DURATION: Source("dur_min", 60.0),
        Field.GPUS: Source("gpus"),
        Field.SESSION: Source("session"),
    }
    assert recognise(PHILLY, {}, has_team=False)[Field.TEAM] == Source("vc")


def test_what_is_told_wins_over_what_is_recognised() -> None:
    names = ("ts", "submit", "elapsed_ms", "gpu", "queue", "team")
    found = recognise(names, asked("submit=ts:ms,team=queue"), has_team=False)
    assert found[Field.SUBMIT] == Source("ts", 0.001)
    assert found[Field.TEAM] == Source("queue")
    assert found[Field.DURATION] == Source("elapsed_ms", 0.001)


def test_a_column_holds_one_field() -> None:
    found = recognise(("submit", "run", "procs", "group"), asked("gpus=procs"), has_team=False)
    assert Field.CPUS not in found


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("duration_s", "gpus", "vc"), "when a job was submitted.*duration_s, gpus, vc.*submit=NAME"),
        (("submit_s", "gpus", "vc"), "how long a job ran"),
        (("submit_s", "duration_s", "gpus"), "whose a job is.*--team NAME"),
        (("submit_s", "duration_s", "vc"), "how much a job holds"),
        (("submit_s", "duration_s", "gpus", "team", "vc"), "team may stand in team and vc"),
    ],
)
def test_a_column_that_is_missing_or_double_is_told_with_the_cure(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        recognise(names, {}, has_team=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("submit", "no FIELD=COLUMN; the fields are submit, start"),
        ("when=ts", "no FIELD=COLUMN"),
        ("submit=ts:years", "no unit of submit; possible: ms, s"),
        ("team=vc:s", "possible: none"),
    ],
)
def test_a_mapping_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        asked(text)


def test_a_told_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no column 'ts' for submit; the trace has submit_s"):
        recognise(PHILLY, asked("submit=ts"), has_team=False)
