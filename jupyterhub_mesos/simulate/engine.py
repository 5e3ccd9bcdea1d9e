"""A trace on a virtual clock: jobs in, the machine decides, ends and stops follow its actions.

The machine is the one that decides in production, and is told the same events as there. The replay adds what
a cluster would: how long work takes, how long a launch and a stop take, and what a restart costs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.agenda import Agenda, Due, Entry
from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.observers import Json, Observer
from jupyterhub_mesos.simulate.runs import Run
from jupyterhub_mesos.simulate.sessions import Sessions
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.state import Rows, State, from_json, to_json
from jupyterhub_mesos_quota.errors import InvariantBroken, QuotaError
from jupyterhub_mesos_quota.events import (
    Action,
    AllocationClaimed,
    AllocationGone,
    AllocationStarted,
    Event,
    GoneReason,
    Grant,
    RequestMoved,
    RequestSubmitted,
    StopAllocation,
    TimePassed,
)
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import (
    Allocation,
    AllocationId,
    Node,
    Request,
    RequestId,
    RequestStatus,
    TeamId,
    UserName,
)
from jupyterhub_mesos_quota.resources import AmountName

FORGET_AFTER: Final = 512
"""Ends between two times that the machine forgets what is over, so that its memory is bounded."""


_IS_AN_END: Final = {Due.ENDS: GoneReason.FINISHED, Due.GONE: GoneReason.STOPPED}


class Simulation:
    """One replay. `jobs` come in order of `submit_s` and are read one ahead, never all at once."""

    def __init__(self, jobs: Iterable[Job], setting: Setting, observers: Sequence[Observer] = ()) -> None:
        self.now = 0.0
        self._setting = setting
        self._observers = tuple(observers)
        self._machine = QuotaMachine(setting.teams, setting.nodes, setting.policy)
        self._agenda = Agenda()
        self._sessions = Sessions()
        self._runs: dict[str, Run] = {}  # what came and is not over
        self._on: dict[str, Run] = {}  # what holds something
        self._used: dict[AmountName, int] = {}
        self._capacity = _sum_capacity(setting.nodes)
        self._over = 0
        self._jobs: Iterator[Job] = iter(jobs)
        self._coming = next(self._jobs, None)
        self._read = 0

    @classmethod
    def recalled(
        cls, jobs: Iterable[Job], setting: Setting, observers: Sequence[Observer], saved: Json
    ) -> Simulation:
        """Go on from what `saved` returned: with the same trace from its begin, setting and observers.

        What is to be taken back is planned anew, where an unbroken run may wait for some seconds before it
        plans again: a guarantee that could not be served yet may be served by so much earlier.
        Raises `InvalidInput` for what is no state of a replay.
        """
        state = from_json(saved)
        for observer, seen in zip(observers, state.seen, strict=True):
            observer.recall(seen)
        return cls(islice(jobs, state.read, None), setting, observers)._go_on(state)

    def _go_on(self, state: State) -> Simulation:
        rows, setting = state.rows, self._setting
        self._machine = QuotaMachine.restore(
            setting.teams, setting.nodes, rows.requests, rows.allocations, setting.policy, rows.kept
        )
        self.now, self._read, self._over = state.now, state.read, state.over
        self._agenda.recall(state.due)
        self._sessions.recall(state.sessions)
        self._runs = {run.job.id: run for run in state.runs}
        for id_ in state.running:
            run = self._runs[id_]
            self._on[run.allocation] = run
            self._count(run, +1)
        return self

    def saved(self) -> Json:
        """Return all that `recalled` needs to go on from here; call it between two steps."""
        state = State(
            now=self.now,
            read=self._read,
            over=self._over,
            runs=list(self._runs.values()),
            running=[run.job.id for run in self._on.values()],
            due=self._agenda.entries(),
            sessions=self._sessions.told(),
            rows=Rows.of(self._machine),
            seen=[observer.saved() for observer in self._observers],
        )
        return to_json(state)

    # ---- the caller's side ----------------------------------------------------------------------

    def run(self, until_s: float | None = None) -> None:
        """Replay up to `until_s`, or until nothing is left that could happen."""
        while (at := self.next_at()) is not None and (until_s is None or at <= until_s):
            self.step()

    def step(self) -> float | None:
        """Replay the next moment at which something happens and return it; None at the end."""
        at = self.next_at()
        if at is None:
            return None
        self.now = at
        self._due_at(at)
        self._jobs_at(at)
        self._tell_time(at)
        for observer in self._observers:
            observer.sampled(at, self._used, self._capacity, self.waiting)
        return at

    def next_at(self) -> float | None:
        """Return when something happens next; None at the end."""
        due = self._agenda.first()
        times = [] if due is None else [due.at]
        if self._coming is not None:
            times.append(self._coming.submit_s)
        deadline = self._machine.next_deadline()
        if deadline is not None and (times or self.waiting):
            times.append(max(deadline, self.now))
        return min(times, default=None)

    @property
    def read(self) -> int:
        """How many jobs of the trace have come so far."""
        return self._read

    @property
    def waiting(self) -> int:
        """How many jobs wait now."""
        return len(self._runs) - len(self._on)

    @property
    def running(self) -> int:
        """How many jobs hold something now."""
        return len(self._on)

    @property
    def machine(self) -> QuotaMachine:
        """The machine that decides; to look at."""
        return self._machine

    # ---- one moment -----------------------------------------------------------------------------

    def _due_at(self, at: float) -> None:
        while (entry := self._agenda.first()) is not None and entry.at <= at:
            if entry.due in _IS_AN_END:
                self._act_on(self._machine.handle_ends(list(self._ends_at(at))))
            else:
                self._happen(at, self._agenda.pop())

    def _ends_at(self, at: float) -> Iterator[AllocationGone]:
        """Take out what is gone by now: all of it, before anybody starts in its place."""
        while (entry := self._agenda.first()) is not None and entry.at <= at and entry.due in _IS_AN_END:
            self._agenda.pop()
            yield AllocationGone(at, AllocationId(entry.key), _IS_AN_END[entry.due])

    def _happen(self, at: float, entry: Entry) -> None:
        id_ = AllocationId(entry.key)
        if entry.due is Due.SUBMITS:
            self._submit(at, self._sessions.take(entry.key))
        elif self._is_going(id_):
            self._tell(AllocationStarted(at, id_))

    def _jobs_at(self, at: float) -> None:
        while (job := self._coming) is not None and job.submit_s <= at:
            self._coming = next(self._jobs, None)
            self._read += 1
            if self._coming is not None and self._coming.submit_s < job.submit_s:
                raise InvalidInput(
                    f"job {self._coming.id} came at {self._coming.submit_s:.0f} s, after job {job.id} of "
                    f"{job.submit_s:.0f} s: order the trace by the time of submission"
                )
            due = self._sessions.enter(job)
            if due is not None and due <= at:
                self._submit(at, job)
            elif due is not None:
                self._agenda.plan(due, Due.SUBMITS, job.id)

    def _tell_time(self, at: float) -> None:
        """Let the machine look at its clock."""
        deadline = self._machine.next_deadline()
        if deadline is None or deadline > at:
            return
        self._tell(TimePassed(at))
        after = self._machine.next_deadline()
        if after is not None and after <= at:
            raise InvariantBroken(f"the machine was told that it is {at} s, and waits for {after} s still")

    def _submit(self, at: float, job: Job) -> None:
        if job.id in self._runs:
            raise InvalidInput(f"job {job.id} came twice: a job's id names one job")
        request = _request(at, job)
        run = Run(job, at, is_inside=self._is_inside(request))
        try:
            actions = self._machine.handle(RequestSubmitted(at, request))
        except QuotaError as error:
            for observer in self._observers:
                observer.refused(at, job, str(error))
            self._follow(at, job, at - job.submit_s)
            return
        self._runs[job.id] = run
        for observer in self._observers:
            observer.submitted(at, run)
        self._act_on(actions)

    def _is_inside(self, request: Request) -> bool:
        tree, team = self._machine.tree, request.team
        if team not in tree:
            return False
        used, guarantee = self._machine.used(team), tree.guarantee(team)
        return all(
            used.get(name) + amount <= guarantee.get(name, 0) for name, amount in request.total.amounts()
        )

    # ---- what the machine answers ---------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self._act_on(self._machine.handle(event))

    def _act_on(self, actions: Iterable[Action]) -> None:
        """Do what the machine says, and tell it what comes of that in the same moment, in order."""
        events: deque[Event] = deque()
        for action in actions:
            self._act(action, events)
        while events:
            for action in self._handle_next(events):
                self._act(action, events)

    def _handle_next(self, events: deque[Event]) -> Iterable[Action]:
        event = events.popleft()
        if isinstance(event, AllocationGone):  # one plan stops several: they are gone together
            ends = [event]
            while events and isinstance(event := events[0], AllocationGone):
                ends.append(event)
                events.popleft()
            return self._machine.handle_ends(ends)
        if isinstance(event, AllocationClaimed | AllocationStarted) and not self._is_going(
            event.allocation_id
        ):
            return ()  # it was taken back in the same moment
        return self._machine.handle(event)

    def _is_going(self, id_: AllocationId) -> bool:
        run = self._on.get(id_)
        return run is not None and run.stopped_at is None

    def _act(self, action: Action, events: deque[Event]) -> None:
        match action:
            case Grant():
                self._start(action.at, action.allocation, events)
            case StopAllocation():
                self._stop(action.at, action.allocation_id, events)
            case RequestMoved(before=RequestStatus.ACTIVE, after=RequestStatus.QUEUED):
                self._evict(action.at, action.request_id)
            case RequestMoved(before=RequestStatus.ACTIVE, after=RequestStatus.ENDED):
                self._end(action.at, action.request_id)
            case _:  # what people are told and what the ledger keeps
                pass

    def _start(self, at: float, allocation: Allocation, events: deque[Event]) -> None:
        run = self._runs[allocation.request_id]
        run.begin(allocation.id, at, at + self._setting.delays.launch_s)
        self._on[allocation.id] = run
        self._count(run, +1)
        self._agenda.plan(run.goes_on_at + run.left_s, Due.ENDS, allocation.id)
        for observer in self._observers:
            observer.started(at, run)
        events.append(AllocationClaimed(at, allocation.id))
        if run.goes_on_at > at:
            self._agenda.plan(run.goes_on_at, Due.LAUNCHED, allocation.id)
        else:
            events.append(AllocationStarted(at, allocation.id))

    def _stop(self, at: float, id_: AllocationId, events: deque[Event]) -> None:
        self._on[id_].stopped_at = at
        self._agenda.strike_end(id_)
        if self._setting.delays.stop_s > 0:
            self._agenda.plan(at + self._setting.delays.stop_s, Due.GONE, id_)
        else:
            events.append(AllocationGone(at, id_, GoneReason.STOPPED))

    def _evict(self, at: float, id_: RequestId) -> None:
        run = self._leave(id_)
        run.lose(at, self._setting.delays.restart_s)
        for observer in self._observers:
            observer.evicted(at, run)

    def _end(self, at: float, id_: RequestId) -> None:
        run = self._leave(id_)
        del self._runs[id_]
        for observer in self._observers:
            observer.ended(at, run)
        self._follow(at, run.job, at - run.job.submit_s - run.job.duration_s)
        self._over += 1
        if self._over % FORGET_AFTER == 0:
            self._machine.forget_ended()

    def _leave(self, id_: RequestId) -> Run:
        run = self._runs[id_]
        del self._on[run.allocation]
        self._count(run, -1)
        return run

    def _follow(self, at: float, job: Job, late_s: float) -> None:
        """Let the next job of the session come, as much later as this one was."""
        following = self._sessions.over(job, late_s)
        if following is not None:
            due, job = following
            self._sessions.planned[job.id] = job
            self._agenda.plan(max(at, due), Due.SUBMITS, job.id)

    def _count(self, run: Run, sign: int) -> None:
        for name, amount in run.job.resources.amounts():
            self._used[name] = self._used.get(name, 0) + sign * amount * run.job.replicas


def _request(at: float, job: Job) -> Request:
    return Request(
        id=RequestId(job.id),
        team=TeamId(job.team),
        user=UserName(job.user),
        kind=job.kind,
        resources=job.resources,
        submitted_at=at,
        replicas=job.replicas,
        priority=job.priority,
        max_seconds=job.max_seconds,
    )


def _sum_capacity(nodes: Iterable[Node]) -> dict[AmountName, int]:
    total: dict[AmountName, int] = {}
    for node in nodes:
        for name, amount in node.capacity.amounts():
            total[name] = total.get(name, 0) + amount
    return total
