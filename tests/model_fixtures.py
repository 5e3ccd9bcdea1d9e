"""Real models on real digits, a real bare repository with hooks, and exports that print nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyterhub_mesos.export import Export, export

TRAINING_ROWS = 1400


@dataclass(frozen=True)
class Digits:
    """A trained pipeline with the images that it has not seen."""

    model: Any
    images: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.model.predict(self.images) == self.labels))


def train_digits() -> Digits:
    images, labels = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    model.fit(images[:TRAINING_ROWS], labels[:TRAINING_ROWS])
    return Digits(model, images[TRAINING_ROWS:], labels[TRAINING_ROWS:])


def bare_repository(path: Path) -> Path:
    git("init", "--quiet", "--bare", "--shared=group", "--initial-branch=main", str(path))
    return path


def git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def set_hook(repository: Path, script: str, name: str = "pre-receive") -> None:
    hook = repository / "hooks" / name
    hook.write_text("#!/bin/sh\n" + script)
    hook.chmod(0o755)


def tags(repository: Path) -> list[str]:
    return git("--git-dir", str(repository), "tag", "--list", "--sort=version:refname").split()


def export_digits(
    digits: Digits,
    remote: Path,
    directory: Path,
    *,
    report: Callable[[str], None] = lambda _: None,
    **more: Any,
) -> Export:
    return export(
        digits.model,
        name="digits",
        example_inputs=digits.images[:5],
        held_out=(digits.images, digits.labels),
        remote=str(remote),
        directory=directory,
        report=report,
        **more,
    )
