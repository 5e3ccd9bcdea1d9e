"""What one person's task can see and do of another's, and of the service."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.conftest import OpenLocal, can_sandbox_as_root
from backends.puppet import Stage, spec
from backends.waiting import gone, launched, whole_log
from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.local.accounts import ACCOUNT_UIDS, Accounts
from jupyterhub_mesos.backends.local.spawning import Spawning
from jupyterhub_mesos.errors import BackendError, InvalidInput
from jupyterhub_mesos.tasks import Mount, MountMode, TaskFile
from jupyterhub_mesos_quota.model import DeviceId
from requirements import require

SECRET = "s3cret-of-ann"
DRIVER = Path(__file__).with_name("other_isolations.py")
REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534


async def test_a_task_runs_as_its_users_account_and_never_as_root(
    open_local: OpenLocal, stage: Stage
) -> None:
    backend = await open_local()
    uids: list[int] = []
    for number, user in enumerate(("ann", "bob", "root", "../x", "ann@example.org")):
        await launched(backend, spec(f"t-{number}", *stage.argv(f"t-{number}"), user=user))
        uids.append(int(await stage.play(f"t-{number}", "id -u")))
    assert len(set(uids)) == 5
    assert 0 not in uids


async def test_a_task_gains_no_privileges(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local()
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    status = await stage.play("t-1", "cat /proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}


async def test_others_homes_tasks_and_the_state_are_invisible(
    open_place: Path, open_local: OpenLocal, stage: Stage
) -> None:
    state = open_place / "state"
    (state / "secrets").mkdir(parents=True)
    (state / "secrets" / "hub_key").write_text("key")
    (state / "ledger.sqlite").write_text("rows")
    elsewhere = open_place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "key").write_text("key")
    backend = await open_local(state=state, hidden=(elsewhere,))
    await launched(backend, spec("t-1", *stage.argv("t-1"), user="ann"))
    await launched(backend, spec("t-2", *stage.argv("t-2"), user="bob"))
    await stage.play("t-1", "echo mine > ~/notes; chmod 777 ~ ~/notes")
    assert await stage.can_read("t-1", state / "home/ann/notes")
    assert _as_nobody(state / "home/ann/notes"), "the walls must be the sandbox's, not the permissions'"
    for path in (
        state / "home/ann/notes",
        state / "secrets/hub_key",
        state / "ledger.sqlite",
        state / "local/tasks/t-1/spec.json",
        state / "local/tasks/t-2/spec.json",
        elsewhere / "key",
    ):
        assert not await stage.can_read("t-2", path), path


def _as_nobody(path: Path) -> bool:
    return subprocess.run(["cat", path], user=NOBODY, capture_output=True, check=False).returncode == 0


async def test_other_tasks_processes_are_invisible(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local()
    await launched(backend, spec("seen-from-none", *stage.argv("seen-from-none"), user="ann"))
    await launched(backend, spec("t-2", *stage.argv("t-2"), user="ann"))
    await stage.arrival("seen-from-none")
    everything = await stage.play("t-2", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "t-2" in everything
    assert "seen-from-none" not in everything


@pytest.mark.parametrize("mode", ["sandbox", "shared"])
async def test_a_secret_is_in_no_command_line_no_log_and_no_file_that_others_read(
    open_local: OpenLocal, stage: Stage, tmp_path: Path, mode: str
) -> None:
    backend = await open_local(mode)
    files = (TaskFile("key.pem", SECRET.encode(), is_secret=True),)
    await launched(backend, spec("t-1", *stage.argv("t-1"), env={"TOKEN": SECRET}, files=files))
    assert await stage.play("t-1", "echo $TOKEN; cat {task}/key.pem".replace("{task}", _task(tmp_path))) == (
        f"{SECRET}\n{SECRET}"
    )
    lines = [_read(path) for path in _command_lines()]
    assert not any(SECRET.encode() in line for line in lines)
    assert SECRET not in await whole_log(backend, "t-1")
    holding = [path for path in (tmp_path / "state").rglob("*") if path.is_file() and SECRET in _text(path)]
    assert [path.name for path in holding] == ["key.pem"]
    assert holding[0].stat().st_mode & 0o077 == 0


def _task(tmp_path: Path) -> str:
    return str(tmp_path / "state/local/tasks/t-1/task")


def _command_lines() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*/cmdline"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _text(path: Path) -> str:
    return path.read_text(errors="replace")


async def test_the_services_environment_is_not_inherited(
    open_local: OpenLocal, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", SECRET)
    backend = await open_local("shared")
    await launched(backend, spec("t-1", *stage.argv("t-1"), env={"WHERE": "{home} {task} {{home}"}))
    env = dict(line.split("=", 1) for line in (await stage.play("t-1", "env")).splitlines())
    assert "SERVICE_TOKEN" not in env
    home, task = env["HOME"], str(backend._tasks_folder / "t-1/task")
    assert (env["USER"], env["LOGNAME"], env["WHERE"]) == ("ann", "ann", f"{home} {task} {{home}}")


async def test_devices_are_named_to_the_task_and_no_devices_are_none(
    open_local: OpenLocal, stage: Stage
) -> None:
    backend = await open_local("shared")
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await launched(backend, spec("t-2", *stage.argv("t-2"), devices=(DeviceId("GPU-1"), DeviceId("GPU-2"))))
    assert await stage.play("t-1", 'echo "[$CUDA_VISIBLE_DEVICES]"') == "[]"
    assert await stage.play("t-2", 'echo "[$CUDA_VISIBLE_DEVICES]"') == "[GPU-1,GPU-2]"


@pytest.mark.parametrize("mode", ["sandbox", "shared"])
async def test_home_is_kept_and_mounts_appear_in_it(
    open_local: OpenLocal, stage: Stage, tmp_path: Path, mode: str
) -> None:
    for name in ("team", "shared"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
        (tmp_path / name / "data").write_text(name)
    mounts = (
        Mount(str(tmp_path / "team"), "lake/team"),
        Mount(str(tmp_path / "shared"), "lake/shared", MountMode.READ_ONLY),
    )
    backend = await open_local(mode)
    for name in ("t-1", "t-2"):
        await launched(backend, spec(name, *stage.argv(name), mounts=mounts, workdir="{home}/work"))
    assert await stage.play("t-1", "pwd; cat ~/lake/team/data; echo; cat ~/lake/shared/data") == (
        f"{tmp_path}/state/home/ann/work\nteam\nshared"
    )
    assert await stage.play("t-1", "echo new > ~/lake/team/new; echo mine > ~/kept") == ""
    assert await stage.play("t-2", "cat ~/lake/team/new ~/kept") == "new\nmine"
    if mode == "sandbox":
        _, status = await stage.play_status("t-1", "echo no > ~/lake/shared/data")
        assert status != 0
        assert (tmp_path / "shared/data").read_text() == "shared"


async def test_a_link_that_a_user_put_in_the_way_leads_us_nowhere(
    open_local: OpenLocal, stage: Stage, tmp_path: Path
) -> None:
    backend = await open_local()
    target = tmp_path / "target"
    target.mkdir()
    await launched(backend, spec("t-1", *stage.argv("t-1")))
    await stage.play("t-1", f"ln -s {target} ~/lake")
    await launched(
        backend, spec("t-2", *stage.argv("t-2"), mounts=(Mount(str(tmp_path / "state"), "lake/team"),))
    )
    await stage.arrival("t-2")
    assert list(target.iterdir()) == []


async def test_our_interpreter_and_a_terminal_work_inside(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local()
    script = "import os, pty, getpass, tornado, jupyterhub_mesos; pty.openpty(); print(getpass.getuser())"
    await launched(backend, spec("t-1", sys.executable, "-c", script))
    status = await gone(backend, "t-1")
    assert (status.exit_code, await whole_log(backend, "t-1")) == (0, "ann\n")


async def test_a_sandbox_that_cannot_be_made_says_why(open_local: OpenLocal, tmp_path: Path) -> None:
    backend = await open_local()
    (tmp_path / "source").mkdir()
    mount = Mount(str(tmp_path / "source"), "/proc/1/nowhere")
    with pytest.raises(BackendError, match="the sandbox could not be made: bwrap: "):
        await launched(backend, spec("t-1", "true", mounts=(mount,)))
    assert "bwrap: " in (await gone(backend, "t-1")).message


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ""])
async def test_a_file_outside_the_tasks_folder_is_refused(open_local: OpenLocal, path: str) -> None:
    backend = await open_local("shared")
    with pytest.raises(InvalidInput, match="not inside the task's folder"):
        await launched(backend, spec("t-1", "true", files=(TaskFile(path, b""),)))


async def test_an_isolation_that_does_not_work_is_refused_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(BackendError, match="'sandbox' does not work here"):
        await LocalBackend(tmp_path / "state", isolation="sandbox").open()


async def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match="cannot be used"):
        await LocalBackend(tmp_path / "file" / "state", isolation="shared").open()


async def test_names_of_people_never_share_a_home() -> None:
    names = ["ann", "Ann", "../x", "..", "", "a/b", "a_b", "x" * 300, "ann@example.org", "a\nb", "~"]
    homes = {Spawning.home(_Anything, name) for name in names}  # type: ignore[arg-type]
    assert len(homes) == len(names)
    assert {home.parent for home in homes} == {Path("/state/home")}


class _Anything:
    state = Path("/state")


async def test_an_id_once_given_is_given_to_nobody_else(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.json", range(20000, 20002))
    assert [accounts.account(user).uid for user in ("no-such-a", "no-such-b", "no-such-a")] == [
        20000,
        20001,
        20000,
    ]
    with pytest.raises(BackendError, match="used up"):
        Accounts(tmp_path / "accounts.json", range(20000, 20002)).account("no-such-c")


async def test_a_service_account_of_the_machine_is_not_taken(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.json")
    assert accounts.account("daemon").uid in ACCOUNT_UIDS
    assert accounts.account("nobody").uid in ACCOUNT_UIDS


def _other_python() -> str | None:
    """An interpreter that every account may run."""
    return next((path for path in ("/usr/bin/python3.11", "/usr/bin/python3") if Path(path).exists()), None)


@pytest.fixture(scope="module")
def readable_by_all() -> Iterator[Path]:
    """Our modules where every account can read them, wherever this checkout stands."""
    folder = Path("/var/tmp") / f"jupyterhub-mesos-test-{os.getpid()}-modules"
    pynvml = importlib.util.find_spec("pynvml")
    assert pynvml is not None
    assert pynvml.origin is not None
    try:
        folder.mkdir(mode=0o755)
        for package in ("jupyterhub_mesos", "quota/jupyterhub_mesos_quota", "tests/backends"):
            source = REPOSITORY / package
            shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        for module in (DRIVER, Path(pynvml.origin)):
            shutil.copy(module, folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("uid", "mode", "uid_of_task"),
    [(0, "account", ACCOUNT_UIDS.start), (NOBODY, "sandbox", NOBODY), (NOBODY, "shared", NOBODY)],
)
def test_the_other_isolations_keep_a_task_too(
    readable_by_all: Path, uid: int, mode: str, uid_of_task: int
) -> None:
    require("root and bubblewrap", can_sandbox_as_root())
    python = _other_python()
    require("an interpreter that every account may run", python and _can_import(python, readable_by_all))
    state = Path("/var/tmp") / f"jupyterhub-mesos-test-{os.getpid()}-{mode}-{uid}"
    state.mkdir(mode=0o755)
    os.chown(state, uid, uid)
    try:
        done = subprocess.run(
            [str(python), str(readable_by_all / DRIVER.name), mode, str(state)],
            env={"PYTHONPATH": str(readable_by_all), "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            user=uid,
            group=uid,
            extra_groups=(),
            cwd="/",
            timeout=60,
            check=False,
        )
    finally:
        shutil.rmtree(state)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"uid {uid_of_task}", "exit 4", "killed 137", "left 0", "traces 0"]


def _can_import(python: str, modules: Path) -> bool:
    done = subprocess.run(
        [python, "-c", "import sys, jupyterhub_mesos.backends.local; assert sys.version_info >= (3, 11)"],
        env={"PYTHONPATH": str(modules), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        user=NOBODY,
        cwd="/",
        check=False,
    )
    return done.returncode == 0
