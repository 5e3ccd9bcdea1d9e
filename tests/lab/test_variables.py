"""The names that a pipeline's cells set, and which of them is likely what."""

from __future__ import annotations

import pytest

from jupyterhub_mesos.lab.messages import Roles
from jupyterhub_mesos.lab.variables import guess, variables_of
from jupyterhub_mesos.training.cells import Cell, PlainCell, plain


def cells(*sources: str) -> list[PlainCell]:
    return [plain(Cell(number, source)) for number, source in enumerate(sources, start=1)]


def names(*sources: str) -> list[tuple[str, int]]:
    return [(variable.name, variable.cell) for variable in variables_of(cells(*sources))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a, (b, *c) = load()", ["a", "b", "c"]),
        ("with open(p) as file:\n    data = file.read()", ["file", "data"]),
        ("if (n := len(x)):\n    y = [i for i in x]", ["n", "y"]),
        ("for i in x:\n    last = i", ["last"]),
        ("def f():\n    inner = g()\nclass C:\n    held = g()", []),
        ("EPOCHS = 3\nNAME: str = 'x'\n_own = g()", []),
        ("import numpy as np", []),
    ],
)
def test_what_the_notebook_s_own_scope_is_given_is_found(source: str, expected: list[str]) -> None:
    assert [name for name, _ in names(source)] == expected


def test_a_name_belongs_to_the_last_cell_that_sets_it() -> None:
    assert names("model = a()\nrows = b()", "model = c()") == [("rows", 1), ("model", 2)]


def roles(*sources: str) -> Roles:
    return guess(variables_of(cells(*sources)), [len(sources)])


def test_names_tell_what_is_what() -> None:
    data = "is_held_out = mask()\ntrain_images, train_labels = a()\ntest_images, test_target = b()"
    assert roles(data, "saved = load()\nnet = make(saved)") == Roles(
        model="net",
        example_inputs="test_images",
        held_out_rows="test_images",
        held_out_labels="test_target",
    )
    assert roles("X_test, y_test = split()", "clf = fit()").held_out_labels == "y_test"


def test_what_no_name_tells_is_left_to_the_person() -> None:
    assert roles("a = f()", "b = g(a)") == Roles(
        model="", example_inputs="", held_out_rows="", held_out_labels=""
    )
    only_rows = roles("test_rows = f()", "model = g()")
    assert (only_rows.example_inputs, only_rows.held_out_rows) == ("test_rows", "")
