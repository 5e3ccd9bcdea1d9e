"""The configuration of the end-to-end tests, with a ledger where `SOAK_LEDGER` says."""

import os
from pathlib import Path

load_subconfig(str(Path(__file__).resolve().parents[1] / "end_to_end" / "hub_config.py"))  # noqa: F821 - by traitlets

c = get_config()  # noqa: F821 - given by traitlets
c.CapacityService.ledger_url = os.environ.get("SOAK_LEDGER", "")
c.CapacityService.writes_per_minute = 100_000  # one person here does what twenty would
