"""The browser tests' configuration, on a machine that is larger than the one that it runs on."""

from pathlib import Path

here = Path(__file__).resolve().parent
load_subconfig(str(here.parent / "browser" / "hub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - given by traitlets
c.CapacityService.capacity_cpu_millis = 64000
c.CapacityService.capacity_mem_mib = 256 * 1024
