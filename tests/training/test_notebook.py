from __future__ import annotations

import ast
import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.training.cells import Cell, plain
from jupyterhub_mesos.training.notebook import NotebookSource, Parameter, read


def write(folder: Path, *cells: tuple[str, str], name: str = "work.ipynb") -> Path:
    """Write a notebook of code cells `(source, tag)`, with a markdown cell before the first."""
    raw: list[object] = [{"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}]
    for source, tag in cells:
        metadata = {"tags": tag.split()} if tag else {}
        raw.append({"cell_type": "code", "metadata": metadata, "source": source.splitlines(keepends=True)})
    path = folder / name
    path.write_text(json.dumps({"cells": raw, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def program(source: NotebookSource) -> str:
    return next(file.text for file in source.source.files if file.path == "train.py")


def run(text: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(text, "train.py", "exec", dont_inherit=True), names)
    return names


def test_parameters_and_train_cells_travel_in_order_and_nothing_else(tmp_path: Path) -> None:
    path = write(
        tmp_path, ("a = 1", "parameters"), ("1 / 0", ""), ("b = a + 1", "train"), ("1/0", "train skip")
    )
    names = run(program(read(path)))
    assert (names["a"], names["b"]) == (1, 2)


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.none()))
def test_a_parameter_arrives_as_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, value: Parameter
) -> None:
    path = write(tmp_path_factory.mktemp("p"), ("a = 1", "parameters"), ("b = a", "train"))
    names = run(program(read(path, {"a": value})))
    assert names["b"] == value
    assert type(names["b"]) is type(value)


@pytest.mark.parametrize("name", ["unknown", "a; import os", "class", ""])
def test_a_name_that_no_parameters_cell_sets_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, ("a = 1", "parameters"), ("b = a", "train"))
    with pytest.raises(WorkloadError, match=r"not a parameter.*set a"):
        read(path, {name: 1})


def test_a_notebook_without_a_train_cell_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="add the tag 'train'"):
        read(write(tmp_path, ("a = 1", "parameters")))


def test_an_error_names_the_cell_and_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, ("a = 1", "train"), ("b = 2\nc = = 3", "train"))
    with pytest.raises(WorkloadError, match="cell 3, line 2") as caught:
        read(path)
    assert (caught.value.cell, caught.value.line) == (3, 2)


def test_what_only_holds_in_a_notebook_is_refused_with_its_cell(tmp_path: Path) -> None:
    path = write(tmp_path, ("a = 1", "train"), ("await a", "train"))
    with pytest.raises(WorkloadError, match="cell 3 does not hold") as caught:
        read(path)
    assert caught.value.cell == 3


def test_magics_and_shell_lines_are_dropped_and_reported(tmp_path: Path) -> None:
    source = "%pip install x\nimport os\n!ls \\\n  -l\nfiles = !ls\nif os:\n    %time 1\nhelp?\na = 7 % 4"
    found = read(write(tmp_path, (source, "train"), ("%%bash\nrm x", "train")))
    assert [(line.cell, line.line) for line in found.dropped] == [
        (2, 1), (2, 3), (2, 4), (2, 5), (2, 7), (2, 8), (3, 1), (3, 2),
    ]  # fmt: skip
    assert run(program(found))["a"] == 3


def test_what_looks_like_a_magic_inside_a_string_or_brackets_stays() -> None:
    source = 'text = """\n%time\n!ls\nreally?\n"""\nnumber = (7\n  % 4)\n%matplotlib inline'
    cell = plain(Cell(1, source))
    names = run(cell.code)
    assert (names["text"], names["number"]) == ("\n%time\n!ls\nreally?\n", 3)
    assert [line.line for line in cell.dropped] == [8]


@given(st.text())
def test_any_text_is_a_cell_that_parses_or_an_error_with_its_place(text: str) -> None:
    try:
        cell = plain(Cell(4, text))
    except WorkloadError as error:
        refused = error
    else:
        ast.parse(cell.code)
        assert cell.code.count("\n") == text.count("\n")
        return
    assert refused.cell == 4
    assert refused.line is not None


@given(st.lists(st.sampled_from(["a = 1", "%time", "!ls", "b = 2", "%cd x"]), min_size=1))
def test_exactly_the_magics_are_dropped(lines: list[str]) -> None:
    cell = plain(Cell(1, "\n".join(lines)))
    assert [dropped.text for dropped in cell.dropped] == [line for line in lines if line[0] in "%!"]


@given(st.text())
def test_any_file_is_a_notebook_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("n") / "x.ipynb"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(WorkloadError):
        read(path)


@pytest.mark.parametrize(
    "document", ["[]", "{}", '{"cells": {}}', '{"cells": [1, null, {"cell_type": "code", "source": 3}]}']
)
def test_json_that_is_no_notebook_is_refused(tmp_path: Path, document: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(document)
    with pytest.raises(WorkloadError):
        read(path)


def test_another_language_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {"kernelspec": {"language": "R"}}}))
    with pytest.raises(WorkloadError, match="written in R"):
        read(path)


# ---- modules --------------------------------------------------------------------------------------


def test_local_modules_travel_with_all_that_they_import(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("from pack import deep\nimport json\n")
    (tmp_path / "unused.py").write_text("")
    pack = tmp_path / "pack" / "inner"
    pack.mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "deep.py").write_text("from .inner import leaf\n")
    (pack / "__init__.py").write_text("from . import leaf\n")
    (pack / "leaf.py").write_text("VALUE = 1\n")
    found = read(write(tmp_path, ("def f():\n    import layers", "train")))
    assert sorted(file.path for file in found.source.files) == [
        "layers.py", "pack/__init__.py", "pack/deep.py", "pack/inner/__init__.py", "pack/inner/leaf.py",
        "train.py",
    ]  # fmt: skip


def test_a_module_that_is_nowhere_is_named_with_its_cell(tmp_path: Path) -> None:
    path = write(tmp_path, ("import os", "train"), ("\nimport nowhere_at_all.x", "train"))
    with pytest.raises(WorkloadError, match="cell 3, line 2 imports 'nowhere_at_all'"):
        read(path)


def test_a_module_that_a_local_module_needs_and_that_is_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(
        "import os\nimport nowhere_at_all\ntry:\n    import optional_one\nexcept ImportError:\n    pass\n"
    )
    path = write(tmp_path, ("import layers", "train"))
    with pytest.raises(WorkloadError, match=r"layers\.py, line 2 imports 'nowhere_at_all'"):
        read(path)


def test_a_local_module_that_is_not_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("a =\n")
    with pytest.raises(WorkloadError, match=r"broken\.py, line 1 is not Python"):
        read(write(tmp_path, ("import broken", "train")))


def test_an_import_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("from ..secret import key\n")
    with pytest.raises(WorkloadError, match="leaves the notebook's folder"):
        read(write(tmp_path, ("import m", "train")))


def test_a_module_may_not_take_the_programs_name(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    with pytest.raises(WorkloadError, match="rename it"):
        read(write(tmp_path, ("import train", "train")))


# ---- lineage --------------------------------------------------------------------------------------


def test_a_notebook_outside_git_has_its_hash_only(tmp_path: Path) -> None:
    path = write(tmp_path, ("a = 1", "train"))
    source = read(path).source
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.notebook, source.commit, source.is_dirty) == ("work.ipynb", "", False)


def test_the_commit_travels_and_whether_the_notebook_differs_from_it(tmp_path: Path) -> None:
    path = write(tmp_path, ("a = 1", "train"))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "work.ipynb"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    (tmp_path / "stranger.txt").write_text("not part of the job")
    clean = read(path).source
    assert len(clean.commit) == 40
    assert not clean.is_dirty
    write(tmp_path, ("a = 2", "train"))
    assert read(path).source.is_dirty
