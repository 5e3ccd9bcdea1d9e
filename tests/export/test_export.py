from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export import export, formats
from jupyterhub_mesos.export.formats import Converted
from jupyterhub_mesos.export.runtime import Array
from jupyterhub_mesos.export.sklearn import SklearnFormat
from model_fixtures import Digits, export_digits, git, tags


def test_a_model_of_real_digits_becomes_a_tagged_bundle_in_git(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    lines: list[str] = []

    result = export_digits(digits, remote, tmp_path / "bundle", report=lines.append)

    assert result.ref == "digits/v1"
    steps = ["collect", "convert", "check", "test", "optimise", "bundle", "sign", "push", "register"]
    assert [line.split()[1] for line in lines] == steps
    assert tags(remote) == ["digits/v1"]
    in_git = git("--git-dir", str(remote), "ls-tree", "-r", "--name-only", "digits/v1").split()
    on_disk = [
        f"models/digits/{path.relative_to(result.directory)}" for path in result.directory.rglob("*.*")
    ]
    assert set(on_disk) <= set(in_git)
    assert (
        git("--git-dir", str(remote), "rev-parse", "main", "digits/v1^{commit}").split()
        == [result.commit] * 2
    )


def test_the_accuracy_in_the_manifest_is_the_originals(digits: Digits, bundle: Path) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())

    assert manifest["metrics"]["held_out_accuracy"] == pytest.approx(digits.accuracy)
    assert manifest["parity"]["differing_labels"] == 0
    assert manifest["parity"]["rows"] == len(digits.labels)


def test_the_manifest_says_where_the_model_came_from(
    digits: Digits, remote: Path, tmp_path: Path, home: Path
) -> None:
    git("init", "--quiet", str(home))
    notebook, data = home / "digits.ipynb", home / "digits.npz"
    notebook.write_text("{}")
    data.write_bytes(b"pixels")
    git("-C", str(home), "add", "digits.ipynb")
    git("-C", str(home), "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "x")
    notebook.write_text("{ }")

    result = export_digits(
        digits, remote, tmp_path / "b", notebook=notebook, job=("r-7", 2), lake_inputs=[data, "~/digits.npz"]
    )

    lineage = result.manifest.lineage
    assert lineage.notebook is not None
    assert lineage.job is not None
    assert lineage.notebook.commit == git("-C", str(home), "rev-parse", "HEAD").strip()
    assert lineage.notebook.is_dirty
    assert (lineage.job.request_id, lineage.job.generation) == ("r-7", 2)
    assert lineage.lake[0].sha256 == lineage.lake[1].sha256
    assert lineage.lake[0].size_bytes == 6
    assert {"scikit-learn", "skl2onnx", "onnx", "numpy"} <= set(lineage.environment)
    assert (result.manifest.author, result.manifest.team) == ("ada", "vision")


class PerturbedFormat(SklearnFormat):
    """Converts, then moves one weight of the real model."""

    def convert(self, model: Any, example: Array, name: str) -> Converted:
        converted = super().convert(model, example, name)
        proto = onnx.load_model_from_string(converted.content)
        for node in proto.graph.node:
            for attribute in node.attribute:
                if attribute.name == "coefficients":
                    attribute.floats[20] += 1.0
        return Converted(proto.SerializeToString(), converted.packages)


PERTURBED = PerturbedFormat()


def test_a_converted_model_that_answers_otherwise_is_not_exported(
    digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub_mesos.export.sklearn.FORMAT", PERTURBED)

    with pytest.raises(WorkloadError, match=r"on 397 rows .* the largest difference .* 0\.0001 is tolerated"):
        export_digits(digits, remote, tmp_path / "bundle")

    assert tags(remote) == []
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("model", "metric"),
    [
        (LinearRegression(), "held_out_r2"),
        (LinearSVC(), "held_out_accuracy"),
        (KMeans(n_clusters=10, n_init=1, random_state=0), None),
    ],
)
def test_other_estimators_pass_the_same_steps(
    digits: Digits, remote: Path, tmp_path: Path, model: Any, metric: str | None
) -> None:
    model.fit(digits.images / 16, digits.labels)
    rows = digits.images[:50] / 16

    result = export(
        model,
        name="other",
        example_inputs=rows,
        held_out=(rows, digits.labels[:50]),
        remote=str(remote),
        directory=tmp_path / "b",
        report=lambda _: None,
    )

    assert metric is None or metric in result.metrics


def test_a_classifier_of_words_keeps_its_words(digits: Digits, remote: Path, tmp_path: Path) -> None:
    words = np.asarray([f"digit {label}" for label in digits.labels])
    model = clone(digits.model).fit(digits.images, words)
    spoken = Digits(model, digits.images, words)

    result = export_digits(spoken, remote, tmp_path / "b")

    assert result.manifest.outputs[0].datatype == "BYTES"


def test_without_held_out_rows_the_test_says_that_it_was_left_out(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    result = export(
        digits.model,
        name="digits",
        example_inputs=digits.images[:7],
        remote=str(remote),
        directory=tmp_path / "b",
        report=lambda _: None,
    )

    assert "left out" in {step.name: step.result for step in result.steps}["test"]
    assert result.manifest.parity.rows == 7


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"name": "Digits!"}, InvalidInput, "small letters"),
        ({"version": "latest"}, InvalidInput, "v1, v2"),
        ({"example_inputs": np.zeros(64)}, WorkloadError, r"X\[:1\], not X\[0\]"),
        ({"example_inputs": np.zeros((2, 3))}, InvalidInput, "give both"),
        ({"example_inputs": np.asarray([[1, "a"]], dtype=object)}, WorkloadError, "of one type"),
        ({"lake_inputs": ["~/missing.npz"]}, InvalidInput, "in the lake"),
        ({"notebook": "~/missing.ipynb"}, InvalidInput, "no notebook"),
        ({"remote": "~/nowhere.git"}, InvalidInput, "git init --bare"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_cure(
    digits: Digits,
    remote: Path,
    tmp_path: Path,
    change: dict[str, Any],
    error: type[Exception],
    sentence: str,
) -> None:
    order: dict[str, Any] = {
        "name": "digits",
        "example_inputs": digits.images[:2],
        "held_out": (digits.images, digits.labels),
        "remote": str(remote),
        "directory": tmp_path / "b",
        "report": lambda _: None,
    }

    with pytest.raises(error, match=sentence):
        export(digits.model, **(order | change))

    assert tags(remote) == []


def test_an_object_of_no_known_framework_is_refused_by_its_type(remote: Path) -> None:
    with pytest.raises(
        WorkloadError, match=r"builtins\.dict cannot be exported; what can: models of sklearn"
    ):
        export({}, name="x", example_inputs=[[1.0]], remote=str(remote), report=lambda _: None)


def test_a_framework_is_added_by_one_line_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.FORMATS, "builtins", "jupyterhub_mesos.export.sklearn:FORMAT")

    assert formats.format_of({}).name == "scikit-learn"


def test_the_notebook_is_found_by_what_jupyter_says_of_the_kernel(
    digits: Digits, remote: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mine.ipynb").write_text("{}")
    monkeypatch.chdir(home)
    monkeypatch.setenv("JPY_SESSION_NAME", "from/another/root/mine.ipynb")

    lineage = export_digits(digits, remote, tmp_path / "b").manifest.lineage

    assert lineage.notebook is not None
    assert lineage.notebook.path == "mine.ipynb"
    assert lineage.notebook.commit == ""
