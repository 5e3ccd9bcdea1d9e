"""The programs for the kernel, run as the browser has them run: as text, beside a notebook's variables."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from jupyterhub_mesos.lab.kernel import Order, Program, code
from jupyterhub_mesos.lab.messages import Candidates, ExportDone, ExportFailed, KernelEnvironment
from model_fixtures import bare_repository, git, set_hook, train_digits
from requirements import require

EXPORT: Order = {
    "model": "model",
    "name": "digits",
    "example_inputs": "rows",
    "held_out_rows": "rows",
    "held_out_labels": "labels",
    "description": "Reads digits.",
    "notebook": None,
}


def sayings(program: Program, order: Order, namespace: dict[str, Any], capsys: Any) -> list[dict[str, Any]]:
    before = set(namespace)
    exec(code(program, order).code, namespace)
    assert set(namespace) - before <= {"__builtins__"}, "nothing is left in the notebook"
    printed = capsys.readouterr().out.split("\n")  # splitlines takes \x1e for an end, too
    return [json.loads(line.partition("\x1e")[2]) for line in printed if "\x1e" in line]


def candidates(namespace: dict[str, Any], capsys: Any) -> Candidates:
    (saying,) = sayings("candidates", {"frameworks": ["sklearn"]}, namespace, capsys)
    return Candidates.model_validate_json(json.dumps(saying))


def test_models_are_listed_with_signature_and_size_the_newest_fitted_one_first(capsys: Any) -> None:
    digits = train_digits()
    found = candidates(
        {
            "empty": LogisticRegression(),
            "old": LogisticRegression().fit([[0.0], [1.0]], [0, 1]),
            "model": digits.model,
            "images": digits.images,
            "labels": digits.labels,
            "LogisticRegression": LogisticRegression,
            "np": np,
            "number": 3,
            "_hidden": digits.model,
        },
        capsys,
    )
    assert [(model.name, model.is_fitted) for model in found.models] == [
        ("model", True),
        ("old", True),
        ("empty", False),
    ]
    model = found.models[0]
    assert (model.type, model.framework, model.features) == ("Pipeline", "sklearn", 64)
    assert model.signature == "64 features → 10 classes"
    assert model.size_bytes is not None
    assert 5_000 < model.size_bytes < 50_000
    assert {(table.name, table.shape) for table in found.tables} == {
        ("images", digits.images.shape),
        ("labels", digits.labels.shape),
    }
    assert found.lacking == ""


def test_a_model_of_one_s_own_says_how_it_is_called(capsys: Any) -> None:
    class Own:
        def predict(self, rows: list[float], *, scale: float = 1.0) -> list[float]:
            return rows

    (model,) = candidates({"own": Own()}, capsys).models
    assert model.signature.startswith("predict(rows")
    assert model.size_bytes is None  # a class in a function cannot be saved


def test_objects_that_raise_at_every_look_are_survived(capsys: Any) -> None:
    class Nasty:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        @property
        def shape(self) -> Any:
            raise ValueError

    class NastyModel(Nasty):
        def predict(self) -> None:
            """Say nothing."""

    found = candidates({"a": Nasty(), "b": NastyModel()}, capsys)
    assert [model.name for model in found.models] == ["b"]


def test_a_transformer_says_what_it_makes(capsys: Any) -> None:
    (model,) = candidates({"scale": StandardScaler().fit([[1.0, 2.0]])}, capsys).models
    assert model.signature == "2 features → columns"


def test_it_runs_with_the_standard_library_alone_and_says_what_is_lacking(tmp_path: Path) -> None:
    program = "class Model:\n    def predict(self, rows): return rows\nmodel = Model()\n"
    program += code("candidates", {"frameworks": ["sklearn"]}).code
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr == ""
    found = Candidates.model_validate_json(done.stdout.partition("\x1e")[2])
    assert [model.name for model in found.models] == ["model"]
    assert "lacks jupyterhub_mesos, pydantic, numpy" in found.lacking
    assert "pip install" in found.lacking


# ---- environment -----------------------------------------------------------------------------------


def test_a_kernel_says_its_python_its_packages_and_what_it_lacks(capsys: Any) -> None:
    (saying,) = sayings("environment", {"modules": ["json", "numpy", "absent_one"]}, {}, capsys)
    found = KernelEnvironment.model_validate_json(json.dumps(saying))
    assert found.missing == ("absent_one",)
    assert found.environment.interpreter == sys.executable
    assert f"numpy=={np.__version__}" in found.environment.packages


def test_a_kernel_of_any_python_can_say_it(tmp_path: Path) -> None:
    program = code("environment", {"modules": ["numpy", "json"]}).code
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr == ""
    found = KernelEnvironment.model_validate_json(done.stdout.partition("\x1e")[2])
    assert (found.missing, found.environment.packages) == (("numpy",), ())


def torch_network() -> Any:
    require("torch and onnxscript are installed", find_spec("torch") and find_spec("onnxscript"))
    nn: Any = import_module("torch").nn
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def test_a_torch_module_is_listed_before_its_loss(capsys: Any) -> None:
    network = torch_network()
    loss = import_module("torch").nn.CrossEntropyLoss()

    found = candidates({"network": network, "loss": loss}, capsys)

    assert [(model.name, model.is_fitted) for model in found.models] == [("network", True), ("loss", False)]
    model = found.models[0]
    assert (model.type, model.framework) == ("Sequential", "torch")
    assert model.signature == "forward(input), 2,410 parameters"
    assert model.size_bytes is not None
    assert model.size_bytes > 4 * 2410
    assert found.lacking == ""


# ---- export ----------------------------------------------------------------------------------------


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("HOME", str(tmp_path))
    digits = train_digits()
    return {"model": digits.model, "rows": digits.images, "labels": digits.labels}


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare_repository(tmp_path / "models.git")


def test_an_export_says_each_step_and_the_version_that_it_pushed(
    namespace: dict[str, Any], remote: Path, capsys: Any
) -> None:
    said = sayings("exporting", {**EXPORT, "remote": str(remote)}, namespace, capsys)
    assert said[0] == {"say": "began"}
    steps = [saying["line"] for saying in said if saying["say"] == "step"]
    assert [line.split()[0] for line in steps] == [f"{n}/{len(steps)}" for n in range(1, len(steps) + 1)]
    done = ExportDone.model_validate_json(json.dumps(said[-1]))
    assert done.ref == "digits/v1"
    assert done.metrics["held_out_accuracy"] > 0.85
    assert git("-C", str(remote), "tag").split() == ["digits/v1"]


def test_a_torch_module_is_exported_and_the_optimisation_can_be_left_out(
    namespace: dict[str, Any], remote: Path, capsys: Any
) -> None:
    model = torch_network()
    rows = import_module("torch").tensor(namespace["rows"])
    order: Order = {**EXPORT, "remote": str(remote), "optimise": False}

    said = sayings("exporting", order, {**namespace, "model": model, "rows": rows}, capsys)

    ExportDone.model_validate_json(json.dumps(said[-1]))
    (line,) = [saying["line"] for saying in said if " optimise " in saying.get("line", "")]
    assert "left out" in line


def test_a_remote_that_refuses_is_said_in_its_own_words_after_the_steps_that_were_done(
    namespace: dict[str, Any], remote: Path, capsys: Any
) -> None:
    set_hook(remote, "echo 'no models on Fridays' >&2; exit 1")
    said = sayings("exporting", {**EXPORT, "remote": str(remote)}, namespace, capsys)
    failed = ExportFailed.model_validate_json(json.dumps(said[-1]))
    assert "no models on Fridays" in failed.sentence
    assert failed.detail == ""  # foreseen: no traceback
    assert [saying["say"] for saying in said[:-1]] == ["began"] + ["step"] * (len(said) - 2)
    assert git("-C", str(remote), "tag") == ""


def test_a_variable_that_has_gone_is_named(namespace: dict[str, Any], remote: Path, capsys: Any) -> None:
    del namespace["labels"]
    said = sayings("exporting", {**EXPORT, "remote": str(remote)}, namespace, capsys)
    assert "labels is not in the kernel any more" in said[-1]["sentence"]


def test_an_interrupt_ends_the_export_and_not_the_cell(
    namespace: dict[str, Any], remote: Path, capsys: Any
) -> None:
    class Interrupted:
        def __getitem__(self, at: object) -> Any:
            raise KeyboardInterrupt

    said = sayings(
        "exporting", {**EXPORT, "remote": str(remote)}, {**namespace, "rows": Interrupted()}, capsys
    )
    assert [saying["say"] for saying in said] == ["began", "failed"]
    assert "cancelled" in said[-1]["sentence"]
