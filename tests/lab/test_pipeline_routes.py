"""A notebook as a pipeline, over a real Jupyter Server, real git and a real socket to the service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from jupyterhub_mesos.wire import PipelinePayload, RequestSubmission
from jupyterhub_mesos_quota.model import RequestStatus
from lab_server import Rig
from model_fixtures import bare_repository, git, set_hook
from notebooks import as_reply, cell, notebook, pipeline, pipeline_notebook, training, write


@pytest.fixture
def order(home: Path, tmp_path: Path) -> dict[str, Any]:
    """A filled-in dialog, whose remote is a repository of somebody else's making."""
    write(home / "numbers.ipynb", pipeline_notebook())
    return {
        "path": "numbers.ipynb",
        "name": "numbers",
        "remote": str(bare_repository(tmp_path / "numbers.git")),
        "models_remote": "~/lake/team/models.git",
        "description": "",
        "workers": 3,
        "cpu_millis": 500,
        "mem_mib": 256,
        "accelerators": {},
        "framework": "generic",
        "restarts": 1,
        "parameters": {"EPOCHS": "5"},
        "model": "model",
        "example_inputs": "test_rows",
        "held_out_rows": "test_rows",
        "held_out_labels": "test_labels",
        "minimum_accuracy": 0.8,
        "optimise": True,
        "serve": False,
        "environment": None,
        "missing": [],
    }


def refusal(answer: requests.Response) -> Mapping[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_a_notebook_s_tags_fill_the_dialog(rig: Rig, order: dict[str, Any]) -> None:
    form = rig.lab.ask("GET", "pipeline", path="numbers.ipynb").json()
    assert (form["name"], form["remote"]) == ("numbers", "~/lake/team/pipelines/numbers.git")
    assert (form["job"]["train_cells"], form["model_cells"], form["test_cells"]) == ([2], [3], [4])
    assert form["roles"] == {
        "model": "model",
        "example_inputs": "test_rows",
        "held_out_rows": "test_rows",
        "held_out_labels": "test_labels",
    }
    assert {"name": "rows", "cell": 2} in form["variables"]
    assert form["dropped"] == ["cell 2, line 1: %time"]


@pytest.mark.parametrize(
    ("cells", "sentence", "number"),
    [
        ([cell("x = 1", "train"), cell("for x in", "model")], "cell 2, line 1 is not Python", 2),
        ([cell("x = 1", "train")], "is tagged 'model'", None),
        ([cell("x = 1", "model")], "is tagged 'train'", None),
        ([cell("x = 1", "train"), cell("import nowhere_at_all", "model")], "'nowhere_at_all'", 2),
    ],
)
def test_a_notebook_that_makes_no_pipeline_is_told_why(
    rig: Rig, home: Path, cells: list[dict[str, Any]], sentence: str, number: int | None
) -> None:
    write(home / "broken.ipynb", notebook(cells))
    found = refusal(rig.lab.ask("GET", "pipeline", path="broken.ipynb"))
    assert (found["status"], found["cell"]) == (422, number)
    assert sentence in found["detail"]


def test_a_filled_dialog_is_pushed_as_a_project(rig: Rig, order: dict[str, Any]) -> None:
    answer = rig.lab.ask("POST", "pipelines", order)
    assert answer.status_code == 201, answer.text
    pushed = answer.json()
    assert (pushed["is_new"], pushed["request_id"]) == (True, None)
    assert [line.split()[0] for line in pushed["lines"] if "/5 " in line] == [f"{n}/5" for n in range(1, 6)]
    remote = order["remote"]
    assert git("-C", remote, "rev-parse", "main").strip() == pushed["commit"]
    text = git("-C", remote, "show", "main:pipeline.yaml")
    assert "workers: 3" in text
    assert "held_out_labels: test_labels" in text
    assert rig.fake.calls == []
    again = rig.lab.ask("POST", "pipelines", order).json()
    assert (again["is_new"], again["commit"]) == (False, pushed["commit"])


def test_a_remote_that_refuses_is_heard_in_its_own_words(rig: Rig, order: dict[str, Any]) -> None:
    set_hook(Path(order["remote"]), "echo 'no pipelines on Fridays' >&2; exit 1")
    assert "no pipelines on Fridays" in refusal(rig.lab.ask("POST", "pipelines", order))["detail"]
    assert git("-C", order["remote"], "for-each-ref") == ""


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"parameters": {"EPOCHS": "many"}}, "parameters.EPOCHS", "'many' is not a whole number"),
        ({"minimum_accuracy": 1.5}, "minimum_accuracy", "less than or equal to 1"),
        ({"held_out_labels": None}, "held_out_labels", "name both or neither"),
        ({"workers": 0}, "workers", "greater than or equal to 1"),
        ({"model": "nobody"}, None, "nobody"),
    ],
)
def test_what_does_not_hold_is_said_at_its_field_and_nothing_is_pushed(
    rig: Rig, order: dict[str, Any], change: dict[str, Any], field: str | None, sentence: str
) -> None:
    found = refusal(rig.lab.ask("POST", "pipelines", {**order, **change}))
    assert found["field"] == field
    assert sentence in found["detail"]
    assert git("-C", order["remote"], "for-each-ref") == ""


def test_a_pushed_project_is_run_here_on_demand(rig: Rig, order: dict[str, Any]) -> None:
    rig.fake.on("POST /requests", pipeline())
    body = {"name": "numbers", "remote": order["remote"], "commit": "a" * 40}
    answer = rig.lab.ask("POST", "runs", body)
    assert (answer.status_code, answer.json()) == (201, as_reply(pipeline()))
    payload = RequestSubmission.model_validate_json(rig.fake.calls[-1].body).payload
    assert isinstance(payload, PipelinePayload)
    assert (payload.name, payload.commit) == ("numbers", "a" * 40)


def test_a_run_that_is_over_is_run_again_as_it_was(rig: Rig) -> None:
    over = pipeline(RequestStatus.ENDED, outcome="failed")
    rig.fake.on("GET /requests/p1", over)
    rig.fake.on("POST /requests", pipeline(id="p2"))
    assert rig.lab.ask("POST", "requests/p1/again").json()["id"] == "p2"
    submission = RequestSubmission.model_validate_json(rig.fake.calls[-1].body)
    assert (submission.team, submission.payload) == (over.team, over.payload)


def test_what_runs_and_what_is_no_pipeline_is_not_run_again(rig: Rig) -> None:
    rig.fake.on("GET /requests/p1", pipeline())
    rig.fake.on("GET /requests/r1", training(RequestStatus.ENDED))
    assert refusal(rig.lab.ask("POST", "requests/p1/again"))["status"] == 409
    assert "is no pipeline" in refusal(rig.lab.ask("POST", "requests/r1/again"))["detail"]
    assert [call.method for call in rig.fake.calls] == ["GET", "GET"]
