"""What pydantic says of a file, in the words of the person who wrote it.

Each sentence says what was asked, what is possible and what to do. The keys
that are possible at a place are read from the models, so that they cannot differ.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jupyterhub_mesos.configuration.document import Document, Place

Model = TypeVar("Model", bound=BaseModel)

_KEY_MARK: Final = "[key]"
"""Pydantic's last part of a location when a mapping's key is at fault, not its value."""
_NAME_DUE: Final = "a name begins with a letter or digit, then letters, digits, '.', '_' and '-', 63 at most"
_DUE: Final = {
    "string_pattern_mismatch": _NAME_DUE,
    "model_type": "a mapping of keys to values is due",
    "dict_type": "a mapping of names to values is due",
    "tuple_type": "a list is due, for instance [one, two]",
    "string_type": "a text is due: put it in quotes",
    "bool_type": "true or false is due",
    "string_too_long": "it is too long: keep it under 4,096 characters",
    "too_short": "at least one is due",
}
_SPAN: Final = re.compile(r"_(hours|minutes|seconds)$")
"""How a key of a time ends, which may be a fraction."""
_FROM_ONE: Final = frozenset(
    {"weight", "window_days", "window_hours", "team_hours", "user_hours", "max_session_minutes"}
)
"""Keys of whole numbers that nothing is no value of."""
_NUMBER: Final = {"float_type", "greater_than", "greater_than_equal", "finite_number"}
_WHOLE: Final = {"int_type", "int_from_float", "int_parsing", "greater_than_equal", "less_than_equal"}


def validated(document: Document, model: type[Model]) -> Model | None:
    """Validate a document; where it does not hold, note every problem and return nothing."""
    try:
        return model.model_validate(document.value if document.value is not None else {})
    except ValidationError as error:
        for place, details in _by_place(error.errors(), document).items():
            document.blame(place, _sentence(place, details, document, model))
    return None


def _by_place(errors: Iterable[ErrorDetails], document: Document) -> Mapping[Place, list[ErrorDetails]]:
    """Group the errors by place: a union of `int` and `unlimited` gives one for each."""
    grouped: dict[Place, list[ErrorDetails]] = {}
    for error in errors:
        place: Place = error["loc"]
        while place and place not in document.lines and error["type"] != "missing":
            place = place[:-1]
        grouped.setdefault(place, []).append(error)
    return grouped


def _sentence(place: Place, errors: list[ErrorDetails], document: Document, model: type[BaseModel]) -> str:
    kinds = {error["type"] for error in errors}
    if "extra_forbidden" in kinds:
        return _unknown_key(str(place[-1]), known_keys(model, place[:-1]))
    if errors[0]["loc"][-1:] == (_KEY_MARK,):
        return f"not a possible name; {_NAME_DUE}"
    if "missing" in kinds:
        return "is missing: add it"
    return f"{_asked(place, document)}; {_due(place, errors, document)}"


def _due(place: Place, errors: list[ErrorDetails], document: Document) -> str:
    kinds = {error["type"] for error in errors}
    if kinds & _NUMBER and place[-1] not in _FROM_ONE and (unit := _SPAN.search(str(place[-1]))):
        bound = {"greater_than": ", above 0", "greater_than_equal": ", 0 or more"}.get(errors[0]["type"], "")
        return f"a number of {unit[1]} is due{bound}"
    if "literal_error" in kinds and len(errors) == 1:
        return f"possible: {errors[0].get('ctx', {})['expected'].replace(' or ', ', ')}"
    if kinds & _WHOLE:
        return _number_due(place, errors) + _amount_hint(place, document)
    return next((due for kind, due in _DUE.items() if kind in kinds), errors[0]["msg"])


def _asked(place: Place, document: Document) -> str:
    if place in document.texts:
        return f"{document.texts[place] or 'nothing'!r} asked for"
    return "this does not fit"


def _unknown_key(key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    cure = f"did you mean {near[0]}? " if near else ""
    return f"unknown key; {cure}possible here: {', '.join(names)}"


def _number_due(place: Place, errors: list[ErrorDetails]) -> str:
    usual = 1 if place[-1] in _FROM_ONE else 0
    least = next(
        (error.get("ctx", {})["ge"] for error in errors if error["type"] == "greater_than_equal"), usual
    )
    largest = next(
        (error.get("ctx", {})["le"] for error in errors if error["type"] == "less_than_equal"), None
    )
    due = f"a whole number from {least} is due"
    if largest is not None:
        due = f"at most {largest} is possible"
    if any(error["type"] == "literal_error" for error in errors):
        due += ", or the word unlimited"
    return due


def _amount_hint(place: Place, document: Document) -> str:
    """Say the unit, and for a number of cores what it is in thousandths."""
    match place[-1]:
        case "cpu_millis":
            cores = _positive_fraction(document.texts.get(place, ""))
            example = f"{cores:g} cores are {round(cores * 1000)}" if cores else "one core is 1000"
            return f", in thousandths of a core: {example}"
        case "mem_mib":
            return ", in MiB: 4 GiB are 4096"
        case _:
            return ""


def _positive_fraction(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < 1000 and not number.is_integer() else None


def known_keys(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """Return the keys that are possible in the mapping at `place` of a document of `model`."""
    annotation: Any = model
    for part in place:
        annotation = _inside(annotation, str(part))
    for each in (annotation, *get_args(annotation)):  # where it may be left out, a model stands beside None
        if isinstance(each, type) and issubclass(each, BaseModel):
            return tuple(each.model_fields)
    return ()


def _inside(annotation: Any, key: str) -> Any:
    if get_origin(annotation) is Annotated:
        return _inside(get_args(annotation)[0], key)
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(key)
        return field.annotation if field else None
    return None
