"""MLflow's REST API 2.0, as much of it as a registry of models needs; the standard library alone.

Authentication is MLflow's own: `MLFLOW_TRACKING_TOKEN`, or
`MLFLOW_TRACKING_USERNAME` with `MLFLOW_TRACKING_PASSWORD`. A redirect is not
followed: the token is for one host.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Annotated, Final, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jupyterhub_mesos.errors import InvalidInput, Unavailable, WorkloadError

VARIABLE: Final = "MLFLOW_TRACKING_URI"
CALL_SECONDS: Final = 20.0
"""One call's time-out; a server on the other side of the world answers within a second or two."""
EXISTS: Final = "RESOURCE_ALREADY_EXISTS"

Body = Mapping[str, object]


class Refused(WorkloadError):
    """MLflow said no; `error_code` is its own word for it."""

    def __init__(self, message: str, error_code: str = "") -> None:
        super().__init__(message)
        self.error_code = error_code


class _Answer(BaseModel):
    """What is read of an answer; MLflow adds keys from release to release."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Problem(_Answer):
    """An error."""

    error_code: str = ""
    message: str = ""


class Tag(_Answer):
    """A name with a text."""

    key: str
    value: str = ""


class ModelVersion(_Answer):
    """A version of a registered model; MLflow counts by itself."""

    version: str
    run_id: str = ""
    source: str = ""
    tags: tuple[Tag, ...] = ()


class _Found(_Answer):
    model_versions: tuple[ModelVersion, ...] = ()


class _Created(_Answer):
    model_version: ModelVersion


class _Id(_Answer):
    experiment_id: Annotated[str, Field(min_length=1)]


class _Experiment(_Answer):
    experiment: _Id


class _RunInfo(_Answer):
    run_id: str


class _RunBody(_Answer):
    info: _RunInfo


class _Run(_Answer):
    run: _RunBody


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Mlflow:
    """The server at `url`."""

    url: str
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_environment(cls) -> Mlflow | None:
        """Find the server that `MLFLOW_TRACKING_URI` names; InvalidInput where it is no http address."""
        text = os.environ.get(VARIABLE, "").rstrip("/")
        if not text:
            return None
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidInput(
                f"{text} is no MLflow server: the registry is mirrored to http://… or https://…",
                where=VARIABLE,
            )
        return cls(text, {"Content-Type": "application/json", **_authorization()})

    def create_model(self, name: str, tags: Mapping[str, str]) -> None:
        """Register the model, unless it is registered."""
        try:
            self._call("POST", "registered-models/create", {"name": name, "tags": _pairs(tags)})
        except Refused as error:
            if error.error_code != EXISTS:
                raise

    def experiment(self, name: str) -> str:
        """Return the id of the experiment of that name; it is made where it is missing."""
        try:
            answer = self._call("POST", "experiments/create", {"name": name})
        except Refused as error:
            if error.error_code != EXISTS:
                raise
            query = urlencode({"experiment_name": name})
            answer = self._call("GET", f"experiments/get-by-name?{query}")
            return _read(_Experiment, answer).experiment.experiment_id
        return _read(_Id, answer).experiment_id

    def run(self, experiment_id: str, name: str, tags: Mapping[str, str], at_ms: int) -> str:
        """Make a run and return its id."""
        order = {"experiment_id": experiment_id, "run_name": name, "start_time": at_ms, "tags": _pairs(tags)}
        return _read(_Run, self._call("POST", "runs/create", order)).run.info.run_id

    def finish(
        self, run_id: str, metrics: Mapping[str, float], params: Mapping[str, str], at_ms: int
    ) -> None:
        """Add metrics and parameters to a run, and end it."""
        order = {
            "run_id": run_id,
            "metrics": [
                {"key": key, "value": value, "timestamp": at_ms, "step": 0} for key, value in metrics.items()
            ],
            "params": _pairs(params),
        }
        self._call("POST", "runs/log-batch", order)
        self._call("POST", "runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": at_ms})

    def versions(self, name: str, tag: str, value: str) -> tuple[ModelVersion, ...]:
        """Find versions of a model by a tag."""
        query = urlencode({"filter": f"name='{name}' AND tags.`{tag}`='{value}'"})
        return _read(_Found, self._call("GET", f"model-versions/search?{query}")).model_versions

    def create_version(self, order: Body) -> ModelVersion:
        """Make a version of a registered model."""
        return _read(_Created, self._call("POST", "model-versions/create", order)).model_version

    def describe_version(self, name: str, version: str, description: str) -> None:
        """Replace a version's description."""
        order = {"name": name, "version": version, "description": description}
        self._call("PATCH", "model-versions/update", order)

    def _call(self, method: str, path: str, body: Body | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - the scheme was checked
            f"{self.url}/api/2.0/mlflow/{path}", data=data, headers=dict(self.headers), method=method
        )
        try:
            with build_opener(_NoRedirects).open(request, timeout=CALL_SECONDS) as answer:
                content: bytes = answer.read()
                return content
        except HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(), path.partition("?")[0]) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", "") or error
            raise Unavailable(f"MLflow at {self.url} does not answer ({reason})") from error


def _authorization() -> dict[str, str]:
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


_A = TypeVar("_A", bound=_Answer)


def _read(kind: type[_A], content: bytes) -> _A:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise WorkloadError(
            f"the server answers otherwise than MLflow's API 2.0 ({error.error_count()} problems): is "
            f"{VARIABLE} the address of an MLflow server?"
        ) from error


def _refusal(status: int, body: bytes, path: str) -> Refused:
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem()
    words = problem.message.splitlines()[0] if problem.message else f"it answered {status} to {path}"
    return Refused(f"MLflow refuses: {words}", problem.error_code)
