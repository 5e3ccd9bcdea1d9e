"""Where a bundle comes from: a folder, or a tag or branch of a git repository."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.export.bundle import MANIFEST
from jupyterhub_mesos.export.git import check_out, find_remote, is_url, redacted

BRANCH = "main"


@contextmanager
def bundle_folder(bundle: str, ref: str | None, name: str) -> Generator[Path]:
    """Lend the folder of the bundle `name`; a copy made from git is gone afterwards.

    Raises InvalidInput for what is neither a bundle nor a repository that holds one.
    """
    path = Path(bundle).expanduser()
    if not is_url(bundle) and (path / MANIFEST).is_file():
        if ref is not None:
            raise InvalidInput(f"{path} is a folder, which has no ref {ref!r}: leave the ref out")
        yield path
        return
    remote = find_remote(bundle)
    with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-bundle-") as scratch:
        target = Path(scratch) / "repository"
        check_out(remote, ref or BRANCH, target)
        folder = target / "models" / name
        if not (folder / MANIFEST).is_file():
            raise InvalidInput(
                f"{redacted(bundle)} holds no models/{name} at {ref or BRANCH}: see its models/"
            )
        yield folder
