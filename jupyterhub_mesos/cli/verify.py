"""`verify DIR`: whether a model bundle is what it says it is."""

from __future__ import annotations

import argparse

from jupyterhub_mesos.errors import InvalidInput


def run(args: argparse.Namespace) -> int:
    """Check the bundle's checksums and replay its test vectors."""
    if not (args.directory / "bundle.json").is_file():
        raise InvalidInput("no bundle.json here: name the folder of a bundle", where=str(args.directory))
    from jupyterhub_mesos.export import verify  # noqa: PLC0415  (numpy and onnxruntime, slow to import)

    verify(args.directory)
    return 0
