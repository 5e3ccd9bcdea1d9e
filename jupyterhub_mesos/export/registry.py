"""The mirror of published versions in MLflow's registry, where `MLFLOW_TRACKING_URI` names a server.

The registry itself is the repository: bundle manifests and git tags. An entry
in MLflow names the tag, repeats tags and metrics, and has the model card as its
description. It can be made again at any time, and is found by its tag then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jupyterhub_mesos.errors import CapacityError, InvalidInput
from jupyterhub_mesos.export.bundle import CARD, BundleManifest
from jupyterhub_mesos.export.git import Remote, find_remote, refs, scratch_repository
from jupyterhub_mesos.export.integrity import check_files
from jupyterhub_mesos.export.mlflow import VARIABLE, Mlflow, ModelVersion
from jupyterhub_mesos.export.progress import say

MAX_DESCRIPTION: Final = 5000
"""As long as MLflow's column is."""
TAG: Final = "capacity.tag"

_METRIC_LETTERS: Final = re.compile(r"[^\w\-. :/]", re.ASCII)


def mirrored(directory: Path, remote: str) -> str:
    """Mirror a version that was pushed just now, and say how it went; a failure undoes nothing."""
    try:
        server = Mlflow.from_environment()
        if server is None:
            return f"left out: {VARIABLE} is not set"
        return _mirror(server, directory, find_remote(remote))
    except CapacityError as error:
        return (
            f"not mirrored, though the version is published: {error}. Try again with "
            f"`jupyterhub-mesos register {directory} --remote {remote}`"
        )


def register(directory: Path | str, remote: str, *, report: Callable[[str], None] = say) -> None:
    """Mirror a published bundle in MLflow's registry; a second time changes nothing but the description.

    Raises InvalidInput without a server or for a bundle that is not published
    in `remote`, Unavailable or WorkloadError where MLflow does not take it.
    """
    folder = Path(directory).expanduser()
    server = Mlflow.from_environment()
    if server is None:
        raise InvalidInput(f"{VARIABLE} is not set: name an MLflow server by it (https://mlflow.example)")
    manifest = check_files(folder)
    where = find_remote(remote)
    with scratch_repository(where) as git:
        if f"refs/tags/{manifest.tag}" not in refs(git, f"refs/tags/{manifest.tag}"):
            raise InvalidInput(
                f"{manifest.tag} is not published in {where}: push the bundle first, "
                f"with push_bundle({str(folder)!r}, {str(where)!r})"
            )
    report(_mirror(server, folder, where))


def _mirror(server: Mlflow, directory: Path, where: Remote) -> str:
    manifest = check_files(directory)
    name = registered_name(manifest)
    card = _description((directory / CARD).read_text(encoding="utf-8"))
    known = [one for one in server.versions(name, TAG, manifest.tag) if _is_same(one, manifest)]
    if known:
        server.describe_version(name, known[0].version, card)
        return f"{manifest.tag} is version {known[0].version} of {name} in MLflow at {server.url} already"
    tags = _tags(manifest, where)
    server.create_model(name, {"team": manifest.team, "framework": manifest.framework})
    run_id = _run(server, manifest, name, tags)
    version = server.create_version(
        {
            "name": name,
            "source": source_of(where, manifest.tag),
            "run_id": run_id,
            "description": card,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
    )
    return f"{manifest.tag} is version {version.version} of {name} in MLflow at {server.url}"


def registered_name(manifest: BundleManifest) -> str:
    """Name the model in MLflow: with its team, because teams name their models as they like."""
    return f"{manifest.team}.{manifest.name}" if manifest.team else manifest.name


def source_of(where: Remote, tag: str) -> str:
    """Spell the tag as MLflow takes it: a `git:` address without user and query.

    MLflow refuses `https:` and `file:` (it would fetch from there) and a plus in the scheme.
    """
    url = where.url if "://" in where.url else f"ssh://{where.url.replace(':', '/', 1)}"
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"git://{parts.hostname or ''}{port}{parts.path}@{tag}"


def _is_same(version: ModelVersion, manifest: BundleManifest) -> bool:
    return any(tag.key == "capacity.digest" and tag.value == manifest.digest for tag in version.tags)


def _tags(manifest: BundleManifest, where: Remote) -> dict[str, str]:
    lineage = manifest.lineage
    found = {
        TAG: manifest.tag,
        "capacity.digest": manifest.digest,
        "capacity.remote": str(where),
        "capacity.author": manifest.author,
        "capacity.team": manifest.team,
        "capacity.framework": manifest.framework,
        "capacity.job": lineage.job.request_id if lineage.job else "",
        "capacity.pipeline_commit": lineage.pipeline.commit if lineage.pipeline else "",
        "capacity.notebook_commit": lineage.notebook.commit if lineage.notebook else "",
    }
    return {key: value for key, value in found.items() if value}


def _run(server: Mlflow, manifest: BundleManifest, name: str, tags: dict[str, str]) -> str:
    """Put the metrics where MLflow's pages compare them."""
    at_ms = int(manifest.created_at * 1000)
    run_id = server.run(server.experiment(name), manifest.tag, tags, at_ms)
    metrics = {_METRIC_LETTERS.sub("_", key): value for key, value in manifest.metrics.items()}
    params = {"model_type": manifest.model_type, "framework": manifest.framework}
    server.finish(run_id, metrics, params, at_ms)
    return run_id


def _description(card: str) -> str:
    if len(card) <= MAX_DESCRIPTION:
        return card
    end = f"\n\n… the rest is in {CARD} of the bundle.\n"
    return card[: MAX_DESCRIPTION - len(end)] + end
