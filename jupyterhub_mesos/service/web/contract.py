"""What a route's method takes and answers, beside the method: checked at the door, told in openapi.json.

```python
@contract(answers=RequestPage, query=RequestsQuery)
async def get(self) -> None: ...
```
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from jupyterhub_mesos.errors import InvalidInput

_MARK: Final = "_contract"
_XSRF: Final = "_xsrf"
"""A page's script cannot send a header with its event stream."""
_F = TypeVar("_F", bound=Callable[..., Any])


class Query(BaseModel):
    """The parameters of a query; any other is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """No parameters."""


def _said(value: object) -> object:
    return "true" if value == "" else value


Flag = Annotated[bool, BeforeValidator(_said)]
"""A yes or no; `?past` alone is a yes."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a method takes and answers.

    `answers` is None where there is no body; `query` None where all parameters are passed on;
    `statuses` are those of success; `is_secret`: the answer is told once and kept nowhere; `headers` are
    those that the method reads, each with a pattern.
    """

    answers: type[BaseModel] | None = None
    takes: type[BaseModel] | None = None
    query: type[Query] | None = NoQuery
    statuses: tuple[int, ...] = (200,)
    media: str = "application/json"
    is_secret: bool = False
    headers: tuple[tuple[str, str], ...] = ()


def contract(  # noqa: PLR0913 - one for each part of a contract, all by name
    *,
    answers: type[BaseModel] | None = None,
    takes: type[BaseModel] | None = None,
    query: type[Query] | None = NoQuery,
    statuses: tuple[int, ...] = (200,),
    is_secret: bool = False,
    media: str = "application/json",
    headers: tuple[tuple[str, str], ...] = (),
) -> Callable[[_F], _F]:
    """Write down what the method takes and answers."""
    made = Contract(answers, takes, query, statuses, media, is_secret, headers)

    def mark(method: _F) -> _F:
        setattr(method, _MARK, made)
        return method

    return mark


def contract_of(handler: object, method: str) -> Contract | None:
    """Return what a handler (or its class) has written down for an HTTP method."""
    found: Contract | None = getattr(getattr(handler, method.lower(), None), _MARK, None)
    return found


def read_query(model: type[Query], arguments: dict[str, list[bytes]]) -> Query:
    """Read the parameters of a query; raises `InvalidInput` that names the first that does not hold."""
    given = {name: values for name, values in arguments.items() if name != _XSRF}
    _check_names(given, list(model.model_fields))
    if any(b"\0" in value for values in given.values() for value in values):
        raise InvalidInput("a parameter holds a NUL, which no name of ours does", where="query")
    try:
        return model.model_validate({name: values[-1].decode() for name, values in given.items()})
    except UnicodeDecodeError as error:
        raise InvalidInput("a parameter is no UTF-8", where="query") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        text = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(text, where=".".join(map(str, first["loc"])) or "query") from error


def _check_names(given: dict[str, list[bytes]], possible: list[str]) -> None:
    unknown = sorted(set(given) - set(possible))
    if unknown:
        known = f"it takes {', '.join(possible)}" if possible else "it takes none"
        raise InvalidInput(f"this route has no parameter {unknown[0]!r}; {known}", where="query")
    for name, values in given.items():
        if len(values) > 1:
            raise InvalidInput(f"given {len(values)} times; say it once", where=name)
