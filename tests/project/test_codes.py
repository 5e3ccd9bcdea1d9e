"""Every code by which the core says why a request waits is explained to people, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jupyterhub_mesos_quota
from jupyterhub_mesos_quota.bars import Bar
from jupyterhub_mesos_quota.usage import Rule
from project.repository import text

CORE = Path(jupyterhub_mesos_quota.__file__).parent
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def codes_in(module: Path) -> Iterator[str]:
    """Yield the codes that are written out: first in an explanation, or first of what is told."""
    for node in ast.walk(ast.parse(module.read_text())):
        first: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Explanation":
            first = node.args[:1]
        elif isinstance(node, ast.Tuple) and len(node.elts) == 3:  # code, sentence, cure
            first = node.elts[:1]
        for value in first:
            if isinstance(value, ast.Constant) and CODE.fullmatch(str(value.value)):
                yield str(value.value)


def codes() -> set[str]:
    """Return every code: those of rules and bars, and those written out."""
    written = {code for module in CORE.glob("explain*.py") for code in codes_in(module)}
    return {*written, *Rule, *Bar}


def test_the_codes_are_found_where_the_core_writes_them() -> None:
    assert {"no-room", "waits-for-reclaim", "next", "team-limit", "paused", "over-budget"} <= codes()


def test_every_code_is_in_the_table_of_the_explanation_and_no_other() -> None:
    section = text("docs/explanation/quota.md").partition("## Why a request waits")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", section, re.MULTILINE)
    assert {code for code, _ in told} == codes()
    assert len(told) == len(codes()), "a code stands twice"
