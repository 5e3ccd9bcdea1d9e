"""A person's own Python: made at once, on a base that is never written to, and kept up to date with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from jupyter_core.paths import jupyter_data_dir

from jupyterhub_mesos.lab.kernels import with_ours
from jupyterhub_mesos.lab.user_python import Base, NoBase, ensure, own_base, python_of, shipped_base


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """Return this Python with two shared packages besides its own."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "tool.py").write_text("WHERE = 'shared'\n")
    (shared / "other.py").write_text("WHERE = 'shared'\n")
    return replace(own_base(), packages=(str(shared), *own_base().packages))


def asked(folder: Path, home: Path, code: str) -> str:
    env = {"HOME": str(home), "PATH": os.defpath}
    done = subprocess.run(
        [str(python_of(folder)), "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_sees_what_the_base_has_and_ones_own_comes_first(tmp_path: Path, base: Base) -> None:
    folder = ensure(tmp_path, base)
    (own,) = folder.glob("lib/python3*/site-packages")
    user_site = Path(asked(folder, tmp_path, "import site; print(site.getusersitepackages())"))
    code = "import tool, other, pip, jupyterhub_mesos; print(tool.WHERE, other.WHERE)"
    assert asked(folder, tmp_path, code) == "shared shared"
    user_site.mkdir(parents=True)
    (user_site / "tool.py").write_text("WHERE = 'user'\n")
    assert asked(folder, tmp_path, code) == "user shared"
    (own / "tool.py").write_text("WHERE = 'own'\n")
    assert asked(folder, tmp_path, code) == "own shared"
    assert asked(folder, tmp_path, "import sys; print(sys.prefix)") == str(folder)


def test_what_the_base_stands_on_is_not_seen(tmp_path: Path, base: Base) -> None:
    code = "import sys; print([p for p in sys.path if p.startswith(sys.base_prefix) and 'packages' in p])"
    assert asked(ensure(tmp_path, base), tmp_path, code) == "[]"


def test_a_second_look_changes_nothing_and_an_upgrade_keeps_what_was_installed(
    tmp_path: Path, base: Base
) -> None:
    folder = ensure(tmp_path, base)
    (own,) = folder.glob("lib/python3*/site-packages")
    (own / "mine.py").write_text("")
    times = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    assert ensure(tmp_path, base) == folder
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == times

    moved = tmp_path / "moved"
    (tmp_path / "shared").rename(moved)
    assert ensure(tmp_path, replace(base, packages=(str(moved), *base.packages[1:]))) == folder
    assert asked(folder, tmp_path, "import tool, mine; print(tool.__file__)") == str(moved / "tool.py")


def test_another_version_of_python_is_another_folder(tmp_path: Path, base: Base) -> None:
    other = replace(base, version=(3, 99, 0))
    assert ensure(tmp_path, base).name == f"python3.{sys.version_info[1]}"
    assert ensure(tmp_path, other).name == "python3.99"


def test_a_base_that_was_moved_is_linked_anew(tmp_path: Path, base: Base) -> None:
    folder = ensure(tmp_path, replace(base, program="/nowhere/bin/python"))
    assert not python_of(folder).exists()
    assert ensure(tmp_path, base) == folder
    assert asked(folder, tmp_path, "print('well')") == "well"


def test_several_that_make_it_at_once_find_one_and_leave_nothing_else(tmp_path: Path, base: Base) -> None:
    gate, found = threading.Barrier(8), list[Path]()

    def make() -> None:
        gate.wait()
        found.append(ensure(tmp_path, base))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {tmp_path / ".local/share/jupyterhub-mesos" / base.folder_name}
    assert len(found) == 8
    assert [path.name for path in found[0].parent.iterdir()] == [base.folder_name]
    assert asked(found[0], tmp_path, "import tool; print(tool.WHERE)") == "shared"


def test_a_home_that_cannot_be_written_to_is_an_error_and_leaves_nothing(tmp_path: Path, base: Base) -> None:
    (tmp_path / ".local").write_text("a file")
    with pytest.raises(OSError, match=r"\.local"):
        ensure(tmp_path, base)


# ---- shipped by an admin ---------------------------------------------------------------------------


def test_an_environment_that_an_admin_ships_says_where_its_packages_are(tmp_path: Path) -> None:
    prefix = tmp_path / "envs" / "vision"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    (packages,) = prefix.glob("lib/python3*/site-packages")
    (packages / "shipped.py").write_text("")
    base = shipped_base(str(prefix))
    assert base.title == "vision"
    folder = ensure(tmp_path, base)
    assert folder.name.startswith(f"python3.{sys.version_info[1]}-vision-")
    assert asked(folder, tmp_path, "import shipped; print(shipped.__file__)") == str(packages / "shipped.py")
    twin = replace(base, prefix="/elsewhere/vision")
    assert twin.folder_name != base.folder_name, "two environments of one name do not mix"


@pytest.mark.parametrize("content", [None, "#!/bin/sh\necho no\n", "#!/bin/sh\nexit 3\n"])
def test_an_environment_without_a_python_that_answers_is_no_base(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python").write_text(content)
        (tmp_path / "bin" / "python").chmod(0o755)
    with pytest.raises(NoBase, match="no Python that answers"):
        shipped_base(str(tmp_path))


# ---- its kernel ------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_env_first", [True, False])
def test_kernels_that_a_person_registered_win_over_ours_and_ours_over_the_shared(is_env_first: bool) -> None:
    users = str(Path(jupyter_data_dir()) / "kernels")
    shared = f"{sys.prefix}/share/jupyter/kernels"
    order = [shared, users] if is_env_first else [users, shared]
    found = with_ours(["/set/by/somebody", *order, "/usr/share/jupyter/kernels"], "/ours")
    assert found == ["/set/by/somebody", users, "/ours", shared, "/usr/share/jupyter/kernels"]
