"""What travels with a notebook besides its cells and modules: named files, lake references, a difference."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.training.cells import TakenAlong
from jupyterhub_mesos.training.notebook import NotebookSource, read
from jupyterhub_mesos.wire import MAX_DIFF_CHARACTERS, MAX_SOURCE_BYTES, SourceFile


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for place in ("team", "shared"):
        (tmp_path / "lake" / place).mkdir(parents=True)
    return tmp_path


def write(folder: Path, *cells: tuple[str, str], metadata: object = None) -> Path:
    raw = [{"cell_type": "code", "metadata": {"tags": [tag]}, "source": source} for source, tag in cells]
    said = {} if metadata is None else {"jupyterhub_mesos": metadata}
    path = folder / "work.ipynb"
    path.write_text(json.dumps({"cells": raw, "metadata": said, "nbformat": 4, "nbformat_minor": 5}))
    return path


def paths(source: NotebookSource) -> list[str]:
    return [file.path for file in source.source.files]


def with_files(path: Path, *files: str) -> NotebookSource:
    return read(path, along=TakenAlong(files=files))


# ---- files ----------------------------------------------------------------------------------------


def test_named_files_travel_as_they_are_texts_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "config.yaml").write_text("rate: 0.1\nname: café\n")
    (tmp_path / "tokenizer" / "vocabulary.json").write_text("{}")
    (tmp_path / "tokenizer" / "merges.bin").write_bytes(bytes(range(256)))
    (tmp_path / "other.txt").write_text("stays")
    path = write(tmp_path, ("a = 1", "train"), metadata={"files": ["config.yaml"]})
    found = with_files(path, "tokenizer/*")
    assert paths(found) == ["train.py", "config.yaml", "tokenizer/merges.bin", "tokenizer/vocabulary.json"]
    content = {file.path: file.content() for file in found.source.files}
    assert content["config.yaml"] == "rate: 0.1\nname: café\n".encode()
    assert content["tokenizer/merges.bin"] == bytes(range(256))
    sent = type(found.source).model_validate_json(found.source.model_dump_json())
    assert sent == found.source


def test_a_folder_travels_whole_but_for_what_nobody_means(tmp_path: Path) -> None:
    for name in ("data/a.txt", "data/deep/b.txt", "data/.secret", "data/__pycache__/c.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    path = write(tmp_path, ("a = 1", "train"))
    assert paths(with_files(path, "data")) == ["train.py", "data/a.txt", "data/deep/b.txt"]
    assert paths(with_files(path, "data/.secret")) == ["train.py", "data/.secret"]


def test_a_module_that_is_named_too_travels_once(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("")
    found = with_files(write(tmp_path, ("import layers", "train")), "*.py")
    assert paths(found) == ["train.py", "layers.py"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.yaml", "no file 'absent.yaml' is beside the notebook"),
        ("*.absent", "no file"),
        ("../secret", "not in the notebook's folder"),
        ("/etc/passwd", "not in the notebook's folder"),
        ("~/lake/team/x", "let the code read it from there"),
        ("", "not in the notebook's folder"),
        ("train.py", "the job's own name: rename it"),
    ],
)
def test_a_file_that_cannot_travel_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "train.py").write_text("")
    with pytest.raises(WorkloadError, match=words):
        with_files(write(tmp_path, ("a = 1", "train")), name)


def test_too_much_is_refused_before_it_is_read_and_the_largest_are_named(tmp_path: Path) -> None:
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(MAX_SOURCE_BYTES * 100)  # a hole: reading it would take the machine's memory
    path = write(tmp_path, ("a = 1", "train"))
    with pytest.raises(WorkloadError, match=r"800\.0 MiB together; at most 8 MiB.*lake.*weights\.bin"):
        with_files(path, "weights.bin")


@pytest.mark.parametrize("metadata", [[], {"files": "a.txt"}, {"files": [1]}, {"file": ["a.txt"]}])
def test_metadata_that_does_not_hold_is_said(tmp_path: Path, metadata: Any) -> None:
    with pytest.raises(WorkloadError, match="possible are 'files' and 'data'"):
        read(write(tmp_path, ("a = 1", "train"), metadata=metadata))


def test_a_file_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="is not base64"):
        SourceFile(path="a", text="***", is_base64=True)


# ---- the lake -------------------------------------------------------------------------------------


def test_references_are_found_in_cells_modules_and_parameters_and_named_once(home: Path) -> None:
    for name in ("shared/a.npz", "team/b.npz", "team/c.npz"):
        (home / "lake" / name).write_text("")
    (home / "reading.py").write_text('SOURCE = "~/lake/team/b.npz"\nAGAIN = "~/lake/shared/a.npz"\n')
    cells = (
        ('DATA = "~/lake/shared/missing.npz"\nKEPT = "s3://bucket/rows.parquet"', "parameters"),
        ('import reading\nopen("~/lake/shared/a.npz")\nname = f"~/lake/team/{reading}"', "train"),
    )
    found = read(write(home, *cells), {"DATA": "~/lake/team/c.npz"}, along=TakenAlong(data=("lake://x/y",)))
    assert set(found.source.data) == {
        "s3://bucket/rows.parquet", "~/lake/shared/a.npz", "~/lake/team/b.npz", "lake://x/y",
        "~/lake/team/c.npz",
    }  # fmt: skip
    assert found.notes == ()


def test_data_that_is_not_there_is_said_at_once_with_cell_and_line(home: Path) -> None:
    path = write(home, ("a = 1", "train"), ('b = 2\nc = "~/lake/shared/absent.npz"', "train"))
    with pytest.raises(WorkloadError, match=r"cell 2, line 2 names ~/lake/shared/absent.npz") as caught:
        read(path)
    assert (caught.value.cell, caught.value.line) == (2, 2)


def test_what_may_be_an_output_is_only_noted_unless_it_is_declared(home: Path) -> None:
    path = write(home, ('OUT = "~/lake/team/result.npz"', "train"))
    assert read(path).notes == ("cell 1, line 1 names ~/lake/team/result.npz, which is not there now",)
    with pytest.raises(WorkloadError, match="which is not there"):
        read(path, along=TakenAlong(data=("~/lake/team/result.npz",)))


def test_a_pattern_names_what_matches_it(home: Path) -> None:
    path = write(home, ('files = "~/lake/shared/*.npz"', "train"))
    with pytest.raises(WorkloadError, match="not there"):
        read(path)
    (home / "lake" / "shared" / "a.npz").write_text("")
    assert read(path).source.data == ("~/lake/shared/*.npz",)


def test_where_there_is_no_lake_nothing_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    source = read(write(tmp_path, ('a = "~/lake/shared/x"', "train"))).source
    assert source.data == ("~/lake/shared/x",)


def test_a_password_in_a_reference_never_travels_in_it(home: Path) -> None:
    path = write(home, ('a = "s3://key:secret@bucket/x"', "train"))
    with pytest.raises(WorkloadError, match="cell 1, line 1 holds a user name or password") as caught:
        read(path)
    assert "secret" not in str(caught.value)


def test_data_that_is_not_of_the_lake_is_refused(home: Path) -> None:
    with pytest.raises(WorkloadError, match="names nothing in the lake"):
        read(write(home, ("a = 1", "train")), along=TakenAlong(data=("data.csv",)))


# ---- the difference --------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "layers.py").write_text("RATE = 1\n")
    write(tmp_path, ("import layers", "train"))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    return tmp_path


def test_what_is_committed_has_no_difference(repository: Path) -> None:
    source = read(repository / "work.ipynb").source
    assert (len(source.commit), source.is_dirty, source.diff) == (40, False, "")


def test_the_difference_holds_what_travels_and_nothing_else(repository: Path) -> None:
    (repository / "layers.py").write_text("RATE = 2\n")
    (repository / "stranger.py").write_text("SECRET = 1\n")
    (repository / "config.yaml").write_text("new: yes\n")
    source = with_files(repository / "work.ipynb", "config.yaml").source
    assert source.is_dirty
    assert "-RATE = 1\n+RATE = 2\n" in source.diff
    assert "+new: yes\n" in source.diff, "a file that git does not know is an addition"
    assert "SECRET" not in source.diff


def test_the_difference_can_be_applied_to_the_commit(repository: Path, tmp_path_factory: Any) -> None:
    (repository / "layers.py").write_text("RATE = 2\n")
    (repository / "new.py").write_text("import layers\n")
    path = write(repository, ("import new", "train"))
    source = read(path).source
    clone = tmp_path_factory.mktemp("clone") / "c"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "apply", "-"], input=source.diff, text=True, check=True)
    for name in ("layers.py", "new.py", "work.ipynb"):
        assert (clone / name).read_bytes() == (repository / name).read_bytes()


def test_a_long_difference_is_cut_and_says_so(repository: Path) -> None:
    (repository / "layers.py").write_text("x = 1\n" * 300_000)
    diff = read(repository / "work.ipynb").source.diff
    assert len(diff) <= MAX_DIFF_CHARACTERS
    assert diff.splitlines()[-1].startswith("... cut here")
