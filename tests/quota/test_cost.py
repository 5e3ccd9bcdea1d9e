"""What a decision costs grows with the logarithm of what waits, and a request that waits stays small."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "admission.py"
MOST_BYTES = 2_000


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = spec_from_file_location("admission_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(600)
def test_a_hundred_times_more_waiting_touches_a_few_entries_more(benchmark: ModuleType) -> None:
    """From 10^3 waiting, 10 teams, 100 nodes to 10^5, 1,000 and 10,000: a hundred times in all three."""
    few = benchmark.measure(benchmark.Scale.of(1_000), 300)
    many = benchmark.measure(benchmark.Scale.of(100_000), 300)
    assert mean(few.entries) < 400
    # Heaps and paths grow with logarithms; a loop over anything that grew would be a hundred times as much.
    assert mean(many.entries) < 4 * mean(few.entries)


def test_a_request_that_waits_takes_less_than_two_kilobytes(benchmark: ModuleType) -> None:
    assert benchmark.bytes_per_waiting(2_000) < MOST_BYTES
