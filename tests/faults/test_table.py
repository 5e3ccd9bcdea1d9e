"""`kill -9` of each process at each step of a notebook's life; what is left is what the table says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from faults.table import CELLS, STEPS, Act, Step, Victim, table_rows
from faults.town import BORROWER, OWNER, Town
from postgres import served
from soak import checks

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "what-happens-when-a-process-dies.md"
SAMPLE: Final = tuple((step, Victim.SERVICE) for step in STEPS if step.where)
"""On PostgreSQL: what depends on the ledger most."""


def names(cells: tuple[tuple[Step, Victim], ...]) -> list[str]:
    return [f"{step.name}-{victim}" for step, victim in cells]


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    yield from opened(tmp_path_factory)


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served() as server, server.database() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAK_LEDGER", url)
        yield from opened(tmp_path_factory)


def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("faults"))
    town.cloud.start()
    town.fill()
    yield town
    town.cloud.stop()


def kill_and_look(town: Town, step: Step, victim: Victim) -> None:
    others, waiting = town.others(), town.waiting()
    try:
        with town.acting(step):
            town.kill(victim, BORROWER if step.act is Act.TAKE_BACK else OWNER)
        checks.calm_down(town.world)
        checks.nothing_lost_or_doubled(town.world)
        assert town.end_of_subject() == step.ends[victim]
        assert town.others() == others  # what ran goes on, untouched
        assert town.waiting() == waiting
    finally:
        town.gate.open()
        town.clear()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("step", "victim"), CELLS, ids=names(CELLS))
def test_what_is_left_is_what_the_table_says(on_sqlite: Town, step: Step, victim: Victim) -> None:
    kill_and_look(on_sqlite, step, victim)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("step", "victim"), SAMPLE, ids=names(SAMPLE))
def test_the_table_holds_on_postgresql(on_postgresql: Town, step: Step, victim: Victim) -> None:
    kill_and_look(on_postgresql, step, victim)


def test_the_page_shows_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for row in table_rows():
        assert row in page, f"docs: {PAGE.name} lacks\n{row}"
