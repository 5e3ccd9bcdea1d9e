"""Let chance strike an installation: `make soak ARGS="--minutes 20 --seed 7 --postgresql"`.

Each round people ask for and end notebooks and jobs, something goes wrong (a process
killed or frozen, the database cut off), and then service, hub and process table must
agree within a minute, nothing lost, doubled or leaked, every place kept. At the end
everything is ended, and the ledger is read back. Exit status 1, with the state folder
kept, where something does not hold. The same seed does the same things.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psutil

from installation import Installation
from jupyterhub_mesos.service.store import store_url
from postgres import cluster
from soak import checks
from soak.acts import Faults, People
from soak.world import CONFIG, World


def main() -> int:
    """Soak, and print what was done and seen."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long; default 20")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: another one each time")
    parser.add_argument("--postgresql", action="store_true", help="the ledger in a PostgreSQL of our own")
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    root.chmod(0o755)
    _say(f"seed {args.seed}, {args.minutes:g} minutes, state in {root}")
    try:
        with _ledger(root, is_postgresql=args.postgresql) as (url, cut):
            _soak(root, Random(args.seed), args.minutes * 60, url, cut)
    except checks.Broken as broken:
        _say(f"BROKEN: {broken}\nthe state folder is kept: {root}")
        return 1
    shutil.rmtree(root, ignore_errors=True)
    return 0


@contextmanager
def _ledger(root: Path, *, is_postgresql: bool) -> Iterator[tuple[str, Callable[[], None] | None]]:
    """Lend the ledger's URL, and what cuts its connections."""
    if not is_postgresql:
        yield store_url(root / "ledger.sqlite"), None
        return
    with cluster() as server, server.database() as url:
        os.environ["SOAK_LEDGER"] = url
        yield url, lambda: server.cut(urlsplit(url).path.strip("/"))


def _soak(root: Path, random: Random, seconds: float, url: str, cut: Callable[[], None] | None) -> None:
    cloud = Installation(root, config=CONFIG)
    cloud.start()
    try:
        world = World(cloud)
        done, calm = _rounds(world, random, seconds, cut)
        checks.nothing_lost_or_doubled(world)
        checks.eventually_over(world)
    finally:
        cloud.stop()
        for process in World(cloud).task_processes():  # of one that broke
            with suppress(psutil.NoSuchProcess):
                process.kill()
    checks.ledger_holds(url)
    _tell(world, done, calm)


def _rounds(
    world: World, random: Random, seconds: float, cut: Callable[[], None] | None
) -> tuple[Counter[str], list[float]]:
    """Go round until the time is over; return what was done, and how long each calm took."""
    people, calm, done = People(world, random), list[float](), Counter[str]()
    faults = Faults(world, random, people, cut)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done.update(people.act() for _ in range(random.randint(1, 4)))
        calm.append(checks.calm_down(world))
        before = checks.places(world)
        struck = faults.strike()
        done[struck] += 1
        calm.append(checks.calm_down(world))
        checks.nothing_lost_or_doubled(world)
        checks.kept_places(before, checks.places(world), world.views())
        left = max(0.0, end - time.monotonic())
        _say(f"{left:6.0f} s left: {struck}; calm after {calm[-1]:.1f} s")
    return done, calm


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell(world: World, done: Counter[str], calm: list[float]) -> None:
    answered = sum(bool(asked.request_id) for asked in world.asked.values())
    _say(f"\n| what | times |\n| --- | --- |\n| asked for, and answered | {answered} |")
    for what, times in sorted(done.items()):
        _say(f"| {what} | {times} |")
    _say(
        f"\nIn agreement after {statistics.median(calm):.1f} s in the median, {max(calm):.1f} s at most. "
        "Nothing was lost, doubled or leaked, and every place was kept."
    )


if __name__ == "__main__":
    sys.exit(main())
