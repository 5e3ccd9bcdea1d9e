"""`python -m jupyterhub_mesos.export DIRECTORY` verifies a bundle: exit code 0 when it holds, 1 when not."""

from __future__ import annotations

import argparse
import sys

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.export.progress import say
from jupyterhub_mesos.export.verification import verify


def main(argv: list[str] | None = None) -> int:
    """Verify the bundle named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m jupyterhub_mesos.export", description=__doc__)
    parser.add_argument("directory", help="the folder that holds bundle.json")
    parser.add_argument("--public-key", metavar="FILE", help="check the signature with this key, too")
    arguments = parser.parse_args(argv)
    try:
        verify(arguments.directory, public_key=arguments.public_key)
    except CapacityError as error:
        say(f"no  {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
