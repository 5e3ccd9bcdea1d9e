"""The how-to's commands, run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from jupyterhub_mesos.service.store import Store, store_url
from project.repository import text


def steps() -> list[str]:
    page = text("docs/how-to/back-up-the-ledger.md")
    return re.findall(r"^jupyterhub-mesos .*$", page, re.MULTILINE)


def run(step: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = step.split()
    assert program == "jupyterhub-mesos"
    return subprocess.run(
        [sys.executable, "-m", "jupyterhub_mesos.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_how_to_works_step_by_step(tmp_path: Path) -> None:
    (tmp_path / ".demo").mkdir()
    store = Store(store_url(tmp_path / ".demo" / "ledger.sqlite"))
    store.open()  # and the ledger stays open while it is backed up
    backup, restore, upgrade = steps()
    done = run(backup, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "at revision" in done.stdout
    assert run(backup, tmp_path).returncode == 2  # it replaces no file
    store.close()
    refused = run(restore.replace(" --replace", ""), tmp_path)
    assert refused.returncode == 2
    assert "say --replace" in refused.stderr
    done = run(restore, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.glob("ledger-monday.backup.replaced-*"))) == 1
    done = run(upgrade, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing was written" in done.stdout
