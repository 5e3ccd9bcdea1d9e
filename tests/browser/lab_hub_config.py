"""The tests' configuration with the notebook server that people get: JupyterLab with the buttons."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
load_subconfig(str(here.parent / "end_to_end" / "hub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - given by traitlets
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    # the sources' own bundle, whatever is installed: a folder that holds it under its name
    f"--LabServerApp.extra_labextensions_path={here.parent / 'lab' / 'labextensions'}",
    '--ServerApp.jpserver_extensions={"jupyterhub_mesos.lab": True}',
    "--LabApp.expose_app_in_browser=True",
]
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = 60
c.Spawner.environment.update({"PYTHONPATH": os.environ.get("PYTHONPATH", "")})
