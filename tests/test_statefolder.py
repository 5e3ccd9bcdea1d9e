"""Secrets and ports are made once, privately, and stay."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.statefolder import Ports, StateFolder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = StateFolder.at(tmp_path / "state")
    made.prepare()
    return made


def test_only_the_owner_reads_secrets_logs_and_ledger_and_others_may_pass_to_their_homes(
    folder: StateFolder,
) -> None:
    assert mode(folder.root) == 0o711
    assert {mode(path) for path in (folder.secrets, folder.hub, folder.logs, folder.run)} == {0o700}
    assert mode(folder.secret_file("hub_key")) == mode(folder.ledger) == 0o600


def test_a_secret_stays_and_differs_from_others(folder: StateFolder) -> None:
    assert folder.secret("one") == folder.secret("one") != folder.secret("two")
    assert len(folder.secret("one")) >= 64


def test_two_that_race_for_a_secret_get_the_same(folder: StateFolder) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: folder.secret("raced"), range(64)))) == 1
    assert [path.name for path in folder.secrets.iterdir()] == ["raced"]


def test_ports_are_chosen_once_and_are_different(folder: StateFolder) -> None:
    assert folder.ports() == Ports()
    chosen = folder.choose_ports()
    assert len({chosen.public, chosen.proxy_api, chosen.hub, chosen.service}) == 4
    assert folder.choose_ports() == folder.ports() == chosen


def test_the_public_port_may_be_moved_and_the_others_stay(folder: StateFolder) -> None:
    before = folder.choose_ports()
    after = folder.choose_ports(public=8123)
    assert after == folder.ports() == Ports(8123, before.proxy_api, before.hub, before.service)


def test_a_broken_ports_file_is_named_with_the_cure(folder: StateFolder) -> None:
    (folder.root / "ports.json").write_text('{"hub": 1, "wrong": 2}')
    with pytest.raises(InvalidInput, match=r"ports\.json.*remove it"):
        folder.ports()
