"""The tests' configuration with real notebook servers, and a profile that ships an environment."""

import json
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
load_subconfig(str(here / "hub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - given by traitlets
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ['--ServerApp.jpserver_extensions={"jupyterhub_mesos.lab": True, "jupyterlab": False}']
c.Spawner.environment.update({"JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"})
c.Spawner.http_timeout = 60

state = Path(c.CapacityService.state_dir)
resources = {"cpu_millis": 500, "mem_mib": 512}
profiles = {
    "small": {"title": "Small", "resources": resources, "is_default": True},
    "shipped": {"title": "Shipped", "resources": resources, "environment": str(state / "envs" / "vision")},
}
path = state / "profiles.yaml"
path.write_text(json.dumps({"profiles": profiles}))
c.CapacityService.profiles_file = str(path)
