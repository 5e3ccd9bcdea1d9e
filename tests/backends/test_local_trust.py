"""Nobody becomes root, or takes over a machine account's rights, because something was not said."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import launched
from jupyterhub_mesos.backends.local import LocalBackend, accounts, isolation, sandbox
from jupyterhub_mesos.backends.local.accounts import ACCOUNT_UIDS, Account, Accounts
from jupyterhub_mesos.backends.local.isolation import Mode, NoIsolation
from jupyterhub_mesos.backends.registry import create_backend
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.settings import CapacityService
from requirements import require

UNPRIVILEGED = 1000


@pytest.fixture
def nothing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    real = isolation._problem

    def problem(trial: isolation.Isolation, local: Path, hidden: tuple[Path, ...]) -> str:
        return real(trial, local, hidden) if trial.mode is Mode.SHARED else "it does not work"

    monkeypatch.setattr(isolation, "_problem", problem)


@pytest.mark.usefixtures("nothing_works")
async def test_auto_as_root_refuses_to_make_everybody_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation.os, "getuid", lambda: 0)
    with pytest.raises(NoIsolation) as refused:
        await LocalBackend(tmp_path / "state").open()
    for word in ("sandbox: it does not work", "install bubblewrap", "/root", 'isolation = "shared"'):
        assert word in str(refused.value)


@pytest.mark.usefixtures("nothing_works")
@pytest.mark.parametrize(("wanted", "uid"), [("shared", 0), ("auto", UNPRIVILEGED)])
def test_shared_is_taken_where_it_was_asked_for_or_nobody_is_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, uid: int
) -> None:
    monkeypatch.setattr(isolation.os, "getuid", lambda: uid)
    assert isolation.probe(wanted, tmp_path, ()).mode is Mode.SHARED


@pytest.fixture
def ubuntu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an account `ubuntu` that may use docker."""
    entry = pwd.struct_passwd(("ubuntu", "x", 1000, 1001, "", "/home/ubuntu", "/bin/bash"))
    monkeypatch.setattr(accounts.pwd, "getpwnam", {"ubuntu": entry}.__getitem__)
    monkeypatch.setattr(accounts.os, "getgrouplist", lambda *_: [1001, 4, 999])


@pytest.mark.usefixtures("ubuntu")
def test_a_hub_user_is_not_the_machines_account_of_that_name(tmp_path: Path) -> None:
    account = Accounts(tmp_path / "accounts.json").account("ubuntu")
    assert account.uid in ACCOUNT_UIDS
    assert (account.gid, account.groups) == (account.uid, ())


@pytest.mark.usefixtures("ubuntu")
def test_a_machines_account_that_was_asked_for_comes_without_its_further_groups(tmp_path: Path) -> None:
    book = Accounts(tmp_path / "accounts.json", use_machine_accounts=True)
    assert book.account("ubuntu") == Account("ubuntu", 1000, 1001, ())


@pytest.mark.parametrize("is_wanted", [False, True])
def test_the_operator_says_whether_users_are_the_machines_accounts(tmp_path: Path, is_wanted: bool) -> None:
    service = CapacityService(state_dir=str(tmp_path / "state"), machine_accounts=is_wanted)
    backend = create_backend("local", tmp_path, {"use_machine_accounts": service.machine_accounts})
    assert isinstance(backend, LocalBackend)
    assert backend._use_machine_accounts is is_wanted
    with pytest.raises(InvalidInput, match="neither yes nor no"):
        create_backend("local", tmp_path, {"use_machine_accounts": "no"})


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """A folder below `/run` that everybody may read, as that of a daemon."""
    require("root, for a folder in /run", Path("/run").stat().st_uid == os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="jupyterhub-mesos-test-", dir="/run"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


async def test_a_task_reaches_no_daemon_below_run(
    run_folder: Path, open_local: OpenLocal, stage: Stage
) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(run_folder / "docker.sock"))
        daemon.listen()
        backend = await open_local()
        await launched(backend, spec("t-1", *stage.argv("t-1")))
        for run in ("/run", "/var/run"):
            assert await stage.play("t-1", f"ls -A {run}/{run_folder.name} 2>/dev/null") == ""


async def test_names_are_resolved_by_what_is_below_run(
    run_folder: Path, open_local: OpenLocal, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_folder / "resolve").mkdir()
    (run_folder / "resolve/stub.conf").write_text("nameserver 127.0.0.53")
    (run_folder / "other.conf").write_text("nameserver 127.0.0.1")
    monkeypatch.setattr(sandbox, "RESOLVER", run_folder / "resolve")
    monkeypatch.setattr(sandbox, "RESOLV_CONF", run_folder / "other.conf")
    backend = await open_local()
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    said = await stage.play(
        "t-1", f"cat {run_folder}/resolve/stub.conf; echo; cat {run_folder}/other.conf; echo; ls /run"
    )
    assert said == f"nameserver 127.0.0.53\nnameserver 127.0.0.1\n{run_folder.name}"
