"""Find the best form of a prepared model: measured on its own held-out rows, never blindly.

Every form is measured for what it loses, for its size and for the time of one
row, with the original in the same loop. The rule: of the forms that lose at
most the tolerance and are not slower than the original beyond the noise, the
fastest is taken if it is faster beyond the noise, else the smallest if its file
is smaller by a tenth and by 64 KiB, else the original.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import Candidate, Optimisation
from jupyterhub_mesos.export.checks import measure, parity_of
from jupyterhub_mesos.export.forms import (
    ORIGINAL,
    REPLAY_TOLERANCES,
    WEIGHTY,
    Form,
    smaller_forms,
    weighty_operators,
)
from jupyterhub_mesos.export.prepared import Prepared
from jupyterhub_mesos.export.progress import Progress, Report, say
from jupyterhub_mesos.export.runtime import Array, OnnxModel
from jupyterhub_mesos.export.vectors import difference

TOLERANCE: Final = 0.01
"""Most that may be lost of the accuracy (of R², of the largest difference), by default."""
MIN_ROWS: Final = 50
"""Fewer say nothing about a loss of one in a hundred."""
CALIBRATION_ROWS: Final = 200
"""At most; onnxruntime's own advice is some hundred, and a quarter of the rows where there are fewer."""
ROUNDS: Final = 200
WARM_UP: Final = 5
MAX_SECONDS: Final = 2.0
"""Of measured time: a person waits for it."""
MIN_NOISE: Final = 0.05
"""Two runs of the same file differ by as much on a machine that does other things."""
SMALLER: Final = 0.9
MIN_SAVED_BYTES: Final = 64 << 10
"""Less is not worth other numbers than the original's."""

_MEASURES: Final = ("held_out_accuracy", "held_out_r2")
_DIFFERENCE: Final = "difference"


def optimise(prepared: Prepared, *, tolerance: float = TOLERANCE, report: Report = say) -> Prepared:
    """Measure int8 and float16 forms of the model and keep the best, printing the result.

    It always starts from the form that the converter made. Left out, with a
    sentence, where there is nothing to win or too few rows to measure on.
    Raises InvalidInput for a tolerance below 0.
    """
    return optimised(prepared, tolerance, Progress(1, report))


def optimised(prepared: Prepared, tolerance: float, progress: Progress) -> Prepared:
    """Take the step."""
    if not tolerance >= 0:
        raise InvalidInput(f"a tolerance of {tolerance} is not possible: give 0 or more, such as 0.01")
    return progress.take("optimise", lambda: _optimise(prepared, tolerance))


@dataclass(frozen=True, slots=True)
class _Bench:
    """The rows that are measured on, and what is measured."""

    prepared: Prepared
    rows: Array
    truth: Array | None
    expected: dict[str, Array]  # the original framework's answers to these rows
    reference: dict[str, Array]  # the unoptimised file's answers to these rows


@dataclass(frozen=True, slots=True)
class _Measured:
    form: Form
    latency_us: float
    answers: dict[str, Array]
    metrics: dict[str, float]
    value: float
    drop: float


@dataclass(frozen=True, slots=True)
class _Contest:
    """All forms, measured; the first is the original, by whose time `noise` is a part."""

    measured: Sequence[_Measured]
    tolerance: float
    noise: float

    @property
    def original(self) -> _Measured:
        return self.measured[0]

    def objection(self, one: _Measured) -> str:
        """Say why a form cannot be taken; empty where it can."""
        if not one.drop <= self.tolerance:  # not-a-number is within no tolerance
            return f"loses {one.drop:.4g}, at most {self.tolerance:g} is tolerated"
        if one.latency_us > self.original.latency_us * (1 + self.noise):
            return f"{one.latency_us / self.original.latency_us:.2f} times as slow as the original"
        return ""

    def best(self) -> tuple[_Measured, str]:
        """Apply the rule; return the form and why it is the best."""
        fit = [one for one in self.measured if not self.objection(one)]
        fastest = min(fit, key=lambda one: one.latency_us, default=self.original)
        if fastest.latency_us < self.original.latency_us * (1 - self.noise):
            return fastest, "the fastest of those that lose no more than is tolerated"
        smallest = min(fit, key=lambda one: len(one.form.content), default=self.original)
        size = len(self.original.form.content)
        if len(smallest.form.content) <= min(size * SMALLER, size - MIN_SAVED_BYTES):
            return smallest, f"none is faster beyond the noise of {self.noise:.0%}; this is the smallest"
        return (
            self.original,
            f"none is faster beyond the noise of {self.noise:.0%} or smaller by a tenth and 64 KiB",
        )

    def rows(self, best: _Measured) -> tuple[Candidate, ...]:
        """Write the table."""
        return tuple(
            Candidate(
                name=one.form.name,
                size_bytes=len(one.form.content),
                latency_us=one.latency_us,
                value=one.value,
                drop=one.drop,
                verdict="chosen" if one is best else self.objection(one) or "possible, but not the best",
            )
            for one in self.measured
        )


def _optimise(prepared: Prepared, tolerance: float) -> tuple[Prepared, str]:
    reason = _nothing_to_do(prepared)
    if reason:
        return prepared, f"left out: {reason}"
    original = Form(ORIGINAL, prepared.original, OnnxModel(prepared.original))
    picked = _calibration(len(prepared.rows))
    bench = _bench(prepared, original, picked)
    forms, failed = smaller_forms(prepared.original, prepared.rows[picked])
    times, noise = _timed([original, *forms], bench.rows)
    measured = [_measured(form, bench, times[form.name]) for form in (original, *forms)]
    contest = _Contest(measured, tolerance, noise)
    best, why = contest.best()
    optimisation = Optimisation(
        chosen=best.form.name,
        reason=why,
        measure=_measure_of(best.metrics),
        rows=len(bench.rows),
        calibration_rows=len(prepared.rows) - len(bench.rows),
        tolerance=tolerance,
        noise=noise,
        candidates=contest.rows(best),
        failed=failed,
    )
    return _applied(prepared, best, optimisation, bench), _sentence(optimisation, best, contest.original)


def _nothing_to_do(prepared: Prepared) -> str:
    if not weighty_operators(prepared.original):
        names = ", ".join(WEIGHTY[:-1])
        return (
            f"the model has no {names} or {WEIGHTY[-1]}, so there is nothing to win (trees and "
            "scikit-learn's linear models are one operator of their own)"
        )
    if len(prepared.rows) < MIN_ROWS:
        return f"{len(prepared.rows)} rows are too few to measure on: give at least {MIN_ROWS} by held_out"
    return ""


def _calibration(count: int) -> Array:
    """Pick the rows that static int8 is calibrated on: spread over all, none of them measured."""
    picked = np.zeros(count, dtype=np.bool_)
    picked[:: max(4, -(-count // CALIBRATION_ROWS))] = True
    return picked


def _bench(prepared: Prepared, original: Form, picked: Array) -> _Bench:
    rows = prepared.rows[~picked]
    return _Bench(
        prepared=prepared,
        rows=rows,
        truth=None if prepared.truth is None else prepared.truth[~picked],
        expected={name: values[~picked] for name, values in prepared.expected.items()},
        reference=_answers(original, rows),
    )


def _answers(form: Form, rows: Array) -> dict[str, Array]:
    return form.model.run({form.model.inputs[0].name: rows})


def _timed(forms: Sequence[Form], rows: Array) -> tuple[dict[str, float], float]:
    """Time single rows, all forms in turn, so that what disturbs hits each; in µs, with the noise."""
    times: dict[str, list[float]] = {form.name: [] for form in forms}
    end = time.perf_counter() + MAX_SECONDS
    for number in range(WARM_UP + ROUNDS):
        row = rows[number % len(rows) :][:1]
        for form in forms:
            feed = {form.model.inputs[0].name: row}
            began = time.perf_counter()
            form.model.run(feed)
            times[form.name].append((time.perf_counter() - began) * 1e6)
        if number > 2 * WARM_UP and time.perf_counter() > end:
            break
    warm = {name: values[WARM_UP:] for name, values in times.items()}
    noise = max(MIN_NOISE, _noise(warm[ORIGINAL]))
    return {name: statistics.median(values) for name, values in warm.items()}, noise


def _noise(times: Sequence[float]) -> float:
    """Say by which part the median may be off, by the notch of McGill, Tukey and Larsen (1978)."""
    low, middle, high = statistics.quantiles(times, n=4)
    return 1.57 * (high - low) / math.sqrt(len(times)) / middle


def _measured(form: Form, bench: _Bench, latency_us: float) -> _Measured:
    answers = _answers(form, bench.rows)
    first = form.model.outputs[0].name
    metrics = _by_truth(bench, answers[first])
    name = _measure_of(metrics)
    if name == _DIFFERENCE:
        value = max(difference(bench.reference[key], answers[key]) for key in answers)
        return _Measured(form, latency_us, answers, metrics, value, value)
    before = _by_truth(bench, bench.reference[first])[name]
    return _Measured(form, latency_us, answers, metrics, metrics[name], before - metrics[name])


def _by_truth(bench: _Bench, answers: Array) -> dict[str, float]:
    """Measure answers to the bench's rows; empty without labels."""
    return {} if bench.truth is None else measure(bench.prepared.task, answers, bench.truth)


def _measure_of(metrics: dict[str, float]) -> str:
    return next((name for name in _MEASURES if name in metrics), _DIFFERENCE)


def _applied(prepared: Prepared, best: _Measured, optimisation: Optimisation, bench: _Bench) -> Prepared:
    """Put the chosen form in, with metrics and parity of the rows that were measured."""
    if best.form.content == prepared.content:
        return replace(prepared, optimisation=optimisation)
    tolerance = REPLAY_TOLERANCES.get(best.form.name, prepared.tolerance)
    return replace(
        prepared,
        content=best.form.content,
        metrics={**prepared.metrics, **best.metrics},
        parity=parity_of(bench.expected, best.answers, tolerance),
        optimisation=optimisation,
    )


def _sentence(optimisation: Optimisation, best: _Measured, original: _Measured) -> str:
    names = ", ".join(one.name for one in optimisation.candidates)
    return (
        f"{optimisation.chosen} of {names}: {optimisation.reason} "
        f"({optimisation.measure} {best.value:.4f} against {original.value:.4f}, "
        f"{len(best.form.content)} against {len(original.form.content)} bytes, "
        f"{best.latency_us:.0f} against {original.latency_us:.0f} µs a row)"
    )
