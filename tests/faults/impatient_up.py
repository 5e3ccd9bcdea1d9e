"""`jupyterhub-mesos up` whose supervisor does not wait longer with each of a row of crashes."""

import sys

from jupyterhub_mesos.cli import processes
from jupyterhub_mesos.cli.commands import main

processes.LONGEST_BACKOFF_SECONDS = processes.FIRST_BACKOFF_SECONDS
sys.exit(main())
