"""The configuration that operators get, on a small machine, with an impatient lender and a quick hub."""

from pathlib import Path

load_subconfig(str(Path(__file__).resolve().parent / "up_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - as above
c.CapacityService.capacity_cpu_millis = 3000
c.CapacityService.capacity_mem_mib = 6144
c.CapacityService.reclaim_min_runtime_minutes = 0
c.CapacityService.reclaim_grace_minutes = 4 / 60
c.Spawner.poll_interval = 2
