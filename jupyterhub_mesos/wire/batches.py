"""Many requests at once: asked for, or ended, in one transaction, with an outcome each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from jupyterhub_mesos.wire.base import Wire
from jupyterhub_mesos.wire.problems import Problem
from jupyterhub_mesos.wire.requests import RequestSubmission
from jupyterhub_mesos_quota.model import RequestStatus

MAX_BATCH_ITEMS: Final = 1000
"""As many as the ledger writes in one transaction."""


class RequestBatch(Wire):
    """`POST /requests/batch`: up to 1,000 workloads."""

    model_config = ConfigDict(hide_input_in_errors=True)  # as of a RequestSubmission

    items: Annotated[tuple[RequestSubmission, ...], Field(min_length=1, max_length=MAX_BATCH_ITEMS)]


class CancelBatch(Wire):
    """`POST /requests/batch/cancel`: up to 1,000 requests, by their ids."""

    ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_BATCH_ITEMS)]


class BatchOutcome(StrEnum):
    """What became of an item."""

    CREATED = "created"  # it waits or runs now
    EXISTED = "existed"  # that notebook server is live already
    ENDED = "ended"  # it is withdrawn, or being stopped
    UNCHANGED = "unchanged"  # it was over, or being stopped, before
    REFUSED = "refused"  # `problem` says why


class BatchItem(Wire):
    """An item's outcome, with its request as it stands then; `GET /requests/ID` says more."""

    outcome: BatchOutcome
    id: str | None = None
    status: RequestStatus | None = None
    problem: Problem | None = None


class BatchResult(Wire):
    """The outcomes, in the order of the items; `refused` counts those that were refused."""

    items: tuple[BatchItem, ...]
    refused: int
