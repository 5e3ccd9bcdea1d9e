"""How an operator watches the service: who may read its metrics, and in which form it writes its log."""

from __future__ import annotations

from dataclasses import dataclass

from traitlets import Bool, Enum, HasTraits

from jupyterhub_mesos.service.logs import LogStyle


@dataclass(frozen=True, slots=True)
class Watching:
    """What was configured of it."""

    open_metrics: bool = False
    log_style: LogStyle = LogStyle.TEXT


class WatchingTraits(HasTraits):
    """The keys under `c.CapacityService` that say how the service is watched."""

    open_metrics = Bool(
        False,
        help="Whether `/metrics` answers everybody who reaches the service; they name teams, and no person. "
        "Default: False, then a token of an admin, or one with the scopes read:metrics and "
        "access:services!service=NAME.",
    ).tag(config=True)

    log_style = Enum(  # `log_format` is traitlets' own, a template
        tuple(style.value for style in LogStyle),
        default_value=LogStyle.TEXT.value,
        help="How the log is written: `text` (a line for people) or `json` (an object a line: time, level, "
        "logger, message, and the id of the allocation, request or task that it is about). Default: text.",
    ).tag(config=True)

    def watching(self) -> Watching:
        """Return what was configured as one value."""
        return Watching(self.open_metrics, LogStyle(self.log_style))
