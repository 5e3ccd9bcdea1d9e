from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export import Prepared, prepare, publish, verify
from model_fixtures import Digits, git, tags


@pytest.fixture
def prepared(digits: Digits) -> Prepared:
    return prepared_digits(digits)


def prepared_digits(digits: Digits, **more: Any) -> Prepared:
    order: dict[str, Any] = {
        "name": "digits",
        "example_inputs": digits.images[:5],
        "held_out": (digits.images, digits.labels),
        "report": lambda _: None,
    }
    return prepare(digits.model, **(order | more))


def test_preparing_takes_the_first_four_steps_and_needs_no_repository(digits: Digits) -> None:
    lines: list[str] = []

    prepared = prepared_digits(digits, report=lines.append)

    assert [line.split()[:2] for line in lines] == [
        ["1/4", "collect"],
        ["2/4", "convert"],
        ["3/4", "check"],
        ["4/4", "test"],
    ]
    assert prepared.metrics["held_out_accuracy"] == pytest.approx(digits.accuracy)


def test_a_repository_that_is_missing_is_told_before_the_work(digits: Digits, tmp_path: Path) -> None:
    lines: list[str] = []

    with pytest.raises(InvalidInput, match="git init --bare"):
        prepared_digits(digits, remote=str(tmp_path / "nowhere.git"), report=lines.append)

    assert lines == []


PUBLISH = """
import sys
from jupyterhub_mesos.export import Prepared, publish

prepared = Prepared.load(sys.argv[1])
publish(prepared, remote=sys.argv[2], directory=sys.argv[3], job=("r-1", 3), pipeline=("~/p.git", "c0ffee"),
        metrics={"training_loss": 0.5})
assert not {"sklearn", "skl2onnx"} & set(sys.modules), "the original is not needed any more"
"""


def test_another_process_publishes_what_was_saved_without_the_original(
    prepared: Prepared, remote: Path, tmp_path: Path
) -> None:
    prepared.save(tmp_path / "work" / "prepared")

    done = subprocess.run(
        (sys.executable, "-c", PUBLISH, str(tmp_path / "work/prepared"), str(remote), str(tmp_path / "b")),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert tags(remote) == ["digits/v1"]
    manifest = verify(tmp_path / "b", report=lambda _: None).manifest
    assert manifest.metrics == {"training_loss": 0.5, **prepared.metrics}
    assert manifest.lineage.pipeline is not None
    assert (manifest.lineage.pipeline.repository, manifest.lineage.pipeline.commit) == ("~/p.git", "c0ffee")
    assert manifest.lineage.environment == prepared.environment
    card = git("--git-dir", str(remote), "show", "digits/v1:models/digits/MODEL_CARD.md")
    assert "- Pipeline `~/p.git` at commit c0ffee." in card


def test_what_is_loaded_is_what_was_saved(prepared: Prepared, tmp_path: Path) -> None:
    loaded = Prepared.load(prepared.save(tmp_path / "p"))

    for name in ("name", "framework", "model_type", "task", "content", "parity", "metrics", "environment"):
        assert getattr(loaded, name) == getattr(prepared, name)
    np.testing.assert_array_equal(loaded.rows, prepared.rows)
    assert loaded.truth is not None
    assert prepared.truth is not None
    np.testing.assert_array_equal(loaded.truth, prepared.truth)
    assert set(loaded.expected) == set(prepared.expected)


def test_words_are_saved_without_pickle(digits: Digits, tmp_path: Path) -> None:
    words = np.asarray([f"digit {label}" for label in digits.labels])
    from sklearn.base import clone  # noqa: PLC0415 - only here

    spoken = Digits(clone(digits.model).fit(digits.images, words), digits.images, words)
    prepared = prepared_digits(spoken)

    loaded = Prepared.load(prepared.save(tmp_path / "p"))

    assert loaded.truth is not None
    assert loaded.truth.dtype == object
    assert loaded.truth[0] == words[0]


def test_saving_again_replaces_the_folder_and_leaves_nothing_beside_it(
    prepared: Prepared, tmp_path: Path
) -> None:
    prepared.save(tmp_path / "p")
    (tmp_path / "p" / "stale").write_text("")
    prepared.save(tmp_path / "p")

    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "arrays.npz",
        "model.onnx",
        "original.onnx",
        "prepared.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "p"]


def test_a_folder_with_something_else_is_not_overwritten(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")

    with pytest.raises(InvalidInput, match="something else"):
        prepared.save(tmp_path / "mine")

    assert (tmp_path / "mine" / "thesis.tex").read_text() == "all of it"


@pytest.mark.parametrize("name", ["model.onnx", "original.onnx", "arrays.npz", "prepared.json"])
def test_a_damaged_folder_is_refused_by_the_files_name(prepared: Prepared, tmp_path: Path, name: str) -> None:
    place = prepared.save(tmp_path / "p")
    (place / name).write_bytes((place / name).read_bytes()[:40])

    with pytest.raises(WorkloadError, match=name):
        Prepared.load(place)


def test_labels_of_another_length_are_refused(digits: Digits) -> None:
    with pytest.raises(WorkloadError, match=r"397 rows and labels of the shape \(3,\)"):
        prepared_digits(digits, held_out=(digits.images, digits.labels[:3]))


def test_held_out_rows_without_labels_are_compared_and_not_tested(digits: Digits) -> None:
    prepared = prepared_digits(digits, held_out=(digits.images, None))

    assert (prepared.parity.rows, dict(prepared.metrics)) == (len(digits.images), {})


def test_a_version_is_asked_for_at_the_publication(prepared: Prepared, remote: Path, tmp_path: Path) -> None:
    result = publish(
        prepared, remote=str(remote), version="v4", directory=tmp_path / "b", report=lambda _: None
    )

    assert (result.ref, tags(remote)) == ("digits/v4", ["digits/v4"])
