"""Where replicas may stand: labels of nodes, and zones."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from jupyterhub_mesos.wire.base import Wire
from jupyterhub_mesos_quota.rules import PlacementRule, Zones

LabelKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,252}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,255}$")]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,255}$")]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]


class PlacementModel(Wire):
    """Each replica on a node that has all `labels`; `zones`: `one` zone for all, an even `spread`, or `any`.

    `prefer_zone` is a wish: it is taken where it has room for all replicas.
    """

    labels: Labels = Field(default_factory=dict)
    zones: Literal["any", "one", "spread"] = "any"
    prefer_zone: ZoneName = ""

    def value(self) -> PlacementRule:
        """Return the core's value."""
        return PlacementRule.of(self.labels, Zones(self.zones), self.prefer_zone)

    @classmethod
    def of(cls, rule: PlacementRule | None) -> Self | None:
        """Build the message from the core's value; None where there is no rule."""
        if rule is None:
            return None
        return cls(labels=dict(rule.labels), zones=rule.zones.value, prefer_zone=rule.prefer_zone)
