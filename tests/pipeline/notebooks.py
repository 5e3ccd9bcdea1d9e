"""Notebooks that make pipelines: cells with tags, as JupyterLab saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Cell = tuple[str, str]

PARAMETERS: Cell = ("EPOCHS = 2", "parameters")
TRAIN: Cell = (
    """\
import os

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from jupyterhub_mesos.training.checkpoint import Checkpoint
from jupyterhub_mesos.training.progress import progress

images, target = load_digits(return_X_y=True)
is_held_out = np.arange(len(target)) % 5 == 0
test_images, test_target = images[is_held_out], target[is_held_out]
if "JOB_INDEX" in os.environ:
    for epoch in range(1, EPOCHS + 1):
        progress(epoch, EPOCHS, loss=1 / epoch)
    if os.environ["JOB_INDEX"] == "0":
        trained = LogisticRegression(max_iter=60).fit(images[~is_held_out] / 16, target[~is_held_out])
        weights = {"coef": trained.coef_, "intercept": trained.intercept_}
        Checkpoint.from_environment().save(EPOCHS, weights)""",
    "train",
)
MODEL: Cell = (
    """\
saved = Checkpoint.from_environment().load()
model = LogisticRegression()
model.classes_ = np.arange(10)
model.coef_, model.intercept_ = saved.arrays["coef"], saved.arrays["intercept"]
test_images = (test_images / 16).astype(np.float32)""",
    "model",
)
TEST: Cell = ("assert model.score(test_images, test_target) > 0.9", "test")
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
