"""JupyterHub as it comes, with `SimpleLocalProcessSpawner`: the baseline of benchmarks/spawn.py."""

import os
import sys
from pathlib import Path

from jupyterhub_mesos.cli.proxy import proxy_command

c = get_config()  # noqa: F821 - given by traitlets
public, hub, proxy_api = os.environ["STOCK_PORTS"].split(",")
tests = Path(__file__).resolve().parents[1] / "tests"

c.JupyterHub.bind_url = f"http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub}"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [{"name": "bench", "api_token": os.environ["STOCK_TOKEN"]}]
c.JupyterHub.load_roles = [
    {"name": "bench", "services": ["bench"], "scopes": ["admin:users", "admin:servers", "list:users"]}
]
c.ConfigurableHTTPProxy.command = list(proxy_command())
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy_api}"
c.Authenticator.allow_all = True
c.Spawner.cmd = [sys.executable, str(tests / "tiny_server.py")]
c.Spawner.default_url = "/api"
