"""What every message shares: its strictness, its words for names and amounts."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from jupyterhub_mesos_quota.resources import Flavor, Resources

API_VERSION: Final = "v1"
API_PREFIX: Final = "/api/v1"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""A team, profile, role, model or job: starts with a letter or digit, at most 63 characters."""
Text = Annotated[str, StringConstraints(max_length=4096)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Wire(BaseModel):
    """What every message shares: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Paged(Wire):
    """A page of a list: pass `next_cursor` on as `cursor` for the next one; None says that there is none."""

    next_cursor: str | None = None


class ResourcesModel(Wire):
    """Amounts of CPU (thousandths of a core), memory (MiB) and accelerators per flavor."""

    cpu_millis: Count = 0
    mem_mib: Count = 0
    accelerators: dict[Name, Count] = Field(default_factory=dict)

    def value(self) -> Resources:
        """Return the core's value."""
        return Resources.of(
            self.cpu_millis, self.mem_mib, {Flavor(flavor): n for flavor, n in self.accelerators.items()}
        )

    @classmethod
    def of(cls, resources: Resources) -> Self:
        """Build the message from the core's value (negative amounts, of a shrunken node, read as 0)."""
        return cls(
            cpu_millis=max(0, resources.cpu_millis),
            mem_mib=max(0, resources.mem_mib),
            accelerators={flavor: count for flavor, count in resources.accelerators if count > 0},
        )


_UNSAFE = re.compile(r"[^a-z0-9]+")


def slug(text: str, *, fallback: str = "x") -> str:
    """Make a name that is safe in paths, ids and host names from any text (lossy: not an identity)."""
    return _UNSAFE.sub("-", text.lower()).strip("-")[:40] or fallback
