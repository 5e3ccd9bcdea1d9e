"""How an operator watches the service: who may read its metrics, and in which form it writes its log."""

from __future__ import annotations

from dataclasses import dataclass

from traitlets import Bool, HasTraits


@dataclass(frozen=True, slots=True)
class Watching:
    """What was configured of it."""

    open_metrics: bool = False


class WatchingTraits(HasTraits):
    """The keys under `c.CapacityService` that say how the service is watched."""

    open_metrics = Bool(
        False,
        help="Whether `/metrics` answers everybody who reaches the service; they name teams, and no person. "
        "Default: False, then a token of an admin, or one with the scopes read:metrics and "
        "access:services!service=NAME.",
    ).tag(config=True)

    def watching(self) -> Watching:
        """Return what was configured as one value."""
        return Watching(open_metrics=self.open_metrics)
