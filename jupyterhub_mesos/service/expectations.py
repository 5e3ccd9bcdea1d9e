"""When what waits may start, learnt from the ledger's own history and from each commit."""

from __future__ import annotations

from typing import Final

from jupyterhub_mesos.service.ledger import Commit, Ledger
from jupyterhub_mesos.wire import ExpectedStartView
from jupyterhub_mesos_quota.expectation import Expectation, tell
from jupyterhub_mesos_quota.forecast import NO_MATTER_OF_ROOM, Forecast
from jupyterhub_mesos_quota.model import RequestId, RequestStatus, TeamId
from jupyterhub_mesos_quota.resources import Resources

LEARNT_AT_START: Final = 4_000
"""Of the ledger's newest requests, so many are looked at when the service starts: some 200 ms."""


class Expectations:
    """The forecast, fed from the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._forecast = Forecast()

    async def open(self) -> None:
        """Learn from what the ledger knows, and follow its commits from here on."""
        self._ledger.subscribe(self._learn)
        past = await self._ledger.read(lambda store: store.past_waits(LEARNT_AT_START))
        freed = await self._ledger.read(lambda store: store.freed_at())
        self._forecast.recall(past)
        waiting = [row.request for row in self._ledger.rows() if row.request.status is RequestStatus.QUEUED]
        for request in sorted(waiting, key=lambda each: freed.get(each.id, each.submitted_at)):
            self._forecast.begin(request, freed.get(request.id, request.submitted_at))

    def _learn(self, commit: Commit) -> None:
        self._forecast.follow(commit.actions, self._ledger.machine.requests)

    def of(self, request_id: RequestId, code: str) -> ExpectedStartView:
        """Say when a request may start that waits for the reason `code`."""
        if code in NO_MATTER_OF_ROOM:
            return ExpectedStartView(sentence="When it starts cannot be said: it does not wait for room.")
        return _view(self._forecast.expect(request_id, self._ledger.clock()))

    def of_next(self, team: str, resources: Resources) -> ExpectedStartView:
        """Say when a request may start that begins to wait now for room of that size."""
        accelerators = resources.accelerators
        return _view(self._forecast.expect_next(TeamId(team), accelerators, self._ledger.clock()))


def _view(found: Expectation | None) -> ExpectedStartView:
    return ExpectedStartView(
        median_seconds=None if found is None else found.median,
        within_seconds=None if found is None else found.within,
        learnt_from=0 if found is None else found.learnt_from,
        sentence=tell(found),
    )
