"""`python -m jupyterhub_mesos.pipeline run`: what the capacity service's task runs for a pipeline's request.

Exit codes: 0 every step is done, 1 one failed, 2 it could not begin, 130 and 143 it was cancelled.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.pipeline.rendering import STEPS
from jupyterhub_mesos.pipeline.running import Asked, run_commit
from jupyterhub_mesos_quota.errors import QuotaError

EXIT_CANNOT: Final = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jupyterhub_mesos.pipeline", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    run = actions.add_parser("run", help="check a commit out and run its steps")
    run.add_argument("--repository", required=True, help="a git repository, by its path or URL")
    run.add_argument("--commit", required=True, help="the full hash of a commit")
    run.add_argument("--ref", default="", help="the branch that it is on; for people")
    run.add_argument("--work", type=Path, help="where results are kept (default: ~/pipelines/NAME/COMMIT)")
    run.add_argument("--step", action="append", choices=STEPS, default=[], help="only this step; repeatable")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the steps; JSON events stand between the lines for people."""
    arguments = _parser().parse_args(argv)
    asked = Asked(steps=tuple(arguments.step), work=arguments.work, with_events=True)
    try:
        return run_commit(arguments.repository, arguments.commit, asked)
    except (CapacityError, QuotaError) as error:
        sys.stdout.write(f"the pipeline cannot run: {error}\n")
        return EXIT_CANNOT


if __name__ == "__main__":
    sys.exit(main())
