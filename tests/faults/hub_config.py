"""The installation of the fault table: end-to-end's, with a lender that waits for seconds and a service that
can be held at any of its commits (`gate.py`); its ledger where `SOAK_LEDGER` says."""

import sys
from pathlib import Path

here = Path(__file__).resolve().parent
load_subconfig(str(here.parent / "soak" / "hub_config.py"))  # noqa: F821 - given by traitlets

c = get_config()  # noqa: F821 - as above
c.CapacityService.reclaim_min_runtime_minutes = 0
c.CapacityService.reclaim_grace_minutes = 3 / 60

sys.path.insert(0, str(here.parent))
from faults.gate import stand_at_the_gate  # noqa: E402 - a package of the tests

stand_at_the_gate()
