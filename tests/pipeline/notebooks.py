"""Notebooks that make pipelines: cells with tags, as JupyterLab saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Cell = tuple[str, str]

PARAMETERS: Cell = ("EPOCHS = 2\nROWS = 300", "parameters")
TRAIN: Cell = (
    """\
import os

import numpy as np

from jupyterhub_mesos.training.checkpoint import Checkpoint
from jupyterhub_mesos.training.progress import progress

random = np.random.default_rng(0)
centres = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
target = random.integers(0, 3, ROWS)
rows = (centres[target] + random.normal(0, 0.8, (ROWS, 2))).astype(np.float32)
test_images, test_target = rows[::3], target[::3]
if "JOB_INDEX" in os.environ:
    means = np.stack([rows[1::3][target[1::3] == label].mean(axis=0) for label in range(3)])
    for epoch in range(1, EPOCHS + 1):
        progress(epoch, EPOCHS, loss=1 / epoch)
    if os.environ["JOB_INDEX"] == "0":
        Checkpoint.from_environment().save(EPOCHS, {"means": means})""",
    "train",
)
MODEL: Cell = (
    """\
from sklearn.linear_model import LogisticRegression

saved = Checkpoint.from_environment().load()
model = LogisticRegression()
model.classes_ = np.arange(3)
model.coef_ = saved.arrays["means"].astype(float)
model.intercept_ = -0.5 * (model.coef_**2).sum(axis=1)""",
    "model",
)
TEST: Cell = ("print('checking')\nassert model.score(test_images, test_target) > 0.9", "test")
GOOD: tuple[Cell, ...] = (PARAMETERS, TRAIN, ("1 / 0", "skip"), MODEL, TEST)


def write_notebook(folder: Path, *cells: Cell, name: str = "digits.ipynb") -> Path:
    """Write code cells `(source, tags)` after a title; the first code cell is the notebook's cell 2."""
    raw: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}]
    for source, tags in cells:
        raw.append(
            {
                "cell_type": "code",
                "metadata": {"tags": tags.split()} if tags else {},
                "source": source.splitlines(keepends=True),
                "outputs": [{"output_type": "stream", "name": "stdout", "text": ["a secret result"]}],
                "execution_count": 7,
            }
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps({"cells": raw, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path
