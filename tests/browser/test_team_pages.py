"""The teams' page: an edit and its effect, two editors at once, history with undo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from browser.conftest import Enter
from browser.test_levers import dialog
from browser.test_pages import training
from browser.visitor import Visitor
from installation import Installation
from jupyterhub_mesos.wire import TeamModel, TeamsModel

SCRIPT = "<script>document.body.dataset.hurt = 'yes'</script>"


@pytest.fixture
def seeded(cloud: Installation) -> Iterator[Installation]:
    """The installation, whose teams are as they were after the test."""
    client = cloud.client("admin")
    before = TeamsModel(teams={view.id: view.team for view in client.teams().teams})
    yield cloud
    cloud.end_everything()
    client.put_teams(before)


def team(cloud: Installation, name: str) -> TeamModel:
    return next(view.team for view in cloud.client("admin").teams().teams if view.id == name)


def editor(visitor: Visitor, name: str) -> Locator:
    visitor.go("teams")
    visitor.page.get_by_role("button", name=f"Edit team {name}").click()
    return dialog(visitor.page, f"Edit team {name}")


def amount(form: Locator, group: str, label: str) -> Locator:
    return form.get_by_role("group", name=group, exact=True).get_by_label(label, exact=True)


def save(form: Locator) -> None:
    form.get_by_role("button", name="Look at the effect").click()
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)


def test_an_edit_is_looked_at_and_made_and_undone(enter: Enter, seeded: Installation) -> None:
    seeded.until_running("ann", seeded.client("ann").submit(training()).id)
    admin = enter("admin")
    form = editor(admin, "vision")
    amount(form, "Limit", "CPU").fill("3")
    amount(form, "Each member", "Notebooks").fill("2")
    form.get_by_label("Reason").fill(f"a deadline {SCRIPT}")
    form.get_by_role("button", name="Look at the effect").click()
    look = form.get_by_role("region", name="What the edit would do")
    expect(look).to_contain_text("vision: Limit, CPU 3.5 CPU → 3 CPU")
    expect(look).to_contain_text("Nobody is stopped for it")
    assert team(seeded, "vision").limit.cpu_millis == 3500
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    written = team(seeded, "vision")
    assert (written.limit.cpu_millis, written.per_user.sessions, written.groups) == (3000, 2, ("vision",))
    admin.page.get_by_text("Edits that were made").click()
    expect(admin.page.get_by_text(f"a deadline {SCRIPT}")).to_be_visible()
    assert admin.page.evaluate("document.body.dataset.hurt") is None
    admin.page.get_by_role("button", name="Undo edit").first.click()
    asked = admin.page.get_by_role("dialog")
    expect(asked).to_contain_text("3 CPU → 3.5 CPU")
    asked.get_by_role("button", name="Undo the edit").click()
    expect(asked).to_have_count(0)
    assert team(seeded, "vision").limit.cpu_millis == 3500


def test_who_would_be_above_a_new_limit_is_said_before(enter: Enter, seeded: Installation) -> None:
    seeded.start_notebook("ann", "large")
    form = editor(enter("admin"), "vision")
    for group in ("Guaranteed", "Limit"):
        amount(form, group, "CPU").fill("1")
    form.get_by_role("button", name="Look at the effect").click()
    look = form.get_by_role("region", name="What the edit would do")
    expect(look).to_contain_text("team vision holds 2 CPU and may hold 1 CPU")


def test_what_does_not_hold_is_said_at_its_field_and_nothing_typed_is_lost(
    enter: Enter, seeded: Installation
) -> None:
    admin = enter("admin")
    form = editor(admin, "vision")
    limit = amount(form, "Limit", "CPU")
    weight = form.get_by_label("Weight among borrowers")
    weight.fill("0.5")
    limit.fill("1")
    form.get_by_role("button", name="Look at the effect").click()
    expect(weight).to_be_focused()
    expect(weight).to_have_attribute("aria-invalid", "true")
    weight.fill("2")
    form.get_by_role("button", name="Look at the effect").click()
    expect(limit).to_be_focused()
    expect(limit).to_have_accessible_description(
        "Team vision is guaranteed 2 CPU, but its limit is 1 CPU: "
        "raise the limit to 2 CPU or more, or lower the guarantee to 1 CPU or less."
    )
    expect(weight).to_have_value("2")
    form.get_by_role("button", name="Cancel").click()
    expect(form.get_by_role("alert").filter(has_text="not saved yet")).to_be_visible()
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_have_count(0)
    assert all("400" in trouble for trouble in admin.troubles)
    admin.troubles.clear()


def test_two_who_edit_one_team_see_both_edits_beside_each_other(enter: Enter, seeded: Installation) -> None:
    admin = enter("admin")
    form = editor(admin, "speech")
    amount(form, "Limit", "CPU").fill("2.5")
    form.get_by_label("Title").fill("Speech and sound")
    theirs = team(seeded, "speech").model_copy(update={"title": "Voices", "weight": 4})
    others = {view.id: view.team for view in seeded.client("admin").teams().teams}
    seeded.client("admin").put_teams(TeamsModel(teams={**others, "speech": theirs}))
    form.get_by_role("button", name="Look at the effect").click()
    told = form.get_by_role("alert").filter(has_text="Somebody else changed the teams")
    row = told.get_by_role("row").filter(has_text="Title")
    for text in ("Speech", "Voices", "Speech and sound"):
        expect(row.get_by_role("cell", name=text, exact=True)).to_be_visible()
    expect(form.get_by_label("Weight among borrowers")).to_have_value("4")
    expect(amount(form, "Limit", "CPU")).to_have_value("2.5")
    expect(form.get_by_role("textbox", name="Title")).to_have_value("Speech and sound")
    told.get_by_role("button", name="Take theirs: Title").click()
    save(form)
    made = team(seeded, "speech")
    assert (made.title, made.weight, made.limit.cpu_millis) == ("Voices", 4, 2500)
    assert all("412" in trouble for trouble in admin.troubles)
    admin.troubles.clear()


def test_a_team_is_added_and_removed_with_the_keyboard(enter: Enter, seeded: Installation) -> None:
    admin = enter("admin")
    admin.go("teams")
    admin.page.get_by_role("button", name="New team…").focus()
    admin.page.keyboard.press("Enter")
    form = dialog(admin.page, "A new team")
    form.get_by_label("Name").fill("robots")
    form.get_by_label("Stands under").select_option("lab")
    save(form)
    expect(admin.page.get_by_role("row").filter(has_text="robots")).to_be_visible()
    admin.page.get_by_role("button", name="Remove team robots").click()
    asked = admin.page.get_by_role("dialog")
    asked.get_by_role("button", name="Remove the team").click()
    expect(asked).to_have_count(0)
    expect(admin.page.get_by_role("row").filter(has_text="robots")).to_have_count(0)


def test_a_member_sees_the_tree_and_no_editor(enter: Enter, cloud: Installation) -> None:
    ann = enter("ann")
    ann.go("teams")
    expect(ann.page.get_by_role("img", name="The tree of teams")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Edit")).to_have_count(0)
    expect(ann.page.get_by_text("Edits that were made")).to_have_count(0)
