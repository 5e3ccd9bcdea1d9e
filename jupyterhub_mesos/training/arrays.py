"""Arrays that may leave a process: plain numbers and text, never pickled objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def refuse_objects(arrays: Iterable[Array]) -> None:
    """Raise `ValueError` for an array of Python objects: reading it back would run whatever it holds."""
    for array in arrays:
        if np.asarray(array).dtype.hasobject:
            raise ValueError("an array of Python objects cannot be sent or saved: give numbers or text")
