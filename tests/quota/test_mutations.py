"""The mutations name lines of today's core, and the page has each; `mutations.py` itself takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from quota.mutations import CORE, MUTATIONS, Mutation

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "quota.md"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_that_is_broken_is_one_line_of_the_core_and_stands_on_the_page(mutation: Mutation) -> None:
    assert (CORE / mutation.file).read_text().count(mutation.line) == 1
    assert f"\n| {mutation.rule} |" in PAGE.read_text()
