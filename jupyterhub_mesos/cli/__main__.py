"""`python -m jupyterhub_mesos.cli`."""

from jupyterhub_mesos.cli.commands import main

raise SystemExit(main())
