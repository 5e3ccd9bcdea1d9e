"""The options of `pipeline ...`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, cast

from jupyterhub_mesos.cli.adding import Adder, add, add_service, lazily

STEPS: Final = ("train", "test", "optimise", "store", "verify", "serve")
"""As `PipelineStep` has them, which would take pydantic to import."""
_EPILOG: Final = f"""\
The steps are {", ".join(STEPS)}. Exits with 0 when all are done, with 1 when one
failed, with 130 or 143 when it was cancelled; run again, it goes on from there."""


def add_pipeline(commands: Adder) -> None:
    """Add the command and its actions."""
    pipeline = add(
        commands,
        "pipeline",
        None,
        "make a notebook a pipeline in git, and run its steps",
        epilog=_EPILOG,
    )
    actions = cast("Adder", pipeline.add_subparsers(title="actions", metavar="ACTION", required=True))
    _add_export(actions)
    _add_run(actions)
    _add_submit(actions)
    status = add(actions, "status", lazily("pipeline", "status"), "say where a run's steps stand")
    status.add_argument(
        "request", metavar="REQUEST", help="the run's request, as `submit` and the hook name it"
    )
    status.add_argument("--follow", action="store_true", help="follow it to its end; 1 where it failed")
    add_service(status)
    cancel = add(
        actions, "cancel", lazily("pipeline", "cancel"), "end a run; what its steps have done is kept"
    )
    cancel.add_argument("request", metavar="REQUEST", help="the run's request")
    add_service(cancel)
    create = add(
        actions,
        "create-repository",
        lazily("pipeline", "make_repository"),
        "make a git repository of the team's whose pushes start the pipeline",
    )
    create.add_argument("path", type=Path, metavar="PATH", help="such as ~/lake/team/pipelines/NAME.git")
    create.add_argument("--mend", action="store_true", help="write the hook of an existing one anew")


def _add_export(actions: Adder) -> None:
    export = add(
        actions,
        "export",
        lazily("pipeline", "export"),
        "make a notebook a pipeline's project and push it to git",
    )
    export.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="a notebook with tagged cells")
    export.add_argument("--name", help="of pipeline and model (default: the notebook's)")
    export.add_argument(
        "--remote", help="git repository (default: ~/lake/team/pipelines/NAME.git, made if missing)"
    )
    export.add_argument("--description", default="", help="a sentence for the model's card")
    export.add_argument("--workers", type=int, default=2, help="of the training job (default: %(default)s)")
    export.add_argument("--cpu-millis", type=int, default=1000, help="of each worker (default: %(default)s)")
    export.add_argument("--mem-mib", type=int, default=1024, help="of each worker (default: %(default)s)")
    for option, metavar, help_text in (
        ("--accelerator", "FLAVOR=N", "of each worker"),
        ("--parameter", "NAME=VALUE", "overrides what a `parameters` cell sets"),
        ("--minimum", "METRIC=VALUE", "least value in the test step, such as accuracy=0.9"),
        ("--file", "PATH", "a file or pattern beside the notebook that goes along"),
        ("--data", "URI", "what of the lake the code reads, where it does not spell it out"),
    ):
        export.add_argument(
            option, metavar=metavar, action="append", default=[], help=f"{help_text}; repeatable"
        )
    _add_model(export)


def _add_model(export: argparse.ArgumentParser) -> None:
    frameworks = ("generic", "torch", "tensorflow", "jax")
    export.add_argument("--framework", choices=frameworks, default="generic", help="(default: %(default)s)")
    export.add_argument("--restarts", type=int, default=3, help="of the training job (default: %(default)s)")
    export.add_argument(
        "--model", default="model", metavar="VARIABLE", help="the model (default: %(default)s)"
    )
    export.add_argument("--example-inputs", metavar="VARIABLE", help="rows as the model takes them")
    export.add_argument(
        "--held-out", nargs=2, metavar=("ROWS", "LABELS"), help="variables with what nobody trained on"
    )
    export.add_argument("--no-optimise", action="store_true", help="try no smaller forms of the model")
    export.add_argument(
        "--tolerance", type=float, default=0.01, help="accuracy that one may lose (default: %(default)s)"
    )
    export.add_argument(
        "--models", default="~/lake/team/models.git", help="repository of models (default: %(default)s)"
    )
    export.add_argument("--no-serve", action="store_true", help="store the model and serve it not")


def _add_run(actions: Adder) -> None:
    run = add(
        actions,
        "run",
        lazily("pipeline", "run"),
        "run a project's steps from here; what is done already is skipped",
        epilog=_EPILOG,
    )
    run.add_argument(
        "directory",
        type=Path,
        nargs="?",
        default=Path(),
        metavar="DIR",
        help="the project (default: this folder)",
    )
    run.add_argument("--work", type=Path, help="where results are kept (default: ~/pipelines/NAME/COMMIT)")
    _add_step(run)
    run.add_argument("--from", dest="first", choices=STEPS, help="this step and all after it")
    run.add_argument("--again", action="store_true", help="take the steps anew, whatever is done")
    run.add_argument("--events", action="store_true", help="print JSON events, also on a terminal")
    run.add_argument("--team", help="whom it is charged to (default: the notebook's team, or your only one)")


def _add_submit(actions: Adder) -> None:
    submit = add(
        actions,
        "submit",
        lazily("pipeline", "submit"),
        "let the service run a project's steps, as a workload of the team",
        epilog=_EPILOG,
    )
    submit.add_argument("repository", metavar="REPOSITORY", help="a git repository, by its path or URL")
    submit.add_argument("--ref", default="main", help="branch, tag or full commit (default: %(default)s)")
    _add_step(submit)
    submit.add_argument(
        "--team", help="whom it is charged to (default: the notebook's team, or your only one)"
    )
    submit.add_argument("--follow", action="store_true", help="follow it to its end; 1 where it failed")
    submit.add_argument(
        "--cancel-on-interrupt", action="store_true", help="with --follow: Ctrl-C and SIGTERM end the run too"
    )
    add_service(submit)


def _add_step(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--step", action="append", choices=STEPS, default=[], help="only this step; repeatable"
    )
