"""`register DIR`: the mirror of a published model in MLflow's registry."""

from __future__ import annotations

import argparse


def run(args: argparse.Namespace) -> int:
    """Make the entry, and say which it is; errors are the command line's."""
    from jupyterhub_mesos.export import register  # noqa: PLC0415  (numpy and onnxruntime, slow to import)

    register(args.directory, args.remote)
    return 0
