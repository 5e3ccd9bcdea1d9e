from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_digits

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.export import export, optimise, prepare, publish, verify
from jupyterhub_mesos.export.formats import format_of
from jupyterhub_mesos.export.runtime import OnnxModel
from model_fixtures import tags
from requirements import require

require("torch and onnxscript are installed", find_spec("torch") and find_spec("onnxscript"))

torch: Any = import_module("torch")
nn: Any = torch.nn
QUIET: dict[str, Any] = {"report": lambda _: None}


def rows_and_labels() -> tuple[Any, Any]:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)


ROWS, LABELS = rows_and_labels()
TRAINING = 1400
HELD_OUT = (ROWS[TRAINING:], LABELS[TRAINING:])


def trained() -> Any:
    """A network with a dropout, which answers otherwise in training mode."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Dropout(0.5), nn.Linear(256, 10)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(ROWS[:TRAINING]), LABELS[:TRAINING]).backward()
        optimiser.step()
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return trained()


@pytest.fixture(scope="module")
def prepared(model: Any) -> Any:
    return prepare(model, name="digits", example_inputs=ROWS[:5], held_out=HELD_OUT, **QUIET)


def accuracy(model: Any) -> float:
    model.eval()
    with torch.no_grad():
        right = (model(HELD_OUT[0]).argmax(1) == HELD_OUT[1]).float().mean().item()
    model.train()
    return float(right)


def test_a_network_answers_as_onnx_like_itself(model: Any, prepared: Any) -> None:
    assert prepared.framework == "torch"
    assert prepared.parity.rows == len(HELD_OUT[0])
    assert prepared.parity.largest_difference < 1e-4
    assert prepared.metrics["held_out_accuracy"] == pytest.approx(accuracy(model))
    assert prepared.metrics["held_out_accuracy"] > 0.85


def test_the_batch_is_free_and_the_signature_has_names(prepared: Any) -> None:
    onnx_model = OnnxModel(prepared.content)

    assert [(one.name, one.datatype, one.shape) for one in onnx_model.inputs] == [("input", "FP32", (-1, 64))]
    assert [(one.name, one.datatype, one.shape) for one in onnx_model.outputs] == [
        ("output", "FP32", (-1, 10))
    ]
    for count in (1, 7, 300):
        assert onnx_model.run({"input": ROWS[:count].numpy()})["output"].shape == (count, 10)


def test_a_network_in_training_is_exported_in_evaluation_and_left_in_training(model: Any) -> None:
    model.train()
    model[3].eval()

    first = prepare(model, name="n", example_inputs=ROWS[:60], **QUIET)

    assert [part.training for part in model] == [True, True, True, False, True]
    model.train()
    assert first.parity.largest_difference < 1e-4


def test_the_exporters_notes_stay_out_of_the_file_and_of_the_notebook(
    model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = format_of(model).convert(model, ROWS[:2].numpy(), "digits").content

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    assert str(Path(__file__).parent).encode() not in content
    assert b"stack_trace" not in content


def test_a_trained_network_goes_to_git_optimised(model: Any, remote: Path, tmp_path: Path) -> None:
    result = export(
        model,
        name="digits",
        example_inputs=ROWS[:5],
        held_out=HELD_OUT,
        remote=str(remote),
        directory=tmp_path / "b",
        **QUIET,
    )

    assert tags(remote) == ["digits/v1"]
    assert result.manifest.optimisation is not None
    assert result.manifest.optimisation.failed == {}
    assert verify(tmp_path / "b", **QUIET).manifest.model_type == "Sequential"
    assert "torch" in result.manifest.lineage.environment
    assert not [path for path in (tmp_path / "b").rglob("*") if path.suffix in {".pt", ".pkl"}]


def test_quantised_answers_are_measured_by_the_labels(prepared: Any) -> None:
    found = optimise(prepared, **QUIET).optimisation

    assert found is not None
    assert found.measure == "held_out_accuracy"
    assert found.candidates[0].value == pytest.approx(prepared.metrics["held_out_accuracy"], abs=0.03)


class Convolutions(nn.Module):  # type: ignore[misc] - torch has no types here
    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, 8, 3, padding=1)
        self.out = nn.Linear(8 * 64, 10)

    def forward(self, images: Any) -> Any:
        return self.out(torch.relu(self.filters(images)).flatten(1))


def test_images_through_convolutions_keep_their_axes(remote: Path, tmp_path: Path) -> None:
    images = ROWS[:80].reshape(-1, 1, 8, 8)
    prepared = prepare(
        Convolutions(), name="conv", example_inputs=images[:2], held_out=(images, LABELS[:80]), **QUIET
    )
    best = optimise(prepared, tolerance=1.0, **QUIET)

    publish(best, remote=str(remote), directory=tmp_path / "b", **QUIET)

    assert OnnxModel(best.content).inputs[0].shape == (-1, 1, 8, 8)
    assert best.optimisation is not None
    assert best.optimisation.failed == {}


class TwoHeads(nn.Module):  # type: ignore[misc] - as above
    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self.body, self.named = nn.Linear(64, 3), named

    def forward(self, rows: Any) -> Any:
        first = self.body(rows)
        return {"scores": first, "total": first.sum(1)} if self.named else (first, first.sum(1))


@pytest.mark.parametrize(("named", "names"), [(True, ["scores", "total"]), (False, ["output_0", "output_1"])])
def test_several_answers_keep_their_names(named: bool, names: list[str]) -> None:
    prepared = prepare(TwoHeads(named=named), name="two", example_inputs=ROWS[:9], **QUIET)

    assert [one.name for one in OnnxModel(prepared.content).outputs] == names
    assert list(prepared.expected) == names


@pytest.mark.parametrize("is_probability", [False, True])
def test_one_score_is_read_by_its_sign_and_a_probability_by_one_half(is_probability: bool) -> None:
    column = nn.Linear(64, 1)
    model = nn.Sequential(column, nn.Sigmoid(), nn.Flatten(0)) if is_probability else column
    truth = (LABELS[:90] > 4).long()

    prepared = prepare(model, name="s", example_inputs=ROWS[:2], held_out=(ROWS[:90], truth), **QUIET)

    with torch.no_grad():
        right = ((column(ROWS[:90])[:, 0] > 0).long() == truth).float().mean().item()
    assert prepared.metrics["held_out_accuracy"] == pytest.approx(right)


def test_values_are_measured_by_their_distance() -> None:
    values = np.linspace(0.0, 1.0, 90, dtype=np.float32)

    prepared = prepare(
        nn.Linear(64, 1), name="r", example_inputs=ROWS[:2], held_out=(ROWS[:90], values), **QUIET
    )

    assert set(prepared.metrics) == {"held_out_r2", "held_out_mean_absolute_error"}


def test_whole_numbers_that_are_no_classes_are_values() -> None:
    truth = LABELS[:90] * 100

    prepared = prepare(
        nn.Linear(64, 1), name="r", example_inputs=ROWS[:2], held_out=(ROWS[:90], truth), **QUIET
    )

    assert "held_out_r2" in prepared.metrics


def test_a_module_in_double_precision_is_exported_from_a_copy() -> None:
    model = nn.Linear(64, 4).double()

    prepared = prepare(model, name="d", example_inputs=ROWS[:60].double(), **QUIET)

    assert OnnxModel(prepared.content).inputs[0].datatype == "FP32"
    assert model.weight.dtype == torch.float64


def test_whole_numbers_go_to_a_module_that_takes_them() -> None:
    model = nn.Sequential(nn.Embedding(20, 8), nn.Flatten(), nn.Linear(24, 2))

    prepared = prepare(model, name="words", example_inputs=torch.randint(0, 20, (12, 3)), **QUIET)

    assert OnnxModel(prepared.content).inputs[0].datatype == "INT64"


class Airy(nn.Linear):  # type: ignore[misc] - as above
    def forward(self, rows: Any) -> Any:
        return torch.special.airy_ai(super().forward(rows))


class Decides(nn.Linear):  # type: ignore[misc] - as above
    def forward(self, rows: Any) -> Any:
        if rows.sum() > 0:
            return rows
        return super().forward(rows)


class Pair(nn.Linear):  # type: ignore[misc] - as above
    def forward(self, left: Any, right: Any) -> Any:
        return super().forward(left + right)


class Text(nn.Linear):  # type: ignore[misc] - as above
    def forward(self, rows: Any) -> Any:
        return [str(rows)]


def lazy() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lazy modules are "under heavy development", since 2021
        return nn.LazyLinear(4)


def not_finite() -> Any:
    model = nn.Linear(64, 4)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
    return model


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (lambda: Airy(64, 4), r"Airy uses torch's operator aten\.special_airy_ai, which ONNX does not have"),
        (lambda: Decides(64, 64), r"Decides decides by the values .*rows\.sum\(\) > 0.*torch\.where"),
        (lambda: Pair(64, 4), r"Pair\.forward takes left, right; modules of one tensor"),
        (lambda: Text(64, 4), r"answers with a str \(output_0\)"),
        (lambda: nn.Linear(10, 4), r"Linear fails on rows of torch\.float32 \[2, 64\]: .*Give rows as"),
        (lazy, r"weight has no shape yet: train the model"),
        (not_finite, r"weight holds numbers that are not finite"),
        (lambda: torch.jit.trace(nn.Linear(64, 4), ROWS[:2]), "TorchScript module cannot be exported"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_cure(
    model: Any, sentence: str, remote: Path, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit's own
        made = model()

    with pytest.raises(WorkloadError, match=sentence):
        export(made, name="x", example_inputs=ROWS[:5], remote=str(remote), directory=tmp_path / "b", **QUIET)

    assert tags(remote) == []
    assert not (tmp_path / "b").exists()


def test_a_kernel_without_onnxscript_is_told_what_to_install(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub_mesos.export.torch.find_spec", lambda _: None)

    with pytest.raises(WorkloadError, match=r"%pip install 'jupyterhub-mesos\[torch\]'"):
        prepare(model, name="x", example_inputs=ROWS[:5], **QUIET)


def test_what_wraps_a_module_for_training_is_taken_off(model: Any) -> None:
    prepared = prepare(nn.DataParallel(model), name="w", example_inputs=ROWS[:60], **QUIET)

    assert prepared.parity.largest_difference < 1e-4


def test_a_perturbed_conversion_is_caught(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def perturbed(proto: Any, name: str) -> Any:
        weight = next(one for one in proto.graph.initializer if len(one.dims) == 2)
        moved = onnx.numpy_helper.to_array(weight) + 0.01
        weight.CopyFrom(onnx.numpy_helper.from_array(moved.astype(np.float32), weight.name))
        return proto

    monkeypatch.setattr("jupyterhub_mesos.export.torch._stripped", perturbed)

    with pytest.raises(WorkloadError, match="does not answer like the original"):
        prepare(model, name="x", example_inputs=ROWS[:5], **QUIET)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
def test_a_module_on_the_gpu_is_exported_from_a_copy() -> None:
    model = trained().cuda()

    prepared = prepare(model, name="g", example_inputs=ROWS[:60].cuda(), tolerance=1e-3, **QUIET)

    assert next(model.parameters()).device.type == "cuda"
    assert prepared.parity.rows == 60
