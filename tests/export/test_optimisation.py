from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export import (
    Prepared,
    export,
    forms,
    optimisation,
    optimise,
    prepare,
    publish,
    push_bundle,
    verify,
)
from jupyterhub_mesos.export.forms import Form
from jupyterhub_mesos.export.runtime import Array, OnnxModel
from model_fixtures import Digits, export_digits, set_hook, tags

SILENT: dict[str, Any] = {"report": lambda _: None}


def network(digits: Digits, *layers: int, model: Any = None) -> Any:
    """A dense network whose weights weigh enough that int8 pays; it need not be trained to its end."""
    made = model or MLPClassifier(layers or (512, 512), max_iter=15, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return made.fit(digits.images[:200], digits.labels[:200])


@pytest.fixture(scope="module")
def prepared(digits: Digits) -> Prepared:
    return prepare(
        network(digits),
        name="digits",
        example_inputs=digits.images[:5],
        held_out=(digits.images[200:], digits.labels[200:]),
        **SILENT,
    )


@pytest.fixture(scope="module")
def optimised(prepared: Prepared) -> Prepared:
    return optimise(prepared, tolerance=0.05, **SILENT)


def test_every_form_is_measured_beside_the_original(optimised: Prepared) -> None:
    assert [one.name for one in optimised.candidates] == [
        "original",
        "int8-dynamic",
        "int8-static",
        "float16",
    ]
    found = optimised.optimisation
    assert found is not None
    assert (found.measure, found.failed) == ("held_out_accuracy", {})
    assert all(one.latency_us > 0 and one.size_bytes > 0 for one in found.candidates)
    assert [one.verdict for one in found.candidates if one.name == found.chosen] == ["chosen"]


def test_int8_is_kept_where_it_loses_nothing_that_counts(prepared: Prepared, optimised: Prepared) -> None:
    assert optimised.chosen.startswith("int8")
    assert len(optimised.content) < len(prepared.content) / 3
    chosen = next(one for one in optimised.candidates if one.name == optimised.chosen)
    assert chosen.drop <= 0.05
    assert optimised.metrics["held_out_accuracy"] == pytest.approx(chosen.value)


def test_rows_that_calibrate_are_not_measured(prepared: Prepared, optimised: Prepared) -> None:
    found = optimised.optimisation
    assert found is not None
    assert found.rows + found.calibration_rows == len(prepared.rows)
    assert 0 < found.calibration_rows <= len(prepared.rows) / 3
    assert optimised.parity.rows == found.rows


def operators(content: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_model_from_string(content).graph.node}


def test_only_products_of_matrices_become_dynamic_int8(prepared: Prepared) -> None:
    made = {form.name: form for form in forms.smaller_forms(prepared.original, prepared.rows)[0]}

    assert "MatMulInteger" in operators(made["int8-dynamic"].content)
    assert operators(prepared.original) - operators(made["int8-dynamic"].content) <= {
        "MatMul",
        "Gemm",
        "Identity",
    }
    assert "QuantizeLinear" in operators(made["int8-static"].content)


def test_callers_of_every_form_send_the_same(prepared: Prepared) -> None:
    original = OnnxModel(prepared.original)

    for form in forms.smaller_forms(prepared.original, prepared.rows)[0]:
        assert (form.model.inputs, form.model.outputs) == (original.inputs, original.outputs)


def test_a_form_that_loses_too_much_is_never_taken(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(content: bytes, calibration: Array) -> tuple[list[Form], dict[str, str]]:
        proto = onnx.load_model_from_string(content)
        for tensor in proto.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2:
                zeros = np.zeros(tensor.dims, np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))
        small = proto.SerializeToString()
        return [Form("int8-dynamic", small, OnnxModel(small))], {}

    monkeypatch.setattr(optimisation, "smaller_forms", broken)

    result = optimise(prepared, **SILENT)

    assert result.chosen == "original"
    assert result.content == prepared.original
    assert "loses 0." in result.candidates[1].verdict


def test_a_slower_form_is_not_taken_for_its_size(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(made: list[Form], rows: Array) -> tuple[dict[str, float], float]:
        return {form.name: 10.0 if form.name == "original" else 20.0 for form in made}, 0.05

    monkeypatch.setattr(optimisation, "_timed", timed)

    result = optimise(prepared, tolerance=1.0, **SILENT)

    assert result.chosen == "original"
    assert result.candidates[1].verdict == "2.00 times as slow as the original"
    assert result.metrics == prepared.metrics


def test_the_fastest_within_the_tolerance_is_taken(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"original": 10.0, "int8-dynamic": 9.9, "int8-static": 9.0, "float16": 5.0}
    monkeypatch.setattr(optimisation, "_timed", lambda made, rows: (times, 0.05))

    assert optimise(prepared, tolerance=1.0, **SILENT).chosen == "float16"


def test_where_none_is_faster_the_smallest_is_taken(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        optimisation, "_timed", lambda made, rows: (dict.fromkeys((f.name for f in made), 10.0), 0.05)
    )

    result = optimise(prepared, tolerance=1.0, **SILENT)

    sizes = {one.name: one.size_bytes for one in result.candidates}
    assert sizes[result.chosen] == min(sizes.values())
    assert result.optimisation is not None
    assert "none is faster" in result.optimisation.reason


def test_a_form_that_cannot_be_made_is_named_and_the_others_are_measured(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise RuntimeError("no such operator\nat great length")

    monkeypatch.setattr(forms, "_half", fails)

    found = optimise(prepared, **SILENT).optimisation

    assert found is not None
    assert found.failed == {"float16": "RuntimeError: no such operator"}
    assert len(found.candidates) == 3


def test_trees_are_left_alone_with_the_reason(digits: Digits) -> None:
    lines: list[str] = []
    forest = RandomForestClassifier(5, random_state=0).fit(digits.images, digits.labels)
    prepared = prepare(
        forest, name="f", example_inputs=digits.images, held_out=(digits.images, digits.labels), **SILENT
    )

    same = optimise(prepared, report=lines.append)

    assert same == prepared
    assert "left out: the model has no MatMul, Gemm or Conv" in lines[0]


def test_too_few_rows_are_not_measured_on(digits: Digits) -> None:
    lines: list[str] = []
    prepared = prepare(network(digits), name="n", example_inputs=digits.images[:10], **SILENT)

    assert optimise(prepared, report=lines.append).optimisation is None
    assert "left out: 10 rows are too few to measure on: give at least 50" in lines[0]


def test_without_labels_the_difference_to_the_original_is_measured(digits: Digits) -> None:
    prepared = prepare(network(digits), name="n", example_inputs=digits.images[:100], **SILENT)

    found = optimise(prepared, tolerance=0.0, **SILENT).optimisation

    assert found is not None
    assert found.measure == "difference"
    assert found.chosen == "original"
    assert found.candidates[0].drop == 0


def test_a_regression_is_measured_by_its_fit(digits: Digits) -> None:
    model = network(digits, model=MLPRegressor(hidden_layer_sizes=(400, 400), max_iter=30, random_state=0))
    prepared = prepare(
        model,
        name="r",
        example_inputs=digits.images[:5],
        held_out=(digits.images, digits.labels.astype(float)),
        **SILENT,
    )

    found = optimise(prepared, tolerance=0.05, **SILENT).optimisation

    assert found is not None
    assert found.measure == "held_out_r2"
    assert found.candidates[0].value == pytest.approx(prepared.metrics["held_out_r2"], abs=0.1)


def test_optimising_again_starts_from_the_original(prepared: Prepared, optimised: Prepared) -> None:
    again = optimise(optimised, tolerance=0.0, **SILENT)
    expected = optimise(prepared, tolerance=0.0, **SILENT)

    assert again.candidates[0].size_bytes == expected.candidates[0].size_bytes == len(prepared.original)


def test_a_tolerance_below_zero_is_refused(prepared: Prepared) -> None:
    with pytest.raises(InvalidInput, match=r"-1 is not possible: give 0 or more"):
        optimise(prepared, tolerance=-1, **SILENT)


def test_the_table_reaches_another_process_the_bundle_and_the_card(
    optimised: Prepared, remote: Path, tmp_path: Path
) -> None:
    loaded = Prepared.load(optimised.save(tmp_path / "p"))
    result = publish(loaded, remote=str(remote), directory=tmp_path / "b", **SILENT)

    assert result.manifest.optimisation == optimised.optimisation
    assert verify(tmp_path / "b", **SILENT).manifest.metrics == dict(optimised.metrics)
    assert (tmp_path / "b" / "model" / "model.onnx").read_bytes() == optimised.content
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert f"Published is `{optimised.chosen}`:" in card
    for one in optimised.candidates:
        assert f"| `{one.name}` | {one.size_bytes} |" in card


def test_an_int8_model_in_a_bundle_that_was_refused_is_pushed_later(
    optimised: Prepared, remote: Path, tmp_path: Path
) -> None:
    set_hook(remote, "echo 'not today' >&2; exit 1\n")
    with pytest.raises(Exception, match="not today"):
        publish(optimised, remote=str(remote), directory=tmp_path / "b", **SILENT)
    (remote / "hooks" / "pre-receive").unlink()

    assert push_bundle(tmp_path / "b", str(remote)).tag == "digits/v1"
    assert tags(remote) == ["digits/v1"]


def test_optimise_false_leaves_it_out(digits: Digits, remote: Path, tmp_path: Path) -> None:
    result = export_digits(digits, remote, tmp_path / "b", optimise=False)

    assert {step.name: step.result for step in result.steps}["optimise"].startswith(
        "left out: optimise=False"
    )


def test_export_optimises_by_itself(digits: Digits, remote: Path, tmp_path: Path) -> None:
    result = export(
        network(digits),
        name="digits",
        example_inputs=digits.images[:5],
        held_out=(digits.images[200:], digits.labels[200:]),
        remote=str(remote),
        directory=tmp_path / "b",
        optimise_tolerance=0.05,
        **SILENT,
    )

    assert result.manifest.optimisation is not None
    assert result.manifest.optimisation.tolerance == 0.05
