"""What an export costs: a fresh process each time, imports included, beside skl2onnx and onnxruntime alone.

    python -m benchmarks export [--quick]

The model is a pipeline of scikit-learn on the 8x8 digits; the network is a dense one of 512 x 512, which has
something to optimise. The baseline converts the same pipeline and runs it on the same held-out rows.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.table import Figure

TRAINING_ROWS = 1400
GOAL_SECONDS = 15.0
STEPS = ("collect", "convert", "check", "test", "optimise", "bundle", "push")


def main(quick: bool) -> list[Figure]:
    """Measure; medians of three runs, of one where `quick`."""
    runs = 1 if quick else 3
    ours = [_child("pipeline") for _ in range(runs)]
    bare = [_child("bare") for _ in range(runs)]
    network = [_child("network") for _ in range(runs)]
    baseline = _median(bare, "whole")
    figures = [
        Figure(
            what="export of a scikit-learn pipeline",
            unit="s",
            ours=_median(ours, "whole"),
            definition="from the call to the tag in a bare repository on this disk, in a fresh process.",
            baseline=baseline,
            baseline_is="skl2onnx.to_onnx and one onnxruntime run over the same rows, in a fresh process",
            at_most=GOAL_SECONDS,
        ),
        Figure(
            what="export of a network, optimised",
            unit="s",
            ours=_median(network, "whole"),
            definition="the same for a dense network of 512 x 512, whose four forms are measured.",
            at_most=GOAL_SECONDS,
        ),
    ]
    return figures + [
        Figure(f"step {name}", "s", _median(network, name), f"`{name}` alone, of the network's export.")
        for name in STEPS
    ]


def _median(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def _child(what: str) -> dict[str, float]:
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks.export", what), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OSError(f"the run of {what} failed: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


# ---- in the child ----------------------------------------------------------------------------------


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - the parent needs none of it

    return load_digits(return_X_y=True)


def _pipeline() -> Any:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - as above
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - as above

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))


def _network() -> Any:
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - as above

    return MLPClassifier((512, 512), max_iter=20, random_state=0)


def _fitted(make: Callable[[], Any]) -> tuple[Any, Any, Any]:
    images, labels = _digits()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        model = make().fit(images[:TRAINING_ROWS], labels[:TRAINING_ROWS])
    return model, images[TRAINING_ROWS:], labels[TRAINING_ROWS:]


def _export(make: Callable[[], Any]) -> dict[str, float]:
    model, images, labels = _fitted(make)
    with tempfile.TemporaryDirectory(prefix="bench-export-") as folder:
        remote = Path(folder) / "models.git"
        subprocess.run(("git", "init", "--quiet", "--bare", "--initial-branch=main", remote), check=True)
        began = time.perf_counter()
        from jupyterhub_mesos.export import export  # noqa: PLC0415 - its imports are measured

        result = export(
            model,
            name="digits",
            example_inputs=images[:5],
            held_out=(images, labels),
            remote=str(remote),
            directory=Path(folder) / "bundle",
            report=lambda _: None,
        )
        whole = time.perf_counter() - began
    return {"whole": whole, **{step.name: step.seconds for step in result.steps}}


def _bare() -> dict[str, float]:
    model, images, _ = _fitted(_pipeline)
    began = time.perf_counter()
    import numpy as np  # noqa: PLC0415 - as above
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
    import skl2onnx  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    rows = images.astype(np.float32)
    proto: Any = skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False})
    session: Any = onnxruntime.InferenceSession(proto.SerializeToString())
    session.run(None, {session.get_inputs()[0].name: rows})
    return {"whole": time.perf_counter() - began}


if __name__ == "__main__":
    found = _bare() if sys.argv[1] == "bare" else _export(_network if sys.argv[1] == "network" else _pipeline)
    print(json.dumps(found))
