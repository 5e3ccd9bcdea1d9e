"""The wheel holds the whole product and works where it is installed, without the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from project.repository import ROOT

PACKAGES = {
    "jupyterhub_mesos": ROOT / "jupyterhub_mesos",
    "jupyterhub_mesos_quota": ROOT / "quota" / "jupyterhub_mesos_quota",
    "jupyterhub_mesos_spawner": ROOT / "spawner" / "jupyterhub_mesos_spawner",
}
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with sdist and wheel, built from the sources that git knows or would add."""
    source = tmp_path_factory.mktemp("source")
    for name in _sources():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    folder = tmp_path_factory.mktemp("dist")
    # first the sdist, then the wheel from that sdist: so the sdist is complete, too
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, env=CLEAN, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _sources() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _package_files() -> set[str]:
    """Return the path of every file of ours as it stands in an installation."""
    roots = {str(path.relative_to(ROOT)): name for name, path in PACKAGES.items()}
    return {
        package + name.removeprefix(root)
        for name in _sources()
        for root, package in roots.items()
        if name.startswith(f"{root}/")
    }


def test_the_wheel_holds_every_file_of_the_three_packages(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert _package_files() - names == set()
    ours = {name for name in names if ".dist-info/" not in name and ".data/" not in name}
    assert {name.split("/")[0] for name in ours} == set(PACKAGES)
    for ending in ("py.typed", ".html", "/alembic.ini", "migrations/env.py"):
        if any(name.endswith(ending) for name in _package_files()):
            assert any(name.endswith(ending) for name in ours)


def test_the_licence_travels_in_sdist_and_wheel(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("/LICENSE") for name in archive.getnames())
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a new environment with the wheel, and our dependencies behind it."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", f"--python={python}", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, env=CLEAN)
    _lend_dependencies(python)
    return python


def _lend_dependencies(python: Path) -> None:
    """Put our dependencies behind what is installed; of `.pth` files, the editable one, none is read."""
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    there = Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (there / "dependencies.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")


def test_jupyterlab_and_its_server_find_the_buttons_where_they_look(installed: Path) -> None:
    prefix = installed.parents[1]
    extension = prefix / "share" / "jupyter" / "labextensions" / "jupyterhub-mesos-lab"
    package = json.loads((extension / "package.json").read_text(encoding="utf-8"))
    assert (extension / package["jupyterlab"]["_build"]["load"]).is_file()
    config = prefix / "etc" / "jupyter" / "jupyter_server_config.d" / "jupyterhub-mesos.json"
    enabled = json.loads(config.read_text(encoding="utf-8"))["ServerApp"]["jpserver_extensions"]
    assert enabled == {"jupyterhub_mesos.lab": True}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_installed_packages_import(installed: Path, tmp_path: Path, package: str) -> None:
    code = f"import {package}; print({package}.__file__)"
    done = subprocess.run(
        [str(installed), "-c", code], capture_output=True, text=True, cwd=tmp_path, env=CLEAN, check=True
    )
    assert done.stdout.startswith(str(installed.parents[1]))


def test_the_installed_command_says_its_version(built: Path, installed: Path, tmp_path: Path) -> None:
    command = [str(installed.with_name("jupyterhub-mesos")), "version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=CLEAN, check=True)
    (wheel,) = built.glob("*.whl")
    assert wheel.name.startswith(f"jupyterhub_mesos-{done.stdout.strip()}-")


def test_the_installed_core_needs_the_standard_library_alone(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.path = [p for p in sys.path if not p.endswith('site-packages')] + sys.argv[1:]\n"
        "import jupyterhub_mesos_quota.tree, jupyterhub_mesos_quota.events"
    )
    own = str(next((installed.parents[1] / "lib").glob("python*")) / "site-packages")
    subprocess.run([str(installed), "-I", "-c", code, own], cwd=tmp_path, env=CLEAN, check=True)
