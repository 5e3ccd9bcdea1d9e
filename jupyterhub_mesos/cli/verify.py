"""`verify DIR`: whether a model bundle is what it says it is."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, WorkloadError

EXIT_NO: Final = 1


def run(args: argparse.Namespace) -> int:
    """Check the bundle's checksums and signature, replay its test vectors; 1 where one does not hold."""
    if not (args.directory / "bundle.json").is_file():
        raise InvalidInput("no bundle.json here: name the folder of a bundle", where=str(args.directory))
    from jupyterhub_mesos.export import verify  # noqa: PLC0415  (numpy and onnxruntime, slow to import)

    try:
        verify(args.directory, public_key=args.public_key)
    except WorkloadError as error:
        print(f"NO  {error}", file=sys.stderr)
        return EXIT_NO
    print(f"{args.directory} is what it says it is.")
    return 0
