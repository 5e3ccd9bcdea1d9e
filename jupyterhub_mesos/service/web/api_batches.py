"""The routes of batches: ask for, or end, many requests in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from jupyterhub_mesos.service.batches import ItemOutcome
from jupyterhub_mesos.service.identity import TokenKind
from jupyterhub_mesos.service.web.base import ApiHandler, WebContext
from jupyterhub_mesos.service.web.contract import contract
from jupyterhub_mesos.service.web.problems import problem_of
from jupyterhub_mesos.wire import BatchItem, BatchOutcome, BatchResult, CancelBatch, RequestBatch


class _BatchHandler(ApiHandler):
    """A batch counts as one change, and its items against a limit of their own."""

    takes_own_tokens = True

    def initialize(self, context: WebContext) -> None:
        """Take the sources of many jobs."""
        super().initialize(context)
        self.max_bytes = context.settings.max_body_bytes

    def count(self, items: int) -> None:
        """Count the items of a person's batch; raises `TooMany`."""
        if self.identity.kind != TokenKind.SERVICE:
            self.context.item_rates.take(self.identity.name, items)

    def answer_outcomes(self, found: Sequence[ItemOutcome]) -> None:
        """Send what became of each item."""
        refused = sum(one.outcome is BatchOutcome.REFUSED for one in found)
        self.answer(BatchResult(items=tuple(map(_item, found)), refused=refused))


class SubmitHandler(_BatchHandler):
    """`/requests/batch`."""

    @contract(takes=RequestBatch, answers=BatchResult)
    async def post(self) -> None:
        """Ask for many workloads; each is created, existed or is refused."""
        batch = self.body(RequestBatch)
        self.count(len(batch.items))
        self.answer_outcomes(await self.context.batches.submit(self.identity, batch.items))


class CancelHandler(_BatchHandler):
    """`/requests/batch/cancel`."""

    @contract(takes=CancelBatch, answers=BatchResult)
    async def post(self) -> None:
        """Withdraw or stop many requests."""
        batch = self.body(CancelBatch)
        self.count(len(batch.ids))
        self.answer_outcomes(await self.context.batches.cancel(self.identity, batch.ids))


def _item(found: ItemOutcome) -> BatchItem:
    row = found.row
    return BatchItem(
        outcome=found.outcome,
        id=None if row is None else row.id,
        status=None if row is None else row.request.status,
        problem=None if found.error is None else problem_of(found.error),
    )
