"""The files under `/dev` by which GPUs are reached.

The GPU's own, two that every GPU is driven through, and two more for each MIG
instance: `/proc/driver/nvidia-caps/mig-minors` says which, in lines like
`gpu0/gi1/ci0/access 12` for `/dev/nvidia-caps/nvidia-cap12`. The number behind
`gpu` is the minor number of the GPU's own file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

DEV: Final = Path("/dev")
CONTROL: Final = ("nvidiactl", "nvidia-uvm")
"""Every program with a GPU opens them; by themselves they reach none."""
MIG_MINORS: Final = Path("/proc/driver/nvidia-caps/mig-minors")

_CAPABILITY: Final = re.compile(r"^(gpu\S+/access) (\d+)$", re.MULTILINE)
_CAPABILITY_FOLDER: Final = "nvidia-caps"


def of_gpu(minor: int) -> str:
    """Name a GPU's own file."""
    return f"nvidia{minor}"


def capabilities(mig_minors: Path) -> Mapping[str, str]:
    """Return the files of all capabilities by the driver's names; none where it opens instances otherwise."""
    try:
        text = mig_minors.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    found = _CAPABILITY.finditer(text)
    return {match[1]: f"{_CAPABILITY_FOLDER}/nvidia-cap{match[2]}" for match in found}


def of_instance(
    minor: int, gpu_instance: int, compute_instance: int, known: Mapping[str, str]
) -> Iterator[str]:
    """Yield the files that a MIG instance needs besides its GPU's; `known` are the `capabilities`."""
    gpu = f"gpu{minor}/gi{gpu_instance}"
    for name in (f"{gpu}/access", f"{gpu}/ci{compute_instance}/access"):
        if name in known:
            yield known[name]


def making(node: str) -> str:
    """Return the command that makes a file that is missing, for root."""
    if node.startswith(_CAPABILITY_FOLDER):
        return "`nvidia-modprobe -f CAPABILITY` (a file below /proc/driver/nvidia/capabilities)"
    if node in CONTROL:
        return "`nvidia-modprobe -u -c 0`"
    return f"`nvidia-modprobe -c {node.removeprefix('nvidia')}`"
