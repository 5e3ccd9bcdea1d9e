"""What an operator says of the backend on which workloads run; each has a class of keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from traitlets import Bool, Dict, Enum, HasTraits, Integer, Unicode


class LocalBackendTraits(HasTraits):
    """The keys under `c.CapacityService` that are the local backend's."""

    capacity_cpu_millis = Integer(
        0,
        min=0,
        help="Thousandths of a CPU core that may be given out; 0 takes what the machine has. Default: 0.",
    ).tag(config=True)
    capacity_mem_mib = Integer(
        0,
        min=0,
        help="MiB of memory that may be given out; 0 takes what the machine has. Default: 0.",
    ).tag(config=True)
    isolation = Enum(
        ("auto", "sandbox", "account", "shared"),
        default_value="auto",
        help="How the local backend keeps users apart: sandbox (bubblewrap), account (a system account "
        "each), shared (one trust domain). Default: auto, the best that works here.",
    ).tag(config=True)
    machine_accounts = Bool(
        False,
        help="Whether a user's tasks run under the machine's account of that name, where it is a person's "
        "(id 1000 or above), with its primary group alone. Only where whoever logs in to the hub as NAME "
        "is NAME on this machine. Default: False, an id of 20000 to 29999 for each user.",
    ).tag(config=True)
    gpu_flavors = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Flavors of GPUs that the rule names otherwise: a GPU's UUID, the driver's name of it or the "
        "rule's flavor, to the flavor that people ask for; an empty one keeps the GPU back. Default: none.",
    ).tag(config=True)
    zone = Unicode(
        "",
        help="The zone of the local backend's one node: what fails together. Default: none.",
    ).tag(config=True)
    labels = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Labels of the local backend's one node, which profiles and jobs can ask for; `hostname` is "
        "there already. Default: none.",
    ).tag(config=True)

    def local_options(self, state: Path) -> Mapping[str, object]:
        """Return what was configured as the backend's factory reads it; `state` is hidden from tasks."""
        return {
            "cpu_millis": self.capacity_cpu_millis or None,
            "mem_mib": self.capacity_mem_mib or None,
            "isolation": self.isolation,
            "use_machine_accounts": self.machine_accounts,
            "hidden": (state,),
            "gpu_flavors": self.gpu_flavors,
            "zone": self.zone,
            "labels": self.labels,
        }
