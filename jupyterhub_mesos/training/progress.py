"""Progress as a training script says it: one JSON line on stdout per step, which the service reads."""

from __future__ import annotations

import json
import math
import sys
from typing import SupportsFloat


def progress(epoch: int, of: int, *, resumed_from: int | None = None, **metrics: SupportsFloat) -> None:
    """Print that `epoch` of `of` is done, with its metrics; a metric that is not finite is written as null.

    `resumed_from` is the epoch of the checkpoint that this generation began with, if any.
    """
    line: dict[str, object] = {"event": "progress", "epoch": epoch, "of": of}
    if resumed_from is not None:
        line["resumed_from"] = resumed_from
    line["metrics"] = {name: _number(value) for name, value in metrics.items()}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _number(value: SupportsFloat) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
