"""A small MLflow tracking server: the calls that the mirror makes, answered as MLflow 3.18 answers them.

Held to recorded traffic of a real server (mlflow_traffic.json) by test_registry.py.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


class Refusal(Exception):
    """An error as MLflow's: a status, its code and a message."""

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_code = status, error_code


def invalid(message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> Refusal:
    return Refusal(404, "RESOURCE_DOES_NOT_EXIST", message)


class State:
    """What the server holds; `heard` are the headers of every call."""

    def __init__(self) -> None:
        self.models: dict[str, Json] = {}
        self.versions: list[Json] = []
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, Json] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.heard: list[dict[str, str]] = []
        self.broken = ""

    def create_model(self, body: Json) -> Json:
        if body["name"] in self.models:
            raise Refusal(
                400, "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={body['name']}) already exists."
            )
        self.models[body["name"]] = body
        return {"registered_model": body}

    def create_experiment(self, body: Json) -> Json:
        if body["name"] in self.experiments:
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"Experiment(name={body['name']}) already exists.")
        self.experiments[body["name"]] = str(len(self.experiments) + 1)
        return {"experiment_id": self.experiments[body["name"]]}

    def get_experiment(self, query: Json) -> Json:
        name = query["experiment_name"]
        if name not in self.experiments:
            raise missing(f"Could not find experiment with name '{name}'")
        return {"experiment": {"experiment_id": self.experiments[name], "name": name}}

    def create_run(self, body: Json) -> Json:
        run_id = f"{len(self.runs) + 1:032x}"
        self.runs[run_id] = {"status": "RUNNING", **body}
        info = {"run_id": run_id, "experiment_id": body["experiment_id"], "status": "RUNNING"}
        return {"run": {"info": info, "data": {}}}

    def log_batch(self, body: Json) -> Json:
        for number, metric in enumerate(body.get("metrics", [])):
            if not re.fullmatch(r"[\w\-. :/]+", metric["key"], re.ASCII):
                raise invalid(
                    f"Invalid value \"{metric['key']}\" for parameter 'metrics[{number}].name' supplied"
                )
            self.metrics.setdefault(body["run_id"], {})[metric["key"]] = metric["value"]
        return {}

    def update_run(self, body: Json) -> Json:
        self.runs[body["run_id"]]["status"] = body["status"]
        return {"run_info": {"run_id": body["run_id"], "status": body["status"]}}

    def create_version(self, body: Json) -> Json:
        if body["name"] not in self.models:
            raise missing(f"Registered Model with name={body['name']} not found")
        scheme = body["source"].partition(":")[0]
        if scheme in {"file", "http", "https"} or "+" in scheme:
            raise invalid(f"Invalid model version source: '{body['source']}'")
        mine = [one for one in self.versions if one["name"] == body["name"]]
        made = {"version": str(len(mine) + 1), "status": "READY", **body}
        self.versions.append(made)
        return {"model_version": made}

    def update_version(self, body: Json) -> Json:
        for one in self.versions:
            if (one["name"], one["version"]) == (body["name"], body["version"]):
                one["description"] = body["description"]
                return {"model_version": one}
        raise missing(f"Model Version (name={body['name']}, version={body['version']}) not found")

    def search(self, query: Json) -> Json:
        found = re.fullmatch(r"name='([^']+)' AND tags\.`([^`]+)`='([^']+)'", query["filter"])
        assert found, query
        tag = {"key": found[2], "value": found[3]}
        versions = [one for one in self.versions if one["name"] == found[1] and tag in one.get("tags", [])]
        return {"model_versions": versions} if versions else {}


ROUTES: dict[str, Callable[[State, Json], Json]] = {
    "POST registered-models/create": State.create_model,
    "POST experiments/create": State.create_experiment,
    "GET experiments/get-by-name": State.get_experiment,
    "POST runs/create": State.create_run,
    "POST runs/log-batch": State.log_batch,
    "POST runs/update": State.update_run,
    "POST model-versions/create": State.create_version,
    "PATCH model-versions/update": State.update_version,
    "GET model-versions/search": State.search,
}


@contextmanager
def mlflow_double() -> Generator[tuple[str, State]]:
    """Serve on a free port of the loopback."""
    state = State()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            state.heard.append(dict(self.headers))
            parts = urlsplit(self.path)
            route = f"{self.command} {parts.path.removeprefix('/api/2.0/mlflow/')}"
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = json.loads(body) if body else {k: v[0] for k, v in parse_qs(parts.query).items()}
            try:
                if state.broken and state.broken in route:
                    raise Refusal(500, "INTERNAL_ERROR", "the disk is full")
                self.answer(200, ROUTES[route](state, given))
            except Refusal as error:
                self.answer(error.status, {"error_code": error.error_code, "message": str(error)})

        do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - the base class's names

        def answer(self, status: int, content: Json) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
