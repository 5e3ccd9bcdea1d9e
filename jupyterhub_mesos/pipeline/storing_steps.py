"""`optimise`, `store` and `verify`: from a tested model to a version in git that was checked as cloned."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export.bundle import Candidate
from jupyterhub_mesos.export.git import check_out, find_remote
from jupyterhub_mesos.pipeline.context import Run, digests_of
from jupyterhub_mesos.pipeline.reporting import Outcome
from jupyterhub_mesos.pipeline.state import StoredRecord
from jupyterhub_mesos.pipeline.testing_step import PREPARED
from jupyterhub_mesos.wire import PipelineStep

OPTIMISED: Final = "optimised"
BUNDLE: Final = "bundle"
VERIFIED: Final = "verified"
_LINE: Final = re.compile(r"1/1 optimise +(.*) \(\d+\.\d+ s\)", re.DOTALL)
TABLE_HEAD: Final = ("form", "KiB", "µs a row", "value", "lost", "verdict")


@dataclass(frozen=True, slots=True)
class Optimise:
    """The step."""

    name: PipelineStep = "optimise"

    def left_out(self, run: Run) -> str:
        """Say that the project does not want it."""
        return "" if run.project.pipeline.optimise.enabled else "optimise.enabled is false"

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return what it may lose."""
        return (run.project.pipeline.optimise,)

    def is_intact(self, run: Run) -> bool:
        """Whether the optimised model is there."""
        return (run.work / OPTIMISED).is_dir()

    def take(self, run: Run, inputs: str) -> Outcome:
        """Measure smaller forms and keep the best."""
        from jupyterhub_mesos.export import Prepared, optimise  # noqa: PLC0415 - numpy and onnxruntime

        prepared = Prepared.load(run.work / PREPARED)
        part = run.project.pipeline.optimise
        said: list[str] = []
        best = optimise(prepared, tolerance=part.tolerance, report=said.append)
        best.save(run.work / OPTIMISED)
        rows = (TABLE_HEAD, *map(_row, best.candidates)) if best.candidates else ()
        fingerprint = digests_of(run.work / OPTIMISED, ("prepared.json",))["prepared.json"][:16]
        if best.optimisation is None:
            return Outcome(_result("".join(said)), output=fingerprint)
        return Outcome(f"{best.chosen}: {best.optimisation.reason}", output=fingerprint, rows=rows)


def _result(line: str) -> str:
    """Take the result out of the export's own line: `1/1 optimise left out: … (0.14 s)`."""
    found = _LINE.fullmatch(line)
    return found[1] if found else line


def _row(candidate: Candidate) -> tuple[str, ...]:
    return (
        candidate.name,
        f"{candidate.size_bytes / 1024:.1f}",
        f"{candidate.latency_us:.1f}",
        f"{candidate.value:.4f}",
        f"{candidate.drop:.4f}",
        candidate.verdict,
    )


@dataclass(frozen=True, slots=True)
class Store:
    """The step."""

    name: PipelineStep = "store"

    def left_out(self, run: Run) -> str:
        """Store always."""
        return ""

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return where it goes and what its lineage says."""
        pipeline = run.project.pipeline
        return (pipeline.store, pipeline.description, pipeline.data)

    def is_intact(self, run: Run) -> bool:
        """Whether the version is known."""
        return run.state.state.stored is not None

    def take(self, run: Run, inputs: str) -> Outcome:
        """Publish the bundle; one that an earlier run made of the same is pushed as it is."""
        bundle = run.work / BUNDLE
        if not (run.state.state.bundle_inputs == inputs and (bundle / "bundle.json").is_file()):
            shutil.rmtree(bundle, ignore_errors=True)
            run.state.change(bundle_inputs=inputs)
            stored = _published(run, bundle)
        else:
            run.reporter.say(f"goes on with the bundle of an earlier run in {bundle}")
            stored = _pushed(run, bundle)
        run.state.change(stored=stored)
        result = f"{stored.tag} in {stored.repository}, commit {stored.commit[:12]}"
        return Outcome(result, output=f"{stored.tag}@{stored.commit}")


def _published(run: Run, bundle: Path) -> StoredRecord:
    from jupyterhub_mesos.export import Prepared, publish  # noqa: PLC0415 - numpy and onnxruntime

    project, pipeline, job = run.project, run.project.pipeline, run.state.state.job
    is_optimised = pipeline.optimise.enabled and (run.work / OPTIMISED).is_dir()
    notebook = project.folder / pipeline.notebook
    done = publish(
        Prepared.load(run.work / (OPTIMISED if is_optimised else PREPARED)),
        remote=pipeline.store.repository,
        description=pipeline.description,
        notebook=notebook if notebook.is_file() else None,
        job=(job.request, job.generation) if job else None,
        pipeline=(project.repository, project.commit),
        metrics=job.metrics if job else None,
        lake_inputs=_readable(run),
        directory=bundle,
        report=run.reporter.say,
    )
    return StoredRecord(
        repository=pipeline.store.repository, tag=done.ref, commit=done.commit, version=done.version
    )


def _pushed(run: Run, bundle: Path) -> StoredRecord:
    from jupyterhub_mesos.export import push_bundle  # noqa: PLC0415 - numpy and onnxruntime

    repository = run.project.pipeline.store.repository
    done = push_bundle(bundle, repository)
    return StoredRecord(repository=repository, tag=done.tag, commit=done.commit, version=done.version)


def _readable(run: Run) -> tuple[str, ...]:
    """Return the data whose checksum can be taken here; the rest is said."""
    found: list[str] = []
    for uri in run.project.pipeline.data:
        path = os.path.expanduser(uri)  # noqa: PTH111 - `s3://…` is no path
        if os.path.isabs(path) and os.path.exists(path):  # noqa: PTH110, PTH117 - as above
            found.append(uri)
        else:
            run.reporter.say(f"without a checksum in the lineage, it cannot be read as a file here: {uri}")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Verify:
    """The step."""

    name: PipelineStep = "verify"

    def left_out(self, run: Run) -> str:
        """Verify always."""
        return ""

    def depends_on(self, run: Run) -> tuple[object, ...]:
        """Return nothing: what was stored is what the step before made."""
        return ()

    def is_intact(self, run: Run) -> bool:
        """Whether the checked copy is there."""
        return (run.work / VERIFIED).is_dir()

    def take(self, run: Run, inputs: str) -> Outcome:
        """Clone the version afresh and check it as whoever deploys it would."""
        from jupyterhub_mesos.export import verify  # noqa: PLC0415 - numpy and onnxruntime

        stored = stored_of(run)
        shutil.rmtree(run.work / VERIFIED, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{VERIFIED}-", dir=run.work) as scratch:
            clone = Path(scratch) / "clone"
            check_out(find_remote(stored.repository), stored.tag, clone)
            folder = clone / "models" / run.project.pipeline.name
            if not folder.is_dir():
                raise WorkloadError(f"{stored.tag} of {stored.repository} holds no {folder.name}")
            done = verify(folder, report=run.reporter.say)
            if f"{done.manifest.name}/v{done.manifest.version}" != stored.tag:
                raise WorkloadError(f"the bundle under {stored.tag} says that it is {done.manifest.tag}")
            folder.rename(run.work / VERIFIED)
        return Outcome(
            f"{stored.tag}: {len(done.checks)} checks hold", output=f"{stored.tag}@{stored.commit}"
        )


def stored_of(run: Run) -> StoredRecord:
    """Return the version that was stored; raises `InvalidInput` where none was."""
    stored = run.state.state.stored
    if stored is None:
        raise InvalidInput("there is no stored version of the model: take the step store first")
    return stored
