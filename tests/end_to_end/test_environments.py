"""What a person installs or registers is there after a restart, in jobs too; an admin ships the base."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deadlines import eventually
from installation import START_SECONDS, Installation
from jupyterhub_mesos.cli.demo_probes import is_over, is_ready
from jupyterhub_mesos.cli.person import CellFailed, Output, Person
from notebooks import cell, notebook

CONFIG = Path(__file__).with_name("own_python_config.py")
SHARED = Path(sys.prefix)
WANTED = """
import tiny_one, tiny_two, tiny_three, numpy
print(tiny_one.VERSION, tiny_two.VERSION, tiny_three.VERSION)
"""
JOB = """
from jupyterhub_mesos import train
run = train("job.ipynb", name="own", workers=1, restarts=0, resources={"cpu_millis": 500, "mem_mib": 256})
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    root = tmp_path_factory.mktemp("own-python")
    ship(root / "envs" / "vision", "shipped_to_vision")
    installation = Installation(root, CONFIG)
    installation.start()
    yield installation
    installation.end_everything()
    installation.stop()


def wheel(folder: Path, name: str, version: str) -> None:
    """Build the smallest wheel there is, by hand: no network, no build tool."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def ship(prefix: Path, module: str) -> None:
    """Make an environment as an admin does; what a kernel needs comes from the tests' own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    (packages,) = prefix.glob("lib/python3*/site-packages")
    (packages / f"{module}.py").write_text("WHERE = __file__\n")
    (own,) = SHARED.glob("lib/python3*/site-packages")
    (packages / "kernel.pth").write_text(f"{own}\n")


def run(person: Person, *cells: str) -> str:
    """Run cells in the default kernel of the person's server; return what they print."""
    content = notebook([cell(source) for source in cells])
    person.save_notebook("work.ipynb", content)
    printed: list[str] = []

    def on_output(output: Output) -> None:
        printed.append(output.text)

    person.run_notebook("work.ipynb", content, on_output)
    return "".join(printed)


def start(cloud: Installation, name: str, profile: str = "small") -> Person:
    cloud.start_notebook(name, profile)
    person = cloud.person(name)
    eventually(lambda: is_ready(person), f"the hub takes {name}'s server as ready", START_SECONDS)
    return person


def stop(cloud: Installation, name: str) -> None:
    client = cloud.client(name)
    for view in client.requests(user=name, kind="notebook"):
        if not is_over(view):
            cloud.end(name, view.id)
    eventually(lambda: not cloud.person(name).hub_user()["servers"], "the hub knows it", START_SECONDS)


def kernels(cloud: Installation, person: Person) -> dict[str, Any]:
    answer = requests.get(
        f"{cloud.url}user/{person.name}/api/kernelspecs",
        headers={"Authorization": f"token {person.token}"},
        timeout=30,
    )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()["kernelspecs"]
    return found


def before(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("lib/python3*/site-packages/*")}


@pytest.mark.timeout(400)  # three real notebook servers and a job
def test_what_is_installed_or_registered_persists_and_is_ones_own(lab: Installation) -> None:
    shared = before(SHARED)
    ann = start(lab, "ann")
    said = install(ann, lab.folder.root / "home" / "ann")
    assert ".local/share/jupyterhub-mesos/python3" in said
    assert "Installed kernelspec mine" in said
    stop(lab, "ann")
    assert before(SHARED) == shared, "the shared environment is as it was"

    ann = start(lab, "ann")
    assert "1.0 2.0 3.0" in run(ann, WANTED)
    assert kernels(lab, ann)["mine"]["spec"]["display_name"] == "Mine"
    with pytest.raises(CellFailed, match="No module named 'shipped_to_vision'"):
        run(ann, "import shipped_to_vision")

    ann.save_notebook("job.ipynb", notebook([cell(WANTED, "train")]))
    run(ann, JOB)
    (job,) = lab.client("ann").requests(kind="training")
    log = "".join(lab.client("ann").logs(job.id))
    assert "1.0 2.0 3.0" in log
    assert "warning" not in log, "the worker's Python is the kernel's"
    stop(lab, "ann")


def install(person: Person, home: Path) -> str:
    """Install three packages, each in another of the usual ways, and register a kernel."""
    for name, version in (("tiny_one", "1.0"), ("tiny_two", "2.0"), ("tiny_three", "3.0")):
        wheel(home / "wheels", name, version)
    offline = "--quiet --no-index --find-links wheels --disable-pip-version-check"
    return run(
        person,
        f"%pip install {offline} tiny_one",
        f"!pip install {offline} --user tiny_two",
        f"!python -m pip install {offline} tiny_three",
        "import sys; print(sys.executable)",
        "!python -m venv --without-pip ~/mine",
        "!python -m ipykernel install --user --name mine --display-name Mine",
    )


@pytest.mark.timeout(200)
def test_a_profiles_environment_is_the_base_of_the_default_kernel(lab: Installation) -> None:
    ben = start(lab, "ben", "shipped")
    assert kernels(lab, ben)["python3"]["spec"]["display_name"] == "Python 3 (vision)"
    said = run(ben, "import shipped_to_vision, sys\nprint(shipped_to_vision.WHERE, sys.executable)")
    assert str(lab.folder.root / "envs" / "vision") in said
    assert ".local/share/jupyterhub-mesos/python3" in said
    stop(lab, "ben")
