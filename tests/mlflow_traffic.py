"""The calls of MLflow's REST API that the mirror is made of, and how to record what a real server answers.

`python tests/mlflow_traffic.py http://127.0.0.1:5000 > tests/mlflow_traffic.json` plays them to
an empty server; the double is then held to the recording (test_registry.py).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

RECORDING = Path(__file__).with_name("mlflow_traffic.json")
NAME = "vision.digits"
AT_MS = 1_700_000_000_000
SEARCH = "model-versions/search?" + urlencode(
    {"filter": f"name='{NAME}' AND tags.`capacity.tag`='digits/v1'"}
)


def tag(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


def version(source: str, **more: Any) -> dict[str, Any]:
    return {"name": NAME, "source": source, **more}


# method, path, body; RUN stands for the id of the run that was made last
CALLS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", SEARCH, None),
    ("POST", "registered-models/create", {"name": NAME, "tags": [tag("team", "vision")]}),
    ("POST", "registered-models/create", {"name": NAME, "tags": []}),
    ("POST", "experiments/create", {"name": NAME}),
    ("POST", "experiments/create", {"name": NAME}),
    ("GET", f"experiments/get-by-name?experiment_name={NAME}", None),
    ("GET", "experiments/get-by-name?experiment_name=nothing", None),
    (
        "POST",
        "runs/create",
        {
            "experiment_id": "EXPERIMENT",
            "run_name": "digits/v1",
            "start_time": AT_MS,
            "tags": [tag("a", "b")],
        },
    ),
    (
        "POST",
        "runs/log-batch",
        {
            "run_id": "RUN",
            "metrics": [{"key": "held_out_accuracy", "value": 0.9, "timestamp": AT_MS, "step": 0}],
            "params": [tag("framework", "torch")],
        },
    ),
    (
        "POST",
        "runs/log-batch",
        {"run_id": "RUN", "metrics": [{"key": "top@5", "value": 0.9, "timestamp": AT_MS, "step": 0}]},
    ),
    ("POST", "runs/update", {"run_id": "RUN", "status": "FINISHED", "end_time": AT_MS}),
    ("POST", "model-versions/create", version("file:///tmp/models.git")),
    ("POST", "model-versions/create", version("https://git.example/models.git@digits/v1")),
    ("POST", "model-versions/create", version("git+ssh://git.example/models.git@digits/v1")),
    (
        "POST",
        "model-versions/create",
        version(
            "git:///tmp/models.git@digits/v1",
            run_id="RUN",
            description="a card",
            tags=[tag("capacity.tag", "digits/v1"), tag("capacity.digest", "c0ffee")],
        ),
    ),
    ("POST", "model-versions/create", {"name": "nothing", "source": "git:///tmp/models.git@digits/v1"}),
    ("GET", SEARCH, None),
    ("PATCH", "model-versions/update", {"name": NAME, "version": "1", "description": "another card"}),
    ("PATCH", "model-versions/update", {"name": NAME, "version": "77", "description": "x"}),
]


@dataclass(frozen=True)
class Exchange:
    """A call, and what the server answered."""

    call: str
    status: int
    answer: dict[str, Any]


def play(url: str) -> list[Exchange]:
    """Play all calls, in their order, to an empty server."""
    ids = {"RUN": "", "EXPERIMENT": ""}
    played: list[Exchange] = []
    for method, path, body in CALLS:
        text = json.dumps(body) if body is not None else None
        for placeholder, value in ids.items():
            text = text.replace(f'"{placeholder}"', f'"{value}"') if text else None
        status, answer = call(url, method, path, text)
        ids["RUN"] = answer.get("run", {}).get("info", {}).get("run_id", ids["RUN"])
        ids["EXPERIMENT"] = answer.get("experiment_id", ids["EXPERIMENT"])
        played.append(Exchange(f"{method} {path.partition('?')[0]}", status, answer))
    return played


def call(url: str, method: str, path: str, body: str | None) -> tuple[int, dict[str, Any]]:
    """Make one call."""
    request = Request(
        f"{url}/api/2.0/mlflow/{path}",
        data=body.encode() if body else None,
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


if __name__ == "__main__":
    sys.stdout.write(json.dumps([vars(one) for one in play(sys.argv[1])], indent=1) + "\n")
