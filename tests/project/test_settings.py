"""docs/reference/settings.md says of every setting of the service what its help says."""

from __future__ import annotations

import re

from jupyterhub_mesos.service.settings import described_settings
from project.repository import text

PAGE = "docs/reference/settings.md"


def row(name: str, help_: str) -> str:
    return f"| `{name}` | {' '.join(help_.split())} |"


def test_the_page_of_settings_has_a_row_for_each_as_its_help_says() -> None:
    due = [row(name, setting.help or "") for name, setting in described_settings().items()]
    found = re.findall(r"^\| `.*\|$", text(PAGE), re.MULTILINE)
    assert found == due, "write these rows:\n" + "\n".join(due)


def test_every_setting_says_its_default() -> None:
    silent = [
        name for name, setting in described_settings().items() if "Default: " not in (setting.help or "")
    ]
    assert silent == []
