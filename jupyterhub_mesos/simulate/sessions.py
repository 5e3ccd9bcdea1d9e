"""Jobs of one session come one after the other: a closed loop, in which the time between two is kept."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.simulate.jobs import Job

NOTICED_S: Final = 1e-6
"""Less is the rounding of a sum of floats."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Which sessions are busy or late, and who comes later for it."""

    busy: list[str]
    late: dict[str, float]
    behind: dict[str, list[Job]]
    planned: dict[str, Job]


class Sessions:
    """Which sessions have a job that is not over, how late each is, and which jobs come later for it."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.late: dict[str, float] = {}
        self.behind: dict[str, deque[Job]] = {}  # read from the trace while the one before was not over
        self.planned: dict[str, Job] = {}  # with a moment of their own in the agenda, by id

    def enter(self, job: Job) -> float | None:
        """Take a job of the trace in; return when it comes, None where that is not known yet.

        One that comes later than the trace says is kept until `take`.
        """
        if job.session is None:
            return job.submit_s
        if job.session in self.busy:
            self.behind.setdefault(job.session, deque()).append(job)
            return None
        return self._plan(job, job.session)

    def take(self, id_: str) -> Job:
        """Return a job whose moment came."""
        return self.planned.pop(id_)

    def over(self, job: Job, late_s: float) -> tuple[float, Job] | None:
        """A job is over, so much later than in the trace; return who follows it, and when."""
        if job.session is None:
            return None
        self.busy.discard(job.session)
        self.late.pop(job.session, None)
        if late_s > NOTICED_S:
            self.late[job.session] = late_s
        behind = self.behind.get(job.session)
        if not behind:
            return None
        following = behind.popleft()
        if not behind:
            del self.behind[job.session]
        return self._plan(following, job.session), following

    def told(self) -> Behind:
        """Return how they stand."""
        behind = {session: list(jobs) for session, jobs in self.behind.items()}
        return Behind(sorted(self.busy), dict(self.late), behind, dict(self.planned))

    def recall(self, state: Behind) -> None:
        """Go on from how they stood."""
        self.busy, self.late, self.planned = set(state.busy), dict(state.late), dict(state.planned)
        self.behind = {session: deque(jobs) for session, jobs in state.behind.items()}

    def _plan(self, job: Job, session: str) -> float:
        self.busy.add(session)
        late = self.late.get(session, 0.0)
        if late > 0:
            self.planned[job.id] = job
        return job.submit_s + late
