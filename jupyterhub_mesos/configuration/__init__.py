"""What an operator writes (teams.yaml and the others), with the line of everything that is wrong.

The files become messages of `wire`; the team tree is validated by the
decision core, so that a file, the API and the ledger hold the same rules.
"""

from jupyterhub_mesos.configuration.connections import load_connections
from jupyterhub_mesos.configuration.document import InvalidFile, Problem
from jupyterhub_mesos.configuration.policy import load_policy
from jupyterhub_mesos.configuration.profiles import load_profiles
from jupyterhub_mesos.configuration.teams import check_names, diff_teams, load_teams, team_values

__all__ = [
    "InvalidFile",
    "Problem",
    "check_names",
    "diff_teams",
    "load_connections",
    "load_policy",
    "load_profiles",
    "load_teams",
    "team_values",
]
