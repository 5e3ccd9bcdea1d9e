"""The notebook server's routes, over a real Jupyter Server and a real socket to the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from fake_capacity import TOKEN as CAPACITY_TOKEN
from jupyterhub_mesos.lab.routes import ROUTES
from jupyterhub_mesos.wire import (
    CapacityView,
    LogView,
    ProgressView,
    RequestSubmission,
    ResourcesModel,
    TeamModel,
    TeamsView,
    TeamUseView,
    TrainingPayload,
)
from lab_server import Rig
from notebooks import as_reply, cell, notebook, said, training, write

ORDER = {
    "path": "digits.ipynb",
    "name": "digits-1",
    "team": None,
    "workers": 3,
    "cpu_millis": 500,
    "mem_mib": 256,
    "accelerators": {},
    "framework": "generic",
    "checkpoint": "~/lake/team/checkpoints/digits-1",
    "restarts": 1,
    "parameters": {"EPOCHS": "5", "SHUFFLE": "False"},
}


def problem(answer: requests.Response) -> tuple[int, str, int | None]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    content = answer.json()
    assert content["status"] == answer.status_code
    return answer.status_code, content["detail"], content["cell"]


def test_a_notebook_s_cells_fill_the_dialog(rig: Rig) -> None:
    form = rig.lab.ask("GET", "notebook", path="digits.ipynb").json()
    fields = {field["name"]: (field["kind"], field["value"]) for field in form["parameters"]}
    assert fields == {
        "EPOCHS": ("whole", "30"),
        "RATE": ("number", "0.1"),
        "SHUFFLE": ("truth", "True"),
        "DATA": ("text", "~/lake/shared/digits"),
    }
    assert form["train_cells"] == [2]
    assert form["files"] == ["mymodel.py"]
    assert form["dropped"] == ["cell 2, line 1: %time"]
    assert form["job_name"].startswith("digits-2")
    assert form["checkpoint"].endswith(form["job_name"])


@pytest.mark.parametrize(
    ("code", "framework"),
    [
        ("import torch.nn as nn", "torch"),
        ("from keras import layers", "tensorflow"),
        ("import os", "generic"),
    ],
)
def test_the_framework_is_the_one_that_the_cells_import(
    rig: Rig, home: Path, code: str, framework: str
) -> None:
    for name in ("torch", "keras"):
        (home / f"{name}.py").touch()  # beside the notebook, so that it counts as found
    write(home / "other.ipynb", notebook([cell(code, "train")]))
    assert rig.lab.ask("GET", "notebook", path="other.ipynb").json()["framework"] == framework
    for name in ("torch", "keras"):
        (home / f"{name}.py").unlink()


def test_a_cell_that_does_not_parse_is_named_at_once(rig: Rig, home: Path) -> None:
    write(home / "broken.ipynb", notebook([cell("x = 1"), cell("for x in", "train")]))
    status, sentence, number = problem(rig.lab.ask("GET", "notebook", path="broken.ipynb"))
    assert (status, number) == (422, 2)
    assert "cell 2, line 1" in sentence


def test_the_kernel_s_modules_count_and_not_the_server_s(rig: Rig, home: Path) -> None:
    write(home / "own.ipynb", notebook([cell("import os, only_in_the_kernel\nimport mymodel", "train")]))
    status, sentence, number = problem(rig.lab.ask("GET", "notebook", path="own.ipynb"))
    assert (status, number) == (422, 1)
    assert "cell 1, line 1 imports 'only_in_the_kernel'" in sentence
    code = rig.lab.ask("GET", "environment/code", path="own.ipynb").json()["code"]
    assert "'modules': ['os', 'only_in_the_kernel']" in code
    assert rig.lab.ask("GET", "notebook", path="own.ipynb", missing="").status_code == 200

    found = {"python": "3.12.1", "interpreter": "~/v/bin/python", "packages": ["only-in-the-kernel==1.0"]}
    order = {**ORDER, "path": "own.ipynb", "parameters": {}, "environment": found, "missing": ["os"]}
    status, sentence, _ = problem(rig.lab.ask("POST", "trainings", order))
    assert "cell 1, line 1 imports 'os'" in sentence
    rig.fake.on("POST /requests", training())
    assert rig.lab.ask("POST", "trainings", {**order, "missing": []}).status_code == 201
    payload = RequestSubmission.model_validate_json(rig.fake.calls[-1].body).payload
    assert isinstance(payload, TrainingPayload)
    assert json.loads(payload.job.environment.model_dump_json()) == found


def test_files_that_the_dialog_names_travel(rig: Rig, home: Path) -> None:
    (home / "config.yaml").write_text("a: 1")
    rig.fake.on("POST /requests", training())
    assert rig.lab.ask("POST", "trainings", {**ORDER, "files": ["config.yaml"]}).status_code == 201
    payload = RequestSubmission.model_validate_json(rig.fake.calls[-1].body).payload
    assert isinstance(payload, TrainingPayload)
    assert [file.path for file in payload.job.source.files] == ["train.py", "config.yaml", "mymodel.py"]


@pytest.mark.parametrize("path", ["nowhere.ipynb", "../../etc/passwd", "/etc/passwd"])
def test_a_path_that_is_no_notebook_here_is_refused(rig: Rig, path: str) -> None:
    status, sentence, _ = problem(rig.lab.ask("GET", "notebook", path=path))
    assert status == 422
    assert "root:" not in sentence


def test_a_filled_dialog_becomes_a_job_in_the_name_of_the_server_s_token(rig: Rig) -> None:
    rig.fake.on("POST /requests", training())
    answer = rig.lab.ask("POST", "trainings", ORDER)
    assert (answer.status_code, answer.json()) == (201, as_reply(training()))
    call = rig.fake.calls[-1]
    assert call.token == f"token {CAPACITY_TOKEN}"
    payload = RequestSubmission.model_validate_json(call.body).payload
    assert isinstance(payload, TrainingPayload)
    job = payload.job
    assert (job.name, job.roles[0].replicas, job.restart.max_restarts) == ("digits-1", 3, 1)
    assert job.roles[0].resources == ResourcesModel(cpu_millis=500, mem_mib=256)
    program = next(file.text for file in job.source.files if file.path == "train.py")
    assert "EPOCHS = 5\nSHUFFLE = False\n" in program
    assert "RATE = " not in program.split("parameters of this job")[1].split("----")[1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"parameters": {"EPOCHS": "many"}},
            "EPOCHS is 30 in the notebook, and 'many' is not a whole number",
        ),
        ({"parameters": {"NOPE": "1"}}, "'NOPE' is not a parameter of digits.ipynb"),
        ({"parameters": {"RATE": "inf"}}, "RATE is 0.1 in the notebook"),
        ({"checkpoint": ""}, "1 restarts asked for without a checkpoint place"),
        ({"workers": 0}, "workers: Input should be greater than or equal to 1"),
        ({"name": "no spaces"}, "name: String should match"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
    ],
)
def test_what_does_not_hold_is_said_and_nothing_is_sent(
    rig: Rig, change: dict[str, Any], sentence: str
) -> None:
    status, detail, _ = problem(rig.lab.ask("POST", "trainings", {**ORDER, **change}))
    assert status in {400, 422}
    assert sentence in detail
    assert rig.fake.calls == []


def test_a_job_without_restarts_needs_no_checkpoint_place(rig: Rig) -> None:
    rig.fake.on("POST /requests", training())
    assert rig.lab.ask("POST", "trainings", {**ORDER, "checkpoint": "", "restarts": 0}).status_code == 201
    assert json.loads(rig.fake.calls[-1].body)["payload"]["job"]["checkpoint_uri"] is None


def test_the_service_s_refusal_reaches_the_dialog(rig: Rig) -> None:
    refusal = "8 workers ask for 8 cores; team vision may hold 6: ask for 6 workers"
    rig.fake.on(
        "POST /requests", (422, {"title": "t", "status": 422, "detail": refusal, "code": "over-limit"})
    )
    assert problem(rig.lab.ask("POST", "trainings", ORDER))[:2] == (422, refusal)


def test_a_request_is_followed_and_ended(rig: Rig) -> None:
    events = ProgressView(events=(said(3, loss=0.5),), next_after=7)
    log = LogView(task="t", text="hello\n", offset=2, next_offset=8, is_complete=True)
    rig.fake.on("GET /requests/r1", training())
    rig.fake.on("GET /requests/r1/progress?after=6", events)
    rig.fake.on("GET /requests/r1/logs?task=t&offset=2", log)
    rig.fake.on("DELETE /requests/r1", training())
    assert rig.lab.ask("GET", "requests/r1").json() == as_reply(training())
    assert rig.lab.ask("GET", "requests/r1/progress", after="6").json() == as_reply(events)
    assert rig.lab.ask("GET", "requests/r1/logs", task="t", offset="2").json() == as_reply(log)
    assert rig.lab.ask("DELETE", "requests/r1").status_code == 204
    assert problem(rig.lab.ask("GET", "requests/r1/progress", after="-1"))[0] == 400
    assert problem(rig.lab.ask("GET", "requests/nobody-s"))[0] == 404


def test_the_choices_are_the_person_s_teams_and_the_backend_s_accelerators(rig: Rig) -> None:
    def use(name: str, *, is_member: bool) -> TeamUseView:
        return TeamUseView(
            id=name,
            team=TeamModel(),
            used=ResourcesModel(),
            borrowed=ResourcesModel(),
            waiting=0,
            is_member=is_member,
            is_admin=False,
        )

    teams = TeamsView(revision=1, teams=(use("lab", is_member=False), use("vision", is_member=True)))
    total = ResourcesModel(cpu_millis=8000, accelerators={"h200": 2})
    rig.fake.on("GET /teams", teams)
    rig.fake.on("GET /capacity", CapacityView(backend="local", total=total, free=total, waiting=0, nodes=()))
    assert rig.lab.ask("GET", "choices").json() == {"teams": ["vision"], "flavors": ["h200"]}


def test_a_pushed_version_is_served(rig: Rig) -> None:
    rig.fake.on("POST /requests", training())
    order = {"name": "digits", "remote": "~/lake/team/models.git", "ref": "digits/v3", "team": None}
    assert rig.lab.ask("POST", "servings", order).status_code == 201
    sent = json.loads(rig.fake.calls[-1].body)["payload"]
    assert sent == {
        "kind": "serving",
        "name": "digits",
        "bundle": "~/lake/team/models.git",
        "ref": "digits/v3",
    }


@pytest.mark.parametrize("path", ROUTES)
def test_no_route_answers_a_stranger(rig: Rig, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        address = f"{rig.lab.url}capacity/{path.replace('([^/]+)', 'r1')}"
        answer = requests.request(method, address, json={}, timeout=20)
        assert answer.status_code in {403, 405}
    assert rig.fake.calls == []
