"""What was used: hours that were held, and times that were waited."""

from __future__ import annotations

from jupyterhub_mesos.wire.base import Paged, Wire


class UsageRow(Wire):
    """What comes together under one key; of the key only the parts that were asked for are there.

    `accelerators` are the hours by flavor; `starts` are first grants, `mean_wait_seconds` and
    `wait_seconds_of_nine_in_ten` how long those had waited (None where there is none). `day`
    is as 2026-11-26.
    """

    team: str | None = None
    user: str | None = None
    kind: str | None = None
    flavor: str | None = None
    day: str | None = None
    cpu_hours: float
    memory_gib_hours: float
    accelerator_hours: float
    accelerators: dict[str, float]
    starts: int
    mean_wait_seconds: float | None
    wait_seconds_of_nine_in_ten: float | None


class UsageView(Paged):
    """`GET /usage`: from `since` until `until` (Unix seconds), in days of `zone`; `total` is over all."""

    since: float
    until: float
    by: tuple[str, ...]
    zone: str
    total: UsageRow
    items: tuple[UsageRow, ...]
