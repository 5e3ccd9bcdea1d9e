"""`demo`: hub, proxy and capacity service on this machine, and the whole main job driven through them."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import requests

from jupyterhub_mesos.backends.local import LocalBackend
from jupyterhub_mesos.backends.local.isolation import NoIsolation
from jupyterhub_mesos.cli.demo_job import MainJob, Stage
from jupyterhub_mesos.cli.demo_lake import fill_lake
from jupyterhub_mesos.cli.supervisor import Supervisor, SupervisorSettings
from jupyterhub_mesos.cli.up import port
from jupyterhub_mesos.errors import CapacityError, InvalidInput
from jupyterhub_mesos.statefolder import StateFolder

CONFIG: Final = Path("config/jupyterhub_config.py")
NOTEBOOK: Final = Path("examples/digits.ipynb")
TORCH_NOTEBOOK: Final = Path("examples/digits-torch.ipynb")
CPU_MILLIS: Final = 4000
MEM_MIB: Final = 6144
"""What the demo gives out, on any machine, so that the scene is always the same one.

Limits are upper bounds, so four CPUs may be promised on a machine with two.
"""

SHARED: Final = "shared"
EXIT_FAILED: Final = 1
Say = Callable[[str], None]

_CONFIG_TEXT: Final = """\
# Made anew by each `jupyterhub-mesos demo`: the configuration named below, with a fixed capacity.
load_subconfig({config!r})
c.CapacityService.capacity_cpu_millis = {cpu_millis}
c.CapacityService.capacity_mem_mib = {mem_mib}
c.CapacityService.isolation = {isolation!r}
c.Spawner.args = {arguments!r}
"""


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every step was as it has to be, 1 with the step's sentence when one was not."""
    _check_torch(args)
    for path in (CONFIG, _notebook(args)):
        if not path.is_file():
            raise InvalidInput("there is no such file: run this in the repository", where=str(path))
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)

    return asyncio.run(_demo(args, say))


def _check_torch(args: argparse.Namespace) -> None:
    if args.torch and find_spec("torch") is None:
        raise InvalidInput(
            "torch is not installed here: run `.venv/bin/pip install torch==2.13.0` (its build for CPUs is "
            "enough), then try again",
            where="--torch",
        )


def _notebook(args: argparse.Namespace) -> Path:
    return TORCH_NOTEBOOK if args.torch else NOTEBOOK


async def _demo(args: argparse.Namespace, say: Say) -> int:
    folder = StateFolder.at(args.state)
    folder.prepare()
    say(f"state in {folder.root}; the demo gives out {CPU_MILLIS // 1000} CPU and {MEM_MIB // 1024} GiB")
    await asyncio.to_thread(fill_lake, folder.root / "lake")
    settings = SupervisorSettings(
        state=args.state,
        config=_write_config(folder, await _isolation(folder, say)),
        public_port=port(args.port, args.state),
        stop_notebooks=True,
    )
    async with Supervisor(settings) as up:
        _introduce(up, say)
        is_well = await asyncio.to_thread(_run_job, up, args, say)
        if not args.exit:
            say(f"serving at {up.urls.public} until Ctrl-C")
            await up.until_ended()
        say("stopping hub, service and proxy")
    if is_well:
        print("make demo: the main job went through; nothing is left running.", flush=True)
        return 0
    print(f"make demo: FAILED, see above; the logs are in {folder.logs}", file=sys.stderr, flush=True)
    return EXIT_FAILED


async def _isolation(folder: StateFolder, say: Say) -> str:
    """Return how people are kept apart here; a demo may go on where a real installation refuses to."""
    with tempfile.TemporaryDirectory(dir=folder.root) as scratch:
        backend = LocalBackend(Path(scratch))
        try:
            await backend.open()
        except NoIsolation as error:
            say(f"NOT ISOLATED, in this demo only: {error}")
            return SHARED
        await backend.close()
        return "auto"


def _write_config(folder: StateFolder, isolation: str) -> Path:
    path = folder.root / "demo_config.py"
    path.write_text(
        _CONFIG_TEXT.format(
            config=str(CONFIG.resolve()),
            cpu_millis=CPU_MILLIS,
            mem_mib=MEM_MIB,
            isolation=isolation,
            arguments=["--allow-root"] if isolation == SHARED else [],  # else a notebook server refuses
        ),
        encoding="utf-8",
    )
    return path


def _passwords(folder: StateFolder) -> dict[str, str]:
    vision, speech = folder.password("vision"), folder.password("speech")
    return {"ann": vision, "dan": vision, "ben": speech, "eva": speech, "admin": folder.password("admin")}


def _introduce(up: Supervisor, say: Say) -> None:
    say(f"hub, proxy and capacity service run: {up.urls.public}")
    passwords = _passwords(up.folder)
    say(f"log in as ann or dan (team vision):  {passwords['ann']}")
    say(f"       or ben or eva (team speech):  {passwords['ben']}")
    say(f"       or admin:                     {passwords['admin']}")


def _run_job(up: Supervisor, args: argparse.Namespace, say: Say) -> bool:
    stage = Stage(
        hub_url=up.urls.public,
        state=up.folder.root,
        passwords=_passwords(up.folder),
        notebook=_notebook(args),
        say=say,
    )
    try:
        MainJob(stage).run()
    except CapacityError as error:
        say(f"FAILED ({error.code}): {error}")
        return False
    except requests.RequestException as error:
        say(f"FAILED: hub or service did not answer: {error}")
        return False
    return True
