"""The Python that a job was sent from: its lock, and the worker that compares itself with it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

from jupyterhub_mesos.training import lock
from jupyterhub_mesos.training.environment import LOCK_FILE, START_FILE, own_environment, start_files
from jupyterhub_mesos.wire import Environment


def test_the_lock_names_every_distribution_as_importlib_does() -> None:
    names = {
        f"{re.sub('[-_.]+', '-', one.metadata['Name']).lower()}=={one.version}"
        for one in importlib.metadata.distributions()
    }
    assert set(lock.locked()) == names
    assert lock.locked() == sorted(lock.locked())


def test_the_first_of_a_name_on_the_path_counts(tmp_path: Path) -> None:
    for folder, version in (("mine", "2"), ("shared", "1")):
        (tmp_path / folder / f"My_Pack-{version}.dist-info").mkdir(parents=True)
    (tmp_path / "shared" / "old-3-py3.11.egg-info").mkdir()
    (tmp_path / "shared" / "not-a-distribution").mkdir()
    found = lock.locked([str(tmp_path / "mine"), str(tmp_path / "gone"), str(tmp_path / "shared")])
    assert found == ["my-pack==2", "old==3"]


def test_the_own_interpreter_is_named_from_the_home_where_it_lies_there(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    program = Path(lock.__file__).read_text() + "\nprint(interpreter())"
    done = subprocess.run(
        [str(tmp_path / "v" / "bin" / "python"), "-c", program.replace("__main__", "x")],
        env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "~/v/bin/python"
    own = own_environment()
    assert (own.interpreter, own.python) == (sys.executable, sys.version.split()[0])


# ---- in the worker --------------------------------------------------------------------------------


def start(folder: Path, environment: Environment) -> subprocess.CompletedProcess[str]:
    for file in start_files(environment):
        (folder / file.path).parent.mkdir(exist_ok=True)
        (folder / file.path).write_bytes(file.content)
    (folder / "train.py").write_text(
        "import json, os, sys\nprint(json.dumps([sys.argv, sys.path[0], __name__, os.getppid()]))"
    )
    command = [sys.executable, START_FILE, LOCK_FILE, str(folder / "train.py"), "--rate", "1"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def test_a_worker_with_the_same_packages_says_nothing_and_runs_the_program_itself(tmp_path: Path) -> None:
    done = start(tmp_path, own_environment())
    assert done.stderr == ""
    arguments, first, name, _ = json.loads(done.stdout)
    assert arguments == [str(tmp_path / "train.py"), "--rate", "1"]
    assert (first, name) == (str(tmp_path), "__main__")


def test_a_difference_is_one_line_and_not_the_end(tmp_path: Path) -> None:
    own = own_environment()
    packages = [line for line in own.packages if not line.startswith("numpy==")]
    wanted = Environment(python="3.9.9", packages=(*packages, "numpy==0.1", "absent-package==1.0"))
    done = start(tmp_path, wanted)
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: this is not quite the Python that the job was sent from")
    assert "lacks absent-package 1.0" in line
    assert re.search(r"numpy [\d.]+ \(not 0\.1\)", line)
    assert f"python {lock.version()} (not 3.9.9)" in line
    assert done.returncode == 0


def test_a_package_more_is_no_difference(tmp_path: Path) -> None:
    own = own_environment()
    assert start(tmp_path, own.model_copy(update={"packages": own.packages[3:]})).stderr == ""
