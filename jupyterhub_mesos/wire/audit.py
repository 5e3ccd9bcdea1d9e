"""What happened: who did or caused what, when and why."""

from __future__ import annotations

from typing import Any

from jupyterhub_mesos.wire.base import Paged, Wire


class AuditView(Wire):
    """One thing that happened, at a moment in Unix seconds, to a request, an allocation, a queue, …"""

    seq: int
    at: float
    who: str
    what: str
    subject: str
    why: str
    data: dict[str, Any]


class AuditPage(Paged):
    """`GET /audit`: newest first; pass `next_cursor` as `cursor` for the next page."""

    items: tuple[AuditView, ...]
