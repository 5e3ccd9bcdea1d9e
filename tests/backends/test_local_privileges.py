"""What a user writes into a task's environment is obeyed by nothing that has more rights than the user."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from backends.conftest import OpenLocal
from backends.puppet import Stage, spec
from backends.waiting import gone, launched, whole_log
from jupyterhub_mesos.tasks import TaskFile
from requirements import require

_SPY = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
  FILE *file = fopen(getenv("SPY_FILE"), "a");
  if (file) { fprintf(file, "%d\n", (int)geteuid()); fclose(file); }
}
"""


@pytest.fixture
def spy(open_place: Path) -> Path:
    """A library that notes under which account it was loaded; everybody may read it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    require("a C compiler", compiler)
    source, library = open_place / "spy.c", open_place / "spy.so"
    source.write_text(_SPY)
    subprocess.run([str(compiler), "-shared", "-fPIC", "-o", library, source], check=True)
    library.chmod(0o755)
    return library


async def test_a_users_library_is_loaded_by_nothing_but_the_users_own_processes(
    open_place: Path, spy: Path, open_local: OpenLocal, stage: Stage
) -> None:
    notes = open_place / "notes"
    notes.touch()
    notes.chmod(0o666)
    backend = await open_local()
    env = {"LD_PRELOAD": str(spy), "SPY_FILE": str(notes)}
    await launched(backend, spec("t-1", *stage.argv("t-1"), env=env))
    assert await stage.play("t-1", "echo $LD_PRELOAD; cat /proc/self/maps | grep -c spy.so") != "0"
    assert notes.read_text() == "", "it was loaded outside of the sandbox"


async def test_no_account_but_the_users_own_loads_it_inside_either(
    spy: Path, open_local: OpenLocal, stage: Stage
) -> None:
    backend = await open_local()
    env = {"LD_PRELOAD": str(spy), "SPY_FILE": "/tmp/notes"}
    await launched(backend, spec("t-1", *stage.argv("t-1"), env=env))
    own = await stage.play("t-1", "id -u")
    assert set((await stage.play("t-1", "cat /tmp/notes")).split()) == {own}


async def test_the_loader_traces_nothing_that_is_not_the_users(
    open_place: Path, open_local: OpenLocal, stage: Stage
) -> None:
    backend = await open_local()
    env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(open_place / "trace")}
    await launched(backend, spec("t-1", *stage.argv("t-1"), env=env))
    assert await stage.play("t-1", "echo $LD_DEBUG") == "libs"
    assert _names(open_place) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_an_environment_arrives_whole(open_local: OpenLocal, stage: Stage) -> None:
    backend = await open_local()
    env = {"LONG": "x" * 100_000, "EMPTY": "", "LINES": "a\nb=c", "ACCENT": "é"}
    script = 'echo "${{#LONG} [$EMPTY] $LINES $ACCENT"; ls /proc/self/fd; yes | head -n 1; kill -PIPE $$'
    await launched(backend, spec("t-1", "/bin/bash", "-c", script, env=env))
    status = await gone(backend, "t-1")
    said = (await whole_log(backend, "t-1")).splitlines()
    assert said[:2] == ["100000 [] a", "b=c é"]
    assert said[2:] == ["0", "1", "2", "3", "y"], "no descriptor of ours is left open"
    assert status.exit_code == 128 + 13


async def test_a_program_that_cannot_be_run_says_so(open_local: OpenLocal) -> None:
    backend = await open_local()
    await launched(backend, spec("t-1", "{task}/words", files=(TaskFile("words", b"x"),)))
    assert (await gone(backend, "t-1")).exit_code == 127
    assert (await whole_log(backend, "t-1")).endswith("/words: Permission denied\n")
