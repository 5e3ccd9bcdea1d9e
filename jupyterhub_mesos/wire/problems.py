"""Errors and health."""

from __future__ import annotations

from typing import Literal

from jupyterhub_mesos.wire.base import Wire
from jupyterhub_mesos.wire.capacity import TeamChange


class ClashView(Wire):
    """What a booking runs into: at a moment (Unix seconds), so much of `amount` is possible.

    `team` is whose limit it is, None where it is what the nodes can hold; `reservations` hold the rest then.
    """

    at: float
    amount: str
    asked: int
    possible: int
    team: str | None = None
    reservations: tuple[str, ...] = ()


class Problem(Wire):
    """An error (RFC 9457, `application/problem+json`); `detail` is for people, `code` for machines.

    `where` names the field of the body or query that does not hold, its parts with dots between.
    `changes` is what others have changed of the teams since the revision that an edit was based on, until
    `revision`.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    where: str | None = None
    request_id: str | None = None
    page_url: str | None = None
    clash: ClashView | None = None
    changes: tuple[TeamChange, ...] | None = None
    revision: int | None = None


class Health(Wire):
    """`GET /health`: whether the parts answer; a `standby` waits for the ledger of another service."""

    status: Literal["ok", "degraded", "standby"]
    version: str
    backend: str
    ledger: str
    waiting: int
    active: int
    message: str = ""
