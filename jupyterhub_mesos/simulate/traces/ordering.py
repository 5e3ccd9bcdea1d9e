"""Jobs in order of their submission, however long the trace: sorted runs on disk, merged as they are read."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TextIO

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources

CHUNK: Final = 100_000
"""Jobs sorted in memory at a time: about 60 MB."""


def in_order(jobs: Iterable[Job], chunk: int = CHUNK) -> Iterator[Job]:
    """Yield jobs by time of submission; those of one moment in the order in which they came."""
    remaining = iter(jobs)
    first = _sorted(islice(remaining, chunk))
    second = _sorted(islice(remaining, chunk))
    if not second:
        yield from first
        return
    with TemporaryDirectory(prefix="jupyterhub-mesos-trace-") as folder, ExitStack() as stack:
        runs: list[TextIO] = []
        while first:
            runs.append(stack.enter_context(_written(first, Path(folder) / str(len(runs)))))
            first, second = second, _sorted(islice(remaining, chunk))
        # `merge` is stable: of equal ones those of the earlier run come first
        yield from heapq.merge(*(map(_read, run) for run in runs), key=_submit)


def _sorted(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=_submit)


def _submit(job: Job) -> float:
    return job.submit_s


def _written(jobs: Iterable[Job], path: Path) -> TextIO:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_line(job) for job in jobs)
    return path.open(encoding="utf-8")


def _line(job: Job) -> str:
    held = job.resources
    size = [held.cpu_millis, held.mem_mib, dict(held.accelerators)]
    rest = [job.submit_s, job.duration_s, job.replicas, size, job.priority, job.max_seconds, job.session]
    return json.dumps([job.id, job.team, job.user, job.kind.value, *rest]) + "\n"


def _read(line: str) -> Job:
    id_, team, user, kind, submit_s, duration_s, replicas, size, priority, max_seconds, session = json.loads(
        line
    )
    accelerators = {Flavor(flavor): count for flavor, count in size[2].items()}
    resources = Resources.of(size[0], size[1], accelerators)
    rest = (resources, priority, max_seconds, session)
    return Job(id_, team, user, WorkloadKind(kind), submit_s, duration_s, replicas, *rest)
