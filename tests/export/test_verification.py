from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export import verify
from jupyterhub_mesos.export.__main__ import main
from jupyterhub_mesos.export.bundle import MODEL, VECTORS, read_manifest, write_manifest

FILES = [
    ".gitlab-ci.yml",
    "Dockerfile",
    "Jenkinsfile",
    "MODEL_CARD.md",
    "kubernetes/inferenceservice.yaml",
    "model/model.onnx",
    "requirements.lock",
    "test-vectors.npz",
]


def refused(bundle: Path) -> str:
    with pytest.raises(WorkloadError) as caught:
        verify(bundle, report=lambda _: None)
    return str(caught.value)


def test_an_untouched_bundle_passes_and_says_what_was_checked(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bundle)]) == 0

    printed = capsys.readouterr().out
    assert [line.split()[1] for line in printed.splitlines()] == [
        "bundle.json:",
        "model/model.onnx:",
        "test-vectors.npz:",
    ]


def test_the_list_of_files_is_all_of_the_bundle(bundle: Path) -> None:
    assert sorted(read_manifest(bundle).files) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named(bundle: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert f"{name} was changed" in refused(bundle)
    assert main([str(bundle)]) == 1
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()

    assert f"{name} is missing" in refused(bundle)


def test_an_extra_file_is_named(bundle: Path) -> None:
    (bundle / "model" / "more.bin").write_bytes(b"")

    assert "model/more.bin is not in bundle.json" in refused(bundle)


def test_a_link_in_place_of_a_file_is_named(bundle: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "card"
    (bundle / "MODEL_CARD.md").rename(elsewhere)
    (bundle / "MODEL_CARD.md").symlink_to(elsewhere)

    assert "MODEL_CARD.md is a link" in refused(bundle)


def test_a_changed_manifest_is_named(bundle: Path) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["metrics"]["held_out_accuracy"] = 1.0
    (bundle / "bundle.json").write_text(json.dumps(manifest))

    assert "bundle.json was changed" in refused(bundle)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [("version", 0, "version"), ("more", 1, "more"), ("files", {"x": "no sha"}, "files.x")],
)
def test_a_manifest_that_does_not_hold_names_the_key(
    bundle: Path, key: str, value: object, sentence: str
) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(manifest | {key: value}))

    assert f"bundle.json does not hold: {sentence}" in refused(bundle)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert "bundle.json is missing" in refused(tmp_path)


def test_vectors_that_the_model_answers_otherwise_are_refused_though_the_hashes_hold(bundle: Path) -> None:
    with np.load(bundle / VECTORS) as archive:
        vectors = {name: archive[name] for name in archive.files}
    vectors["output.probabilities"][0, 0] += 0.5
    np.savez(bundle / VECTORS, **vectors)
    write_manifest(bundle, read_manifest(bundle))

    assert "the largest difference is 0.5" in refused(bundle)


def test_a_model_that_is_no_onnx_is_refused_though_the_hashes_hold(bundle: Path) -> None:
    (bundle / MODEL).write_bytes(b"not a model")
    write_manifest(bundle, read_manifest(bundle))

    assert "not valid ONNX" in refused(bundle)


def test_vectors_are_never_unpickled(bundle: Path) -> None:
    np.savez(bundle / VECTORS, **{"input.X": np.asarray([{"a": 1}], dtype=object)})
    write_manifest(bundle, read_manifest(bundle))

    assert "test-vectors.npz cannot be read" in refused(bundle)
