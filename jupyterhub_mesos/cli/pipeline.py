"""`pipeline …`: make a project of a notebook, run its steps here, or let the service run them."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable
from typing import Final

from jupyterhub_mesos.cli.asking import client
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.pipeline.exporting import export_pipeline
from jupyterhub_mesos.pipeline.rendering import STEPS
from jupyterhub_mesos.pipeline.reporting import lines_of
from jupyterhub_mesos.pipeline.repository import create_repository
from jupyterhub_mesos.pipeline.signals import Interrupted, Signals
from jupyterhub_mesos.pipeline.spelling import as_the_owner_sees_it, team_here
from jupyterhub_mesos.pipeline.submitting import find_pipeline, follow, steps_of, submission
from jupyterhub_mesos.training.notebook import Parameter
from jupyterhub_mesos.wire import PipelineStep

EXIT_NO: Final = 1
FINISHED: Final = "finished"


def export(args: argparse.Namespace) -> int:
    """Make a notebook a pipeline's project and push it."""
    pushed = export_pipeline(
        args.notebook,
        name=args.name,
        remote=args.remote,
        description=args.description,
        parameters={name: _value(text) for name, text in _pairs(args.parameter, "--parameter")},
        workers=args.workers,
        resources={
            "cpu_millis": args.cpu_millis,
            "mem_mib": args.mem_mib,
            "accelerators": {
                flavor: int(_number(text, "--accelerator"))
                for flavor, text in _pairs(args.accelerator, "--accelerator")
            },
        },
        framework=args.framework,
        restarts=args.restarts,
        model=args.model,
        example_inputs=args.example_inputs,
        held_out=tuple(args.held_out) if args.held_out else None,
        minimum={name: _number(text, "--minimum") for name, text in _pairs(args.minimum, "--minimum")},
        optimise=not args.no_optimise,
        tolerance=args.tolerance,
        models=args.models,
        serve=not args.no_serve,
        files=args.file,
        data=args.data,
    )
    if pushed.request_id:
        print(f"To follow it: jupyterhub-mesos pipeline status {pushed.request_id} --follow")
    return 0


def run(args: argparse.Namespace) -> int:
    """Run the steps of a project in a folder."""
    from jupyterhub_mesos.pipeline.running import Asked, run_folder  # noqa: PLC0415 - numpy, slow to import

    steps = tuple(args.step)
    if args.first:
        if steps:
            raise InvalidInput("--from and --step were both given: name the first step, or each")
        steps = STEPS[STEPS.index(args.first) :]
    asked = Asked(steps=steps, work=args.work, is_again=args.again, with_events=args.events, team=args.team)
    return run_folder(args.directory, asked)


def submit(args: argparse.Namespace) -> int:
    """Let the service run a pipeline's steps."""
    found = find_pipeline(args.repository, args.ref)
    steps: tuple[PipelineStep, ...] = tuple(args.step)
    asked = submission(found, args.repository, steps=steps, team=args.team or team_here())
    service = client(args)
    view = service.submit(asked)
    print(
        f"pipeline {view.name} at {found.commit[:12]} is request {view.id}: {view.status} ({view.page_url})"
    )
    if not args.follow:
        print(f"To follow it: jupyterhub-mesos pipeline status {view.id} --follow")
        return 0
    return _followed(service, view.id, cancels=args.cancel_on_interrupt)


def status(args: argparse.Namespace) -> int:
    """Say where a run's steps stand."""
    service = client(args)
    if args.follow:
        return _followed(service, args.request, cancels=False)
    view = service.request(args.request)
    print(f"pipeline {view.name} of team {view.team}: {view.outcome or view.status} ({view.page_url})")
    for step in steps_of(service, args.request):
        print("\n".join(lines_of(step)))
    if view.explanation is not None:
        expected = view.explanation.expected_start
        print(f"waits: {view.explanation.sentence} {expected.sentence if expected else ''}".rstrip())
    if view.message:
        print(view.message)
    return 0


def cancel(args: argparse.Namespace) -> int:
    """End a run; what its steps have done is kept."""
    client(args).end(args.request)
    print(f"Request {args.request} is being ended. What is done stays: run it again to go on from there.")
    return 0


def make_repository(args: argparse.Namespace) -> int:
    """Make a repository of the team whose pushes start the pipeline."""
    made = create_repository(args.path, mend=args.mend)
    did = "has its hook anew" if args.mend else "is made"
    print(f"{as_the_owner_sees_it(made)} {did}: each push to its branch main starts the pipeline.")
    return 0


def _followed(service: Client, request_id: str, *, cancels: bool) -> int:
    """Follow a run to its end; a signal leaves it running, unless it was asked to end it."""
    signals = Signals()
    try:
        with signals.caught():
            view = follow(service, request_id, _print)
    except Interrupted as interrupted:
        if cancels:
            service.end(request_id)
            _print(f"request {request_id} is being ended")
        else:
            _print(f"no longer followed; request {request_id} goes on.")
            _print(f"To end it: jupyterhub-mesos pipeline cancel {request_id}")
        return interrupted.exit_code
    if view.outcome == FINISHED:
        _print(f"pipeline {view.name} is finished ({view.page_url})")
        return 0
    print(f"pipeline {view.name} {view.outcome or view.status}: {view.message}", file=sys.stderr)
    return EXIT_NO


def _print(line: str) -> None:
    print(line, flush=True)


# ---- options ------------------------------------------------------------------------------------


def _pairs(texts: Iterable[str], option: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise InvalidInput(f"{name!r} is no NAME=VALUE", where=option)
    return [(name, value) for name, _, value in pairs]


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no number", where=option) from error


def _value(text: str) -> Parameter:
    """Read a parameter as Python spells it; anything else is the text that it is."""
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, bool | int | float | str | None) else text
