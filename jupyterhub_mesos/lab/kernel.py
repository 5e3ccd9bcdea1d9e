"""The programs for a notebook's kernel, as one statement that leaves nothing behind in the notebook."""

from __future__ import annotations

from importlib.resources import files
from typing import Final, Literal

from jupyterhub_mesos.lab.messages import KernelCode

_RUN: Final = (
    '__import__("builtins").exec(compile({program!r}, "<capacity>", "exec"), '
    '{{"__name__": "capacity", "namespace": __import__("builtins").globals(), "order": {order!r}}})'
)
Program = Literal["candidates", "environment", "exporting"]
_BEFORE: Final[dict[Program, tuple[str, str]]] = {"environment": ("jupyterhub_mesos.training", "lock.py")}
"""What a program is preceded by, as text: the kernel's Python need not have our package."""
Order = dict[str, str | bool | list[str] | None]


def code(program: Program, order: Order) -> KernelCode:
    """Return the program with its order; it runs beside the notebook's variables, not among them."""
    parts = [_BEFORE[program]] if program in _BEFORE else []
    parts.append(("jupyterhub_mesos.lab.in_kernel", f"{program}.py"))
    text = "\n".join(files(package).joinpath(name).read_text(encoding="utf-8") for package, name in parts)
    return KernelCode(code=_RUN.format(program=f"{text}\nanswer(namespace, order)\n", order=order))
