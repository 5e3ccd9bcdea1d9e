"""What is known of a workload that makes its end more or less harmful, when something is taken back."""

from __future__ import annotations

from typing import Final

from jupyterhub_mesos.service.rows import AnyPayload
from jupyterhub_mesos.wire import TrainingPayload
from jupyterhub_mesos_quota.model import Facts

NOTHING_KNOWN: Final = Facts()


def facts_of(payload: AnyPayload) -> Facts:
    """Return what a request's payload says: a job with a checkpoint goes on from there."""
    if isinstance(payload, TrainingPayload):
        return Facts(has_checkpoint=payload.job.checkpoint_uri is not None)
    return NOTHING_KNOWN
