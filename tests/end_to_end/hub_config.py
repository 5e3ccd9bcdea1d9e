"""The shipped configuration, with the smallest server for a notebook and the demo's capacity."""

import sys
from pathlib import Path

here = Path(__file__).resolve().parent
load_subconfig(str(here.parents[1] / "config" / "jupyterhub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - given by traitlets
c.CapacityService.capacity_cpu_millis = 4000
c.CapacityService.capacity_mem_mib = 6144
c.CapacityService.identity_seconds = 1
c.CapacityService.max_live_requests_per_user = 110  # five people here do what hundreds would
c.Authenticator.allowed_users = {"ann", "ben", "dan", "eva", "sam"}
c.Spawner.cmd = [sys.executable, str(here.parent / "tiny_server.py")]
c.Spawner.poll_interval = 1
c.Spawner.default_url = "/api"
c.Spawner.http_timeout = 5
