"""The configuration that operators get, with the tiny server in place of JupyterLab."""

import sys
from pathlib import Path

tests = Path(__file__).resolve().parent
load_subconfig(str(tests.parent / "config" / "jupyterhub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - as above
c.Spawner.cmd = [sys.executable, str(tests / "tiny_server.py")]
c.JupyterHub.load_roles.append({"name": "admin", "services": ["capacity-operator"]})
