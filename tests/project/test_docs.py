"""The documentation cannot rot: what it names is there, and what is there it names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from jupyterhub_mesos.cli.commands import parser
from jupyterhub_mesos.lab.routes import ROUTES as LAB_ROUTES
from jupyterhub_mesos.lake import handout
from jupyterhub_mesos.wire import (
    BoundsModel,
    BudgetModel,
    ConnectionModel,
    ConnectionView,
    ProfileModel,
    ResourcesModel,
    TeamModel,
    UserCapsModel,
)
from jupyterhub_mesos.wire.lake import CredentialsModel, SessionModel
from jupyterhub_mesos_quota.model import AllocationState, RequestStatus
from jupyterhub_mesos_quota.moves import REQUEST_MOVES
from project.repository import ROOT, links, pages, text

DRAWING = "docs/images/life-of-a-request.svg"
LIFE = "docs/explanation/life-of-a-request.md"


def anchors(page: Path) -> set[str]:
    """Return the anchors that the page's headings get."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert [page for page in pages() if page.parent != ROOT and page != index and page not in named] == []


def documented_keys(page: str) -> set[str]:
    """Return what stands in the first column of the page's tables."""
    return set(re.findall(r"^\| `([^`]+)` \|", text(page), re.MULTILINE))


def test_every_key_of_a_team_is_documented_and_no_other() -> None:
    parts = TeamModel, ResourcesModel, BoundsModel, UserCapsModel, BudgetModel
    expected = {key for model in parts for key in model.model_fields}
    assert documented_keys("docs/reference/teams.md") == expected


def test_every_key_of_a_profile_is_documented_and_no_other() -> None:
    assert documented_keys("docs/reference/profiles.md") == set(ProfileModel.model_fields)


def test_every_key_of_a_connection_is_documented_and_no_other() -> None:
    expected = set(ConnectionModel.model_fields) | set(CredentialsModel.model_fields)
    expected |= set(SessionModel.model_fields)
    assert documented_keys("docs/reference/lake.md") == expected


def test_every_variable_and_route_of_the_lake_is_documented() -> None:
    page = text("docs/reference/lake.md")
    view = ConnectionView(
        name="a", title="", endpoint="http://s3", bucket="b", prefix="p", region="r", mode="ro"
    )
    told = set(handout.environment((view,), "http://api", "token")) | {"LAKE_TEAM_URI", "LAKE_SHARED_URI"}
    assert {name for name in told if not name.endswith("_A") and f"`{name}`" not in page} == set()
    for path, handler in LAB_ROUTES.items():
        for method in ("GET", "POST", "PUT", "DELETE"):
            if path.startswith("lake/") and method.lower() in vars(handler):
                assert f"`{method} capacity/{path}" in page


def commands(command: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield command
    for action in below:
        for child in action.choices.values():
            yield from commands(child)


def test_every_command_is_documented_and_no_other() -> None:
    expected = {command.prog for command in commands(parser())}
    assert documented_keys("docs/reference/cli.md") == expected


def test_every_option_of_every_command_is_documented() -> None:
    page = text("docs/reference/cli.md")
    options = {
        option
        for command in commands(parser())
        for action in command._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert {option for option in options if not re.search(rf"`{option}[` ]", page)} == set()


def test_every_state_stands_in_the_page_on_the_life_of_a_request() -> None:
    assert documented_keys(LIFE) == {*RequestStatus, *AllocationState}


def test_the_page_names_the_legal_moves_of_a_request() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", text(LIFE), re.MULTILINE))
    for status in RequestStatus:
        written = set(re.findall(r"`(\w+)`", rows[status]))
        assert written == {after for before, after in REQUEST_MOVES if before == status}


def test_every_state_stands_in_the_drawing() -> None:
    drawn = {
        (element.text or "").partition(":")[0]
        for element in ElementTree.parse(ROOT / DRAWING).iter("{http://www.w3.org/2000/svg}text")
        if element.get("class") == "name"
    }
    assert drawn == {*RequestStatus, *AllocationState}


def test_the_drawing_is_for_light_and_dark() -> None:
    assert "prefers-color-scheme: dark" in text(DRAWING)


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert "## [Unreleased]" in text("CHANGELOG.md")


def test_the_commands_that_the_readme_names_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"^`?make ([a-z-]+)", text("README.md"), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
