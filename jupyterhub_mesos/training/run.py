"""A job that was handed off, as its notebook sees it: follow it, read it, cancel it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.wire import Job, ProgressEvent, RequestView, TaskView
from jupyterhub_mesos_quota.model import RequestStatus

TAIL_LINES: Final = 20
"""How much of a failed job's log its error shows."""

Metrics = dict[str, float | None]


def say(line: str) -> None:
    """Print a line at once: a notebook shows it while the cell runs."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(slots=True)
class TrainingRun:
    """A training request and what its workers said so far; `history` grows while it is followed."""

    client: Client
    id: str
    job: Job
    history: list[ProgressEvent] = field(default_factory=list[ProgressEvent])

    @property
    def request(self) -> RequestView:
        """The request as it is now."""
        return self.client.request(self.id)

    @property
    def checkpoint(self) -> str | None:
        """The folder of the job's checkpoint, as the owner sees it."""
        return self.job.checkpoint_uri

    @property
    def generation(self) -> int:
        """The newest generation that said something; 1 before any did."""
        return max((event.generation for event in self.history), default=1)

    @property
    def metrics(self) -> Metrics:
        """The newest value of each metric that the first worker printed."""
        self.history[:] = self.client.progress(self.id)
        newest: Metrics = {}
        for event in self.history:
            if event.index == 0:
                newest.update(_metrics(event))
        return newest

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Yield the output of the job's tasks, one after the other."""
        return self.client.logs(self.id, follow=follow)

    def cancel(self) -> None:
        """End the job, or withdraw it from the queue; returns before it is gone."""
        self.client.end(self.id)

    def wait(self, report: Callable[[str], None] = say) -> TrainingRun:
        """Follow the job to its end, a line for each thing that happens.

        Raises `WorkloadError` with the end of the log when it failed or was stopped.
        """
        try:
            wait_for_room(self.client, self.id, report)
            self.history.clear()
            for event in self.client.progress(self.id, follow=True):
                self.history.append(event)
                report(line_of(event))
        except KeyboardInterrupt:
            report(
                f"no longer followed; job {self.job.name} goes on. Client().end({self.id!r}) would end it."
            )
            raise
        view = self.client.wait(self.id)
        if view.outcome != "finished":
            raise WorkloadError(self._failure(view))
        report(f"job {self.job.name} is finished")
        return self

    def _failure(self, view: RequestView) -> str:
        reason = f"job {self.job.name} {view.outcome or view.status}: {view.message or 'no reason given'}"
        culprit = _culprit(view.allocation.tasks if view.allocation else ())
        if culprit is None:
            return reason
        log = "".join(self.client.logs(self.id, task=culprit.id)).splitlines()[-TAIL_LINES:]
        return "\n".join((reason, f"The end of the log of {culprit.id}:", *log))


def wait_for_room(
    client: Client, request_id: str, report: Callable[[str], None], *, seconds: float | None = None
) -> RequestView:
    """Wait until a request does not wait any more, and report why it does; return it.

    Raises `Unavailable` when `seconds` have passed first.
    """
    seen = ""

    def has_started(view: RequestView) -> bool:
        nonlocal seen
        sentence = view.explanation.sentence if view.explanation else ""
        if view.status is RequestStatus.QUEUED and sentence and sentence != seen:
            seen = sentence
            report(f"waits: {sentence} ({view.page_url})")
        return view.status is RequestStatus.ACTIVE or is_over(view)

    return client.wait(request_id, until=has_started, seconds=seconds)


def _culprit(tasks: Sequence[TaskView]) -> TaskView | None:
    """Pick the task whose log tells most: of the newest generation, one that was not merely stopped."""
    failed = [task for task in tasks if task.exit_code]
    stopped = 128 + signal.SIGTERM
    return max(
        failed, key=lambda task: (task.generation, task.exit_code != stopped, -task.index), default=None
    )


def line_of(event: ProgressEvent) -> str:
    """Spell one line of progress for people."""
    data = event.data
    parts = [
        f"generation {event.generation}, worker {event.index}: epoch {data.get('epoch')}/{data.get('of')}"
    ]
    if data.get("resumed_from") is not None:
        parts.append(f"resumed after epoch {data['resumed_from']}")
    parts += [f"{name} {_number(value)}" for name, value in _metrics(event).items()]
    return ", ".join(parts)


def _metrics(event: ProgressEvent) -> Metrics:
    metrics = event.data.get("metrics")
    return cast("Metrics", metrics) if isinstance(metrics, dict) else {}


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
