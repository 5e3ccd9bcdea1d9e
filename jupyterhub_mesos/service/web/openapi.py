"""The API as an OpenAPI 3.1 document, made from the table of routes, the methods' contracts and `wire`.

Nothing is said here that is not enforced there; what only people need (an example of each body) is in
`openapi_examples`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from jupyterhub_mesos.service.web.base import ApiHandler, HubKeyHandler, WebContext
from jupyterhub_mesos.service.web.codes import codes
from jupyterhub_mesos.service.web.contract import Contract, contract, contract_of
from jupyterhub_mesos.service.web.openapi_examples import EXAMPLES
from jupyterhub_mesos.service.web.problems import MEDIA_TYPE, title_of
from jupyterhub_mesos.service.web.repeating import KEY_HEADER
from jupyterhub_mesos.wire import Problem

if TYPE_CHECKING:
    from jupyterhub_mesos.service.web.routes import Route

Json = dict[str, Any]  # a piece of the document, whose shape is OpenAPI's and not ours
_REF: Final = "#/components/schemas/{model}"
_WRITES: Final = frozenset({"POST", "PUT", "DELETE"})
_GROUP: Final = re.compile(r"\((?!\?)((?:[^()]|\(\?:[^()]*\))*)\)")
_SCHEMES: Final[Json] = {
    "hubToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of the hub, of somebody who has access:services!service=capacity.",
    },
    "ownToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that this service made: a team's for its CI, or a running pipeline's.",
    },
    "hubKey": {"type": "http", "scheme": "bearer", "description": "The key of the hub's spawners."},
}
_KEY: Final[Json] = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with the same write is done once, and answered again as the first time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
}


class OpenApiHandler(ApiHandler):
    """`/api/openapi.json`, for everybody: it says nothing of what there is, only of what can be asked."""

    def initialize(self, context: WebContext, text: str) -> None:  # type: ignore[override]  # one more
        """Take the document."""
        super().initialize(context)
        self._text = text

    async def prepare(self) -> None:
        """Ask nobody who they are."""
        self.check_query()

    @contract()
    async def get(self) -> None:
        """Return this document."""
        self.set_header("Content-Type", "application/json")
        self.send(self._text)


def document(routes: Sequence[Route], prefix: str) -> Json:
    """Return the document of the routes that speak JSON, below `prefix`."""
    told = list(_methods(routes))
    inputs, outputs = _models(written for _, _, written in told)
    refs, definitions = models_json_schema([*inputs, *outputs], ref_template=_REF)
    schemas: Json = definitions.get("$defs", {})
    paths: Json = {}
    for route, method, written in told:
        made = _operation(route, method, written, (refs, schemas))
        paths.setdefault(_template(route.path), {})[method.lower()] = made
    return {
        "openapi": "3.1.0",
        "info": {"title": "The capacity service of JupyterHub", "version": version("jupyterhub-mesos")},
        "servers": [{"url": prefix.rstrip("/") or "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
    }


_Refs = tuple[Mapping[Any, Any], Json]  # pydantic's keys are models with a mode
_Modes = list[tuple[type[BaseModel], JsonSchemaMode]]


def _methods(routes: Sequence[Route]) -> Iterator[tuple[Route, str, Contract]]:
    for route in routes:
        for method in route.methods:
            written = contract_of(route.handler, method)
            if written is not None:
                yield route, method, written


def _models(contracts: Iterator[Contract]) -> tuple[_Modes, _Modes]:
    """Return the models that are read, and those that are answered, each once."""
    found: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for written in contracts:
        for model in (written.takes, written.query):
            if model is not None:
                found[(model, "validation")] = None
        if written.answers is not None:
            found[(written.answers, "serialization")] = None
    read = [key for key in found if key[1] == "validation"]
    return read, [key for key in found if key[1] == "serialization"]


def _operation(route: Route, method: str, written: Contract, known: _Refs) -> Json:
    refs, _ = known
    function = getattr(route.handler, method.lower())
    made: Json = {
        "operationId": f"{method.lower()}_{re.sub(r'[^A-Za-z0-9]+', '_', route.path)}".lower(),
        "summary": (function.__doc__ or "").strip(),
        "tags": [_tag(route.path)],
        "security": _security(route),
        "parameters": [
            *_path_parameters(route),
            *_query_parameters(written, known),
            *_headers(route, method, written),
        ],
        "responses": _responses(written, refs),
    }
    if written.takes is not None:
        content: Json = {"schema": refs[(written.takes, "validation")]}
        content["example"] = EXAMPLES[written.takes]
        made["requestBody"] = {"required": True, "content": {"application/json": content}}
    return made


def _responses(written: Contract, refs: Mapping[Any, Any]) -> Json:
    made: Json = {}
    for status in written.statuses:
        answer: Json = {"description": title_of(status)}
        if written.answers is not None:
            answer["content"] = {written.media: {"schema": refs[(written.answers, "serialization")]}}
        elif status != 204 and written.query is not None:
            answer["content"] = {written.media: {"schema": {}}}
        made[str(status)] = answer
    made["default"] = {
        "description": f"A problem; its code is one of {', '.join(sorted({one.code for one in codes()}))}.",
        "content": {MEDIA_TYPE: {"schema": refs[(Problem, "serialization")]}},
    }
    return made


def _path_parameters(route: Route) -> Iterator[Json]:
    names = re.findall(r"\b[A-Z]{2,}\b", route.path)
    for name, pattern in zip(names, _GROUP.findall(route.pattern), strict=True):
        is_rest = name == "PATH"  # of a model server, below v2
        schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$" if is_rest else f"^{pattern}$"}
        yield {"name": name.lower(), "in": "path", "required": True, "schema": schema}


def _query_parameters(written: Contract, known: _Refs) -> Iterator[Json]:
    if written.query is None:
        return
    refs, schemas = known
    name = refs[(written.query, "validation")]["$ref"].rpartition("/")[2]
    for parameter, schema in schemas[name].get("properties", {}).items():
        text = schema.get("description", "")
        yield {
            "name": parameter,
            "in": "query",
            "required": False,
            "schema": _without_null(schema),
            **({"description": text} if text else {}),
        }


def _without_null(schema: Json) -> Json:
    """Return the schema of a parameter that is given: there is no null in a query."""
    kept = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    choices = [one for one in kept.pop("anyOf", []) if one.get("type") != "null"]
    if kept.get("default", 0) is None:
        del kept["default"]
    return {**kept, **(choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})}


def _headers(route: Route, method: str, written: Contract) -> Iterator[Json]:
    takes_key = issubclass(route.handler, ApiHandler) and not issubclass(route.handler, HubKeyHandler)
    if method in _WRITES and takes_key and getattr(route.handler, "counts_writes", False):
        yield _KEY
    for name, pattern in written.headers:
        schema = {"type": "string", "pattern": pattern}
        yield {"name": name, "in": "header", "required": False, "schema": schema}


def _security(route: Route) -> list[Json]:
    match route.access.value:
        case "everybody":
            return []
        case "hub":
            return [{"hubKey": []}]
        case _:
            own: list[Json] = [{"ownToken": []}] if getattr(route.handler, "takes_own_tokens", False) else []
            return [{"hubToken": []}, *own]


def _template(path: str) -> str:
    return "/" + re.sub(r"\b[A-Z]{2,}\b", lambda found: f"{{{found.group().lower()}}}", path)


def _tag(path: str) -> str:
    parts = path.removeprefix("api/v1/").split("/")
    return parts[0]
