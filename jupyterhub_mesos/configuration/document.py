"""A YAML file as plain values, with the line of every key and value.

PyYAML's event and node layer is used as it stands; only the last step, from
nodes to values, is ours, because the stock one forgets the lines, lets the last
of two equal keys win and reads `010` as eight and `1:30` as ninety.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from jupyterhub_mesos.errors import InvalidInput

Place = tuple[str | int, ...]
"""Where something stands in a document: keys and list positions from the top."""

MAX_BYTES: Final = 1024 * 1024
"""A configuration file is written by hand; a larger one is some other file."""
MAX_DEPTH: Final = 20
"""Deeper than any file of ours; bounds the recursion."""

_TAG: Final = "tag:yaml.org,2002:"
_WHOLE_NUMBER: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_TRUTHS: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: the line (from 1), the key, and the sentence."""

    line: int
    key: str
    sentence: str


class InvalidFile(InvalidInput):
    """A configuration file that does not hold; `problems` are all that were found, in order of lines."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(set(problems), key=lambda problem: (problem.line, problem.key)))
        super().__init__("\n".join(_line_of(path, problem) for problem in self.problems))


def _line_of(path: Path, problem: Problem) -> str:
    subject = f"{problem.key}: " if problem.key else ""
    return f"{path}:{problem.line}: {subject}{problem.sentence}"


def dotted(place: Place) -> str:
    """Say a place in a person's words, e.g. `teams.vision.groups[0]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(slots=True)
class Document:
    """The values of a file (mappings as `dict`, lists as `tuple`) and where each stands."""

    path: Path
    value: object = None
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    texts: dict[Place, str] = field(default_factory=dict[Place, str])  # scalars as they were written
    problems: list[Problem] = field(default_factory=list[Problem])

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def blame(self, place: Place, sentence: str) -> None:
        """Note a problem at a place."""
        self.problems.append(Problem(self.line(place), dotted(place), sentence))

    def check(self) -> None:
        """Raise `InvalidFile` where problems were noted."""
        if self.problems:
            raise InvalidFile(self.path, self.problems)


def read(path: Path) -> Document:
    """Read a YAML file; raise `InvalidFile` where it is no YAML, note duplicate keys as problems."""
    document = Document(path)
    try:
        node = yaml.SafeLoader(_text(path)).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise InvalidFile(path, [Problem(line, "", f"this is no YAML: {said}")]) from error
    except yaml.YAMLError as error:
        raise InvalidFile(path, [Problem(1, "", f"this is no YAML: {error}")]) from error
    document.value = _value(node, (), document) if node is not None else None
    return document


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"cannot read it ({error.strerror}): name a file that you can read", where=str(path)
        ) from error
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{len(content)} bytes; at most {MAX_BYTES} are read", where=str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidFile(path, [Problem(line, "", "this is no UTF-8: save it as UTF-8")]) from error


def _value(node: Node, place: Place, document: Document) -> object:
    document.lines.setdefault(place, node.start_mark.line + 1)
    if len(place) > MAX_DEPTH:
        document.blame(place, f"more than {MAX_DEPTH} levels deep: is an alias inside its own anchor?")
        return None
    if isinstance(node, MappingNode):
        return dict(_items(node, place, document))
    if isinstance(node, SequenceNode):
        items = cast("list[Node]", node.value)
        return tuple(_value(item, (*place, index), document) for index, item in enumerate(items))
    document.texts[place] = str(node.value)
    return _scalar(cast("ScalarNode", node))


def _items(node: MappingNode, place: Place, document: Document) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    for key_node, value_node in cast("list[tuple[Node, Node]]", node.value):
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            document.problems.append(Problem(line, dotted(place), "a key is a word, not a list or mapping"))
            continue
        key = str(key_node.value)  # as written: `no` and `7` are fine names
        here = (*place, key)
        if key in seen:
            first = document.line(here)
            document.problems.append(
                Problem(line, dotted(here), f"stands here a second time (first in line {first}): keep one")
            )
            continue
        seen.add(key)
        document.lines[here] = line
        yield key, _value(value_node, here, document)


def _scalar(node: ScalarNode) -> object:
    """Read a scalar; what is not plainly a number, truth or nothing stays the text that it is."""
    text = str(node.value)
    match str(node.tag).removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return _TRUTHS.get(text.lower(), text)
        case "int":
            return int(text) if _WHOLE_NUMBER.fullmatch(text) else text
        case "float":
            return _float(text)
        case _:
            return text


def _float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
