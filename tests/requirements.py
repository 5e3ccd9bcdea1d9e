"""What a test needs of its machine: missing on a laptop it is a skip, missing in CI a failure."""

from __future__ import annotations

import os

import pytest

_TRUE = {"1", "true", "yes"}


def is_ci() -> bool:
    """Whether this run must test everything (`CI` is set)."""
    return os.environ.get("CI", "").lower() in _TRUE


def require(reason: str, condition: object) -> None:
    """Go on where `condition` holds; else skip with `reason`, and fail where `CI` is set.

    So that a green run in CI never hides a part that was not tested.
    """
    if condition:
        return
    if is_ci():
        pytest.fail(f"CI must have what this test needs: {reason}")
    pytest.skip(reason, allow_module_level=True)
