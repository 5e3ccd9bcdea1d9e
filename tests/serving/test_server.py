from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_fixtures import Digits, export_digits
from serving.model_server import ModelServer, running, started

LARGEST_MIB = 100
"""The aim is 90; a measured 83 leaves room for other builds of the libraries."""


def tensor(images: Any, **changes: Any) -> dict[str, Any]:
    values = np.asarray(images)
    given = {"name": "X", "shape": list(values.shape), "datatype": "FP32", "data": values.ravel().tolist()}
    return given | changes


ONE = [[0.0] * 64]


def test_the_served_accuracy_over_http_is_the_originals(remote: Path, digits: Digits) -> None:
    with running("--bundle", str(remote), "--ref", "digits/v1", "--name", "digits") as server:
        answer = server.ask("/v2/models/digits/infer", {"id": "all", "inputs": [tensor(digits.images)]})

        label, probabilities = answer.message["outputs"]
        accuracy = float(np.mean(np.asarray(label["data"]) == digits.labels))
        assert answer.status == 200
        assert answer.message["id"] == "all"
        assert accuracy == digits.accuracy
        expected = digits.model.predict_proba(digits.images)
        assert np.abs(np.reshape(probabilities["data"], probabilities["shape"]) - expected).max() < 1e-4
        assert server.resident_mib() <= LARGEST_MIB


def test_the_metadata_is_the_signature(server: ModelServer) -> None:
    assert server.ask("/v2").message["name"] == "jupyterhub-mesos"
    for path in ("/v2/models/digits", "/v2/models/digits/versions/1"):
        assert server.ask(path).message == {
            "name": "digits",
            "versions": ["1"],
            "platform": "onnxruntime_onnx",
            "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 64]}],
            "outputs": [
                {"name": "label", "datatype": "INT64", "shape": [-1]},
                {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
            ],
        }


@pytest.mark.parametrize(
    "path",
    ["/v2/health/live", "/v2/health/ready", "/v2/models/digits/ready", "/v2/models/digits/versions/1/ready"],
)
def test_health_is_good_once_the_server_said_so(server: ModelServer, path: str) -> None:
    assert server.ask(path).status == 200


def test_only_the_outputs_that_were_asked_for_are_sent(server: ModelServer) -> None:
    answer = server.ask(
        "/v2/models/digits/versions/1/infer",
        {"inputs": [tensor(ONE, data=ONE)], "outputs": [{"name": "label"}]},
    )

    assert [output["name"] for output in answer.message["outputs"]] == ["label"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"inputs": [NaN]}', 400, "NaN is no number"),
        ([], 400, "JSON object"),
        ({}, 400, "list of tensors"),
        ({"inputs": []}, 400, "'X' is missing"),
        ({"inputs": [1]}, 400, "inputs[0] has to be"),
        ({"inputs": [tensor(ONE)], "more": 1}, 400, "unknown key 'more'"),
        ({"inputs": [tensor(ONE)], "id": 1}, 400, "id is a text"),
        ({"inputs": [tensor(ONE, name="Y")]}, 400, "no input 'Y'; it has X"),
        ({"inputs": [tensor(ONE), tensor(ONE)]}, 400, "given twice"),
        ({"inputs": [tensor(ONE, datatype="FP64")]}, 400, "takes FP32, not 'FP64'"),
        ({"inputs": [tensor(ONE, shape=[64])]}, 400, "takes the shape [-1, 64]"),
        ({"inputs": [tensor(ONE, shape=[1, 63])]}, 400, "takes the shape [-1, 64]"),
        ({"inputs": [tensor(ONE, shape=[0, 64])]}, 400, "takes the shape [-1, 64]"),
        ({"inputs": [tensor(ONE, shape=[True, 64])]}, 400, "takes the shape [-1, 64]"),
        ({"inputs": [tensor(ONE, shape=[2, 64])]}, 400, "takes 128 values, 64 are given"),
        ({"inputs": [tensor(ONE, data=["a"] * 64)]}, 400, "no FP32"),
        ({"inputs": [tensor(ONE, data=[None] * 64)]}, 400, "no FP32"),
        ({"inputs": [tensor(ONE, data=[1e300] * 64)]}, 400, "FP32 cannot hold"),
        ({"inputs": [tensor(ONE, data=[[1.0], [1.0, 2.0]])]}, 400, "differ in length"),
        ({"inputs": [tensor(ONE, data={})]}, 400, "has to be a list"),
        ({"inputs": [tensor(ONE)], "outputs": [{"name": "odds"}]}, 400, "no output 'odds'"),
        ({"inputs": [tensor(ONE, shape=[501, 64])]}, 413, "at most 500"),
    ],
)
def test_a_request_that_does_not_fit_is_answered_with_the_sentence(
    server: ModelServer, body: object, status: int, sentence: str
) -> None:
    answer = server.ask("/v2/models/digits/infer", body)

    assert (answer.status, sentence in answer.message["error"]) == (status, True), answer.body


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: ModelServer) -> None:
    answer = server.announce("/v2/models/digits/infer", 1_100_000)

    assert (answer.status, "at most 1048576" in answer.message["error"]) == (413, True), answer.body


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v2/models/letters", "no model 'letters' here; there is 'digits'"),
        ("/v2/models/digits/versions/2", "no version '2' here; there is '1'"),
        ("/", "GET /v2 begins"),
    ],
)
def test_what_is_not_served_is_not_found(server: ModelServer, path: str, sentence: str) -> None:
    answer = server.ask(path)

    assert answer.status == 404
    assert sentence in answer.message["error"]


def test_a_wrong_method_is_refused(server: ModelServer) -> None:
    assert server.ask("/v2/models/digits/infer").status == 405


def test_an_inference_costs_little_cpu(server: ModelServer) -> None:
    before = server.cpu_seconds()
    for _ in range(100):
        assert server.ask("/v2/models/digits/infer", {"inputs": [tensor(ONE)]}).status == 200

    assert (
        server.cpu_seconds() - before < 1.0
    )  # 10 ms each, where about 1 is spent: a spinning pool takes more


def test_a_secret_is_asked_for_except_by_health(bundle: Path) -> None:
    with running("--bundle", str(bundle), "--name", "digits", SERVING_TOKEN="s3cret") as server:
        assert server.ask("/v2/health/live").status == 200
        assert server.ask("/v2/health/ready").status == 200
        for path in ("/v2", "/v2/models/digits", "/v2/models/digits/ready"):
            assert server.ask(path).status == 401
            assert server.ask(path, token="guess").status == 401
            assert server.ask(path, token="s3cret").status == 200
        stranger = server.ask("/v2/models/digits/infer", {"inputs": [tensor(ONE)]}, token="wrong")
        assert (stranger.status, stranger.headers["www-authenticate"]) == (401, "Bearer")
        assert server.ask("/v2/models/digits/infer", {"inputs": [tensor(ONE)]}, token="s3cret").status == 200
        assert server.terminate() == 0
        assert not any("s3cret" in line for line in server.lines)


def test_sigterm_ends_the_server_with_exit_code_0(bundle: Path) -> None:
    with running("--bundle", str(bundle), "--name", "digits") as server:
        assert server.terminate() == 0


@pytest.mark.parametrize("name", ["model/model.onnx", "test-vectors.npz", "MODEL_CARD.md"])
def test_a_bundle_that_was_tampered_with_is_never_ready(bundle: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    with (copy / name).open("ab") as stream:
        stream.write(b"!")

    with started("--bundle", str(copy), "--name", "digits") as server:
        assert f"{name} was changed" in server.wait_for_line("^not served: ")
        assert server.process.wait(20) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--ref", "digits/v9", "--name", "digits"), "no tag or branch 'digits/v9'"),
        (("--ref", "--upload-pack=x", "--name", "digits"), "expected one argument"),
        (("--ref", "a..b", "--name", "digits"), "is not a git ref"),
        (("--name", "letters"), "holds no models/letters at main"),
    ],
)
def test_a_bundle_that_is_not_there_is_said_in_a_sentence(
    remote: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    with started("--bundle", str(remote), *arguments) as server:
        server.wait_for_line(sentence)
        assert server.process.wait(20) != 0


def test_the_newest_version_is_served_from_the_branch(digits: Digits, remote: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(remote, tmp_path / "copy.git")
    export_digits(digits, copy, tmp_path / "second")

    with running("--bundle", str(copy), "--name", "digits") as server:
        assert server.ask("/v2/models/digits").message["versions"] == ["2"]


def test_a_taken_port_is_said_in_a_sentence(server: ModelServer, bundle: Path) -> None:
    with started("--bundle", str(bundle), "--name", "digits", "--port", str(server.port)) as second:
        second.wait_for_line("cannot listen")
        assert second.process.wait(20) == 1
