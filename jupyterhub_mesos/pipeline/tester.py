"""`python -m jupyterhub_mesos.pipeline.tester ORDER`: runs `test.py`, then prepares the model that it made.

In the notebook's own Python, as a process of its own: what the notebook's code does to a process
ends with it. The order and the answer are files; everything printed is for people.
"""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from pydantic import Field

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.pipeline.document import ModelPart, Part
from jupyterhub_mesos.training.notebook import place_in_notebook

EXAMPLES: Final = 10
"""Held-out rows that are taken as examples where none are named."""
MAIN: Final = "__main__"


class Order(Part):
    """What is to be tested, and where the answer and the prepared model go."""

    name: str
    project: str
    program: str
    model: ModelPart
    parity_tolerance: float | None
    prepared: str
    answer: str


class Answer(Part):
    """How it ended: `failure` is the sentence of what went wrong, empty where nothing did."""

    failure: str = ""
    cell: int | None = None
    line: int | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    summary: str = ""


class _Failed(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.failure)
        self.answer = answer


def tested(order: Order) -> Answer:
    """Run the program and prepare the model; what goes wrong is the answer."""
    try:
        names = _names_after(Path(order.project) / order.program)
        return _prepared(order, names)
    except _Failed as failed:
        return failed.answer
    except CapacityError as error:
        return Answer(failure=f"the model cannot be stored as it is: {error}")


def _names_after(program: Path) -> Mapping[str, Any]:
    """Run a program as `python PROGRAM` does; raises `_Failed` with the cell and line."""
    text = program.read_text(encoding="utf-8")
    module = ModuleType(MAIN)
    module.__file__ = str(program)
    sys.modules[MAIN] = module
    sys.path.insert(0, str(program.parent))
    try:
        exec(compile(text, str(program), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - it is the notebook's code
    except SystemExit as error:
        if error.code not in {None, 0}:
            raise _Failed(_blame(error, program, text)) from error
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        raise _Failed(_blame(error, program, text)) from error
    return vars(module)


def _blame(error: BaseException, program: Path, text: str) -> Answer:
    """Say where in the notebook an error came from: the last line of its own that was running."""
    own = [line for frame, line in _frames(error.__traceback__) if frame == str(program)]
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if not own:
        return Answer(failure=said)
    cell, line = place_in_notebook(text, own[-1])
    code = linecache.getline(str(program), own[-1]).strip()
    where = f"cell {cell}, line {line}" if cell else f"{program.name}, line {line}"
    return Answer(failure=f"{where}: {said} (in `{code}`)", cell=cell, line=line)


def _frames(found: TracebackType | None) -> list[tuple[str, int]]:
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(found)]


def _prepared(order: Order, names: Mapping[str, Any]) -> Answer:
    from jupyterhub_mesos.export import prepare  # noqa: PLC0415 - after the notebook's own imports
    from jupyterhub_mesos.export.checks import TOLERANCE  # noqa: PLC0415 - as above

    model = order.model
    rows = _value(names, model.held_out_rows)
    labels = _value(names, model.held_out_labels)
    examples = _value(names, model.example_inputs)
    prepared = prepare(
        _value(names, model.variable),
        name=order.name,
        example_inputs=rows[:EXAMPLES] if examples is None else examples,
        held_out=None if rows is None else (rows, labels),
        tolerance=TOLERANCE if order.parity_tolerance is None else order.parity_tolerance,
    )
    prepared.save(order.prepared)
    return Answer(
        metrics=dict(prepared.metrics),
        summary=f"{prepared.model_type} ({prepared.framework}), {len(prepared.rows)} rows",
    )


def _value(names: Mapping[str, Any], name: str | None) -> Any:
    if name is None:
        return None
    if name not in names:
        raise _Failed(Answer(failure=f"the cells ran, and set no {name!r}, which pipeline.yaml names"))
    return names[name]


def main(arguments: list[str]) -> int:
    """Read the order, test, write the answer."""
    order = Order.model_validate_json(Path(arguments[0]).read_bytes())
    answer = tested(order)
    partial = Path(f"{order.answer}.partial")
    partial.write_text(answer.model_dump_json(), encoding="utf-8")
    partial.replace(order.answer)
    return 1 if answer.failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
