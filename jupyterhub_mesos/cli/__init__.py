"""The command line `jupyterhub-mesos`; docs/reference/cli.md lists every command.

`commands` holds the parser and nothing heavy, so that `--help` and `version`
answer at once; each command imports what it needs when it runs.
"""

from jupyterhub_mesos.cli.commands import main

__all__ = ["main"]
