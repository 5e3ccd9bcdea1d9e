"""One call sets hub and service up for each other, and later lines win."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.policy_traits import PolicyTraits, product_policy
from jupyterhub_mesos.service.settings import CapacityService
from jupyterhub_mesos.statefolder import STATE_VARIABLE, StateFolder
from jupyterhub_mesos_quota.policy import Policy, Preempt
from jupyterhub_mesos_spawner.configure import ADMIN_SCOPE, POLICY_OPTIONS, Options, configure

REPOSITORY = Path(__file__).resolve().parents[2]


def configured(tmp_path: Path, **options: Any) -> Config:
    c = Config()
    configure(c, state=tmp_path, **options)
    return c


def scopes_of(c: Config, service: str) -> set[str]:
    return {
        scope for role in c.JupyterHub.load_roles if service in role["services"] for scope in role["scopes"]
    }


def test_hub_and_service_are_told_the_same(tmp_path: Path) -> None:
    folder = StateFolder.at(tmp_path)
    folder.prepare()
    ports = folder.choose_ports()
    c = configured(tmp_path, teams_file="teams.yaml", ledger_url="postgresql://hub@db/ledger")
    capacity = c.JupyterHub.services[0]
    assert capacity["api_token"] == c.CapacityService.api_token == folder.secret("service_token")
    assert capacity["url"] == f"http://127.0.0.1:{ports.service}"
    assert c.CapacityService.port == ports.service
    assert c.CapacityService.hub_key_file == c.ServiceSpawner.hub_key_file
    assert c.CapacityService.service_prefix == c.JupyterHub.default_url == "/services/capacity/"
    assert c.CapacityService.hub_api_url == f"http://127.0.0.1:{ports.hub}/hub/api"
    assert c.CapacityService.teams_file == "teams.yaml"
    assert c.CapacityService.ledger_url == "postgresql://hub@db/ledger"


def test_the_service_may_start_servers_and_stop_them_only_where_asked(tmp_path: Path) -> None:
    plain = scopes_of(configured(tmp_path), "capacity")
    assert plain == {"start:servers", "read:servers", "list:users"}
    assert scopes_of(configured(tmp_path, may_reclaim=True), "capacity") == plain | {"delete:servers"}


def test_only_named_admins_administer_teams(tmp_path: Path) -> None:
    c = configured(tmp_path, admin_users=["root"], admin_groups=["ops"])
    holders = [role for role in c.JupyterHub.load_roles if ADMIN_SCOPE in role["scopes"]]
    assert [(role["users"], role["groups"]) for role in holders] == [(["root"], ["ops"])]
    assert ADMIN_SCOPE not in c.JupyterHub.extra_user_scopes


def test_a_base_url_moves_every_address(tmp_path: Path) -> None:
    c = configured(tmp_path, base_url="lab")
    assert c.JupyterHub.bind_url.endswith("/lab/")
    assert c.JupyterHub.default_url == c.ServiceSpawner.launch_page_url == "/lab/services/capacity/"
    assert c.ServiceSpawner.service_url.endswith("/lab/services/capacity/")
    assert c.CapacityService.hub_api_url.endswith("/lab/hub/api")


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="teem_file"):
        configured(tmp_path, teem_file="teams.yaml")


def test_the_file_that_an_operator_edits_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    c = PyFileConfigLoader("jupyterhub_config.py", path=str(REPOSITORY / "config")).load_config()
    folder = StateFolder.at(tmp_path)
    groups = c.SharedPasswordAuthenticator.password_groups
    assert groups == {
        folder.password("vision"): ["vision"],
        folder.password("speech"): ["speech"],
    }
    assert Path(c.CapacityService.teams_file).is_file()
    assert Path(c.CapacityService.profiles_file).is_file()


def test_every_option_is_documented_and_no_other() -> None:
    lines = (REPOSITORY / "docs" / "reference" / "configure.md").read_text().splitlines()
    documented = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert documented == set(Options.__annotations__)


def test_the_policy_is_handed_on_to_the_service_and_is_its_own_where_nothing_is_said(tmp_path: Path) -> None:
    c = configured(tmp_path, strategy="fifo", reclaim=False, half_life_hours=24, preempt=True)
    service = CapacityService(config=c)
    policy = service.policy()
    assert (policy.strategy.name, policy.reclaim, policy.half_life_seconds) == ("fifo", None, 86400.0)
    assert policy.preempt == Preempt(600.0, 300.0)
    assert CapacityService(config=configured(tmp_path)).policy() == product_policy()


def test_everything_that_the_core_lets_choose_can_be_chosen(tmp_path: Path) -> None:
    spans = ("half_life_hours", "patience_minutes", "budget_grace_minutes", "notice_minutes", "clear_seconds")
    options = {"strategy": "fifo", "reclaim": False, "preempt": True, **dict.fromkeys(spans, 1.0)}
    chosen, usual = CapacityService(config=configured(tmp_path, **options)).policy(), product_policy()
    same = {each.name for each in fields(Policy) if getattr(chosen, each.name) == getattr(usual, each.name)}
    assert same == {"most_holds"}  # a bound on the cost of a decision, and nobody's to choose


def test_every_option_of_the_policy_is_a_setting_of_the_service_and_documented() -> None:
    assert set(POLICY_OPTIONS) == set(PolicyTraits.class_own_traits(config=True))
    page = (REPOSITORY / "docs" / "reference" / "configure.md").read_text()
    defaults = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page, re.M))
    written = {True: "yes", False: "no", "fair": "`fair`"}
    for name, trait in PolicyTraits.class_own_traits(config=True).items():
        value = trait.default()
        assert defaults[name] == (written[value] if isinstance(value, bool | str) else f"{value:g}"), name


@pytest.mark.parametrize(
    ("name", "value"), [("patience_minutes", float("nan")), ("half_life_hours", float("inf"))]
)
def test_what_is_no_length_of_time_is_refused_with_its_name(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=f"CapacityService.{name}: .*is no length of time"):
        CapacityService(config=configured(tmp_path, **{name: value})).policy()


@pytest.mark.parametrize(("name", "value"), [("strategy", "fairest"), ("reclaim_grace_minutes", -1)])
def test_a_policy_that_is_none_is_refused_when_the_service_starts(
    tmp_path: Path, name: str, value: object
) -> None:
    with pytest.raises(TraitError, match=name):
        CapacityService(config=configured(tmp_path, **{name: value})).policy()
