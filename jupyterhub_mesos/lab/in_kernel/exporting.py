"""Export a variable of a notebook, each step said as it is done."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

EXAMPLES = 10
"""Rows that are kept as the example; the check runs over the held-out rows where there are some."""


def answer(namespace: dict[str, Any], order: dict[str, Any]) -> None:
    """Run the export and say how it ended; nothing is raised into the notebook."""
    say(say="began")
    try:
        done = exported(namespace, order)
    except KeyboardInterrupt:
        say(say="failed", sentence="the export was cancelled in this step")
    except ImportError as error:
        say(say="failed", sentence=f"this kernel's Python ({sys.executable}) cannot export: {error}")
    except Exception as error:  # noqa: BLE001 - said in the panel, as a cell would show it
        is_ours = hasattr(type(error), "code") and type(error).__module__.startswith("jupyterhub_mesos")
        sentence = str(error) if is_ours else f"{type(error).__name__}: {error}"
        say(say="failed", sentence=sentence, detail="" if is_ours else traceback.format_exc())
    else:
        say(
            say="done",
            name=done.name,
            version=done.version,
            ref=done.ref,
            remote=done.remote,
            commit=done.commit,
            directory=str(done.directory),
            metrics={name: float(value) for name, value in done.metrics.items()},
        )


def exported(namespace: dict[str, Any], order: dict[str, Any]) -> Any:
    """Call `export` with the variables that the order names."""
    from jupyterhub_mesos.export import export  # noqa: PLC0415 - a kernel may lack it

    rows, labels = order["held_out_rows"], order["held_out_labels"]
    return export(
        value_of(namespace, order["model"]),
        name=order["name"],
        example_inputs=value_of(namespace, order["example_inputs"])[:EXAMPLES],
        held_out=(value_of(namespace, rows), value_of(namespace, labels)) if rows and labels else None,
        remote=order["remote"],
        description=order["description"],
        notebook=order["notebook"],
        optimise=order.get("optimise", True),
        report=lambda line: say(say="step", line=line),
    )


def value_of(namespace: dict[str, Any], name: str) -> Any:
    """Return a variable; raises NameError when it has gone since the dialog listed it."""
    if name not in namespace:
        raise NameError(f"{name} is not in the kernel any more: run its cell, then export again")
    return namespace[name]


def say(**fields: Any) -> None:
    """Print one saying so that it can be told from what anybody else prints."""
    sys.stdout.write("\x1e" + json.dumps(fields) + "\n")
    sys.stdout.flush()
