"""The configuration that hub and capacity service both read: what an operator edits.

Every setting of the hub may follow the call of `configure`, and wins over it.
"""

import os
from pathlib import Path

from jupyterhub_mesos.statefolder import STATE_VARIABLE, StateFolder
from jupyterhub_mesos_spawner.configure import configure

here = Path(__file__).resolve().parent
state = StateFolder.at(os.environ.get(STATE_VARIABLE, "state"))

c = get_config()  # noqa: F821 - given by traitlets

# ---- Capacity: who gets what is in teams.yaml, what can be started in profiles.yaml,
# ---- and which S3 sources teams have beside the folders of the lake in lake.yaml. ----
configure(
    c,
    state=state.root,
    teams_file=here / "teams.yaml",
    profiles_file=here / "profiles.yaml",
    lake_file=here / "lake.yaml",
    admin_users=["admin"],
)
c.JupyterHub.allow_named_servers = True

# ---- The notebook server that everybody gets. ----
c.Spawner.cmd = ["jupyterhub-singleuser"]
c.Spawner.default_url = "/lab"

# ---- Log-in: a DEMO, one shared password per team, made in <state>/secrets/ on the first start. ----
# Anybody with a team's password can log in under any of the names below. For real use, put your identity
# provider's authenticator here and let it bring the groups that teams.yaml names.
c.JupyterHub.authenticator_class = "shared-password"
c.Authenticator.manage_groups = True
c.Authenticator.allowed_users = {"ann", "ben", "dan", "eva"}
c.Authenticator.admin_users = {"admin"}
c.SharedPasswordAuthenticator.admin_password = state.password("admin", 32)
c.SharedPasswordAuthenticator.password_groups = {
    state.password("vision"): ["vision"],
    state.password("speech"): ["speech"],
}
