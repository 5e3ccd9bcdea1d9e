"""The hub of tests/spawner: `configure`, as an operator calls it, made short and strict."""

import os

from jupyterhub_mesos.statefolder import STATE_VARIABLE, StateFolder
from jupyterhub_mesos_spawner.configure import configure
from real_hub import PASSWORD

state = StateFolder.at(os.environ[STATE_VARIABLE])
c = get_config()  # noqa: F821 - given by traitlets
configure(c, state=state.root, admin_users=["root"])

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = PASSWORD
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"root"}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.load_groups = {"vision": {"users": ["ann"]}, "speech": {"users": ["ann", "dan"]}}
c.JupyterHub.services.append({"name": "tests", "api_token": state.secret("test_admin_token")})
c.JupyterHub.load_roles.append({"name": "admin", "services": ["tests"]})
# a pending start answers at once, and a page at once after it
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 1}
# strict, so that the test of thirty denials proves something (configure sets 0)
c.Spawner.consecutive_failure_limit = 3
c.ServiceSpawner.stop_timeout_seconds = 5
c.Spawner.poll_interval = 1
