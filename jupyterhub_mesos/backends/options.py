"""What an operator may say of a backend, as a value: read and refused by `registry`.

Of the standard library alone: backends import it, and what starts tasks loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What an operator may say of a backend; each takes what it knows.

    `cpu_millis` and `mem_mib` are what may be used of the machine, where not all of
    it; `isolation`, `hidden`, `use_machine_accounts` (whether a user is the
    machine's account of that name), `gpu_flavors` (exceptions to the rule that
    names a GPU's flavor), `zone` and `labels` (of its one node) are the local backend's.
    """

    cpu_millis: int | None = None
    mem_mib: int | None = None
    isolation: str = "auto"
    hidden: tuple[Path, ...] = ()
    use_machine_accounts: bool = False
    gpu_flavors: Mapping[str, str] = field(default_factory=dict[str, str])
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
