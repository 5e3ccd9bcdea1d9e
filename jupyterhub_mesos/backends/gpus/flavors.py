"""How a GPU's flavor is made from its name: `NVIDIA A100-SXM4-80GB` is an `a100`.

A flavor is what people ask for, so it names the chip and leaves out brand,
socket and memory. A MIG instance's is its GPU's with the profile behind it:
`a100-1g.10gb`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos_quota.resources import Flavor

KEPT_BACK: Final = ""
"""Instead of a flavor: the device is not given out."""
UNNAMED: Final = "gpu"

_BRANDS: Final = frozenset(
    ("nvidia", "tesla", "quadro", "geforce", "gpu", "device", "graphics", "generation", "edition", "server")
)
_BUILD: Final = re.compile(r"\d+gb|sxm\d*|pcie|nvl\d*|oam|hbm\d\w*")  # socket, link and memory
_MIG_NAME: Final = re.compile(r" MIG (?P<profile>\S+)$")
_NO_NAME: Final = re.compile(r"[^a-z0-9._-]+")
_FLAVOR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # what an amount may be called

_MIB_PER_GIB: Final = 1024
_MEMORY_SLICES: Final = 8  # a GPU's memory is split into eighths


@dataclass(frozen=True, slots=True)
class Slices:
    """What a MIG instance has of its GPU: the driver's attributes of the instance."""

    gpu: int
    compute: int
    mem_mib: int
    parent_mem_mib: int


@dataclass(frozen=True, slots=True)
class Flavors:
    """The rule and an operator's exceptions: a flavor by UUID, by the driver's name, or by the rule's flavor.

    The most particular wins. An empty flavor keeps the device back.
    """

    exceptions: Mapping[str, str]

    @classmethod
    def of(cls, exceptions: Mapping[str, str]) -> Flavors:
        """Check the exceptions; raises `InvalidInput` for what is no flavor."""
        for named, flavor in exceptions.items():
            if flavor != KEPT_BACK and not _FLAVOR.fullmatch(flavor):
                raise InvalidInput(
                    f"{flavor!r} is no flavor (for {named!r}): use up to 63 of letters, digits, `._-`, "
                    "or nothing to keep the device back",
                    where="gpu_flavors",
                )
        return cls(dict(exceptions))

    def flavor(self, uuid: str, name: str, rule: str) -> Flavor | None:
        """Return what the device is asked for by; None where it is kept back."""
        chosen = next((self.exceptions[key] for key in (uuid, name, rule) if key in self.exceptions), rule)
        return Flavor(chosen) if chosen != KEPT_BACK else None


def flavor_of_name(name: str) -> str:
    """Return the flavor of a whole GPU by the name that the driver gives it."""
    words = re.split(r"[\s/-]+", _without_profile(name).lower())
    return _named(word for word in words if word not in _BRANDS and not _BUILD.fullmatch(word))


def flavor_of_instance(parent_name: str, name: str, slices: Slices | None) -> str:
    """Return the flavor of a MIG instance: by its name, or by its slices where the driver leaves it out."""
    match = _MIG_NAME.search(name)
    profile = match["profile"] if match else _profile(slices) if slices else "mig"
    return _named((flavor_of_name(parent_name), profile.lower().replace("+", "-")))


def _profile(slices: Slices) -> str:
    """Name the profile as the driver does; after NVIDIA's own library (go-nvlib, `NewMigProfile`)."""
    share = math.ceil(slices.mem_mib / slices.parent_mem_mib * _MEMORY_SLICES) / _MEMORY_SLICES
    gib = math.floor(share * math.ceil(slices.parent_mem_mib / _MIB_PER_GIB) + 0.5)  # a half goes up
    part = f"{slices.compute}c." if slices.compute != slices.gpu else ""
    return f"{part}{slices.gpu}g.{gib}gb"


def _without_profile(name: str) -> str:
    return _MIG_NAME.sub("", name)


def _named(words: Iterable[str]) -> str:
    return _NO_NAME.sub("", "-".join(words)).strip("._-") or UNNAMED
