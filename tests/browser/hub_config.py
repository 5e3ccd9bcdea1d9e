"""The end-to-end tests' configuration, with a server that has a page to land on."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
load_subconfig(str(here.parent / "end_to_end" / "hub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - given by traitlets
c.Spawner.cmd = [sys.executable, str(here / "page_server.py")]
c.Spawner.default_url = "/lab"
c.Spawner.environment.update({"PYTHONPATH": os.fspath(here.parent)})
