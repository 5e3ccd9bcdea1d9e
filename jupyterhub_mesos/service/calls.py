"""What the callers of the ledger wait for while their changes are handled and written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.service.changes import Change
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import Action

Refusal = CapacityError | QuotaError


@dataclass(slots=True)
class Call:
    """What one caller waits for; `is_each`: refusals are told change by change, and none is raised."""

    changes: tuple[Change, ...]
    done: asyncio.Future[tuple[Action, ...]]
    actions: tuple[Action, ...] = ()
    is_each: bool = False
    refusals: list[Refusal | None] = field(default_factory=list["Refusal | None"])

    @property
    def refusal(self) -> Refusal | None:
        """The first refusal that is to be raised."""
        return None if self.is_each else next((each for each in self.refusals if each is not None), None)


def future() -> asyncio.Future[tuple[Action, ...]]:
    """Make what a caller waits on."""
    return asyncio.get_running_loop().create_future()
