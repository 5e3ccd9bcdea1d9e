"""The main job of the demo, step by step, with no human: what `make demo` shows and checks.

Every step acts through the doors of a human (log-in form, launch page, hub API,
notebook websocket, service API) and raises `StepFailed` when what it sees is not so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import numpy as np
import requests

from jupyterhub_mesos.cli.demo_killing import KILLED_WORKER, killing_a_worker
from jupyterhub_mesos.cli.demo_pipeline import follow_to_server, push_from_kernel
from jupyterhub_mesos.cli.demo_probes import (
    MODEL_NAME,
    StepFailed,
    allocation_of,
    expect,
    git,
    held_out,
    infer,
    is_over,
    is_ready,
    is_running,
    newest,
    newest_tag,
    task_processes,
    until,
    wait_until,
)
from jupyterhub_mesos.cli.person import Output, Person
from jupyterhub_mesos.client import Client
from jupyterhub_mesos.wire import RequestSubmission, RequestView, ResourcesModel, ServingPayload
from jupyterhub_mesos_quota.model import RequestStatus, WorkloadKind

SERVING_RESOURCES: Final = ResourcesModel(cpu_millis=500, mem_mib=512)
LOWEST_ACCURACY: Final = 0.93
"""A linear model on digits reaches 95 %; less means that the averaging or the resume is broken."""


@dataclass
class Stage:
    """Where the job plays: the hub's public address, the state folder, who can log in."""

    hub_url: str
    state: Path
    passwords: dict[str, str]
    notebook: Path
    say: Callable[[str], None]
    people: dict[str, Person] = field(default_factory=dict[str, Person])

    def person(self, name: str) -> Person:
        """Return the person of that name, logged in."""
        if name not in self.people:
            person = Person(self.hub_url, name, self.passwords[name])
            person.log_in()
            self.people[name] = person
        return self.people[name]

    def client(self, name: str) -> Client:
        """Return the service's API as that person scripts it."""
        person = self.person(name)
        return Client(person.service_url, person.token)


class MainJob:
    """The steps in their order; `run` prints each with its time."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.notebooks: dict[str, str] = {}
        self.training_accuracy = 0.0
        self.version = ""
        self.serving = ""

    def run(self) -> None:
        """Run every step; the first that fails raises."""
        steps: list[tuple[str, Callable[[], str]]] = [
            ("log in and look at the launch page", self.log_in),
            ("ann (vision) starts a notebook", self.start_notebook),
            ("ben (speech) borrows what is idle", self.borrow),
            ("dan (vision) has to wait, and sees why", self.wait_in_the_queue),
            ("room comes, and dan's notebook starts by itself", self.start_by_itself),
            (
                "ann's notebook trains 2 workers; one is killed and the job resumes; then it exports",
                self.train,
            ),
            ("the bundle in git is verified", self.verify),
            ("the model is served as a workload of the team", self.serve),
            (
                "the notebook as a pipeline: pushed, and run by the embedded CI to its served model",
                self.pipeline,
            ),
            ("everything is stopped; ledger and process table agree", self.stop_everything),
        ]
        for number, (title, step) in enumerate(steps, 1):
            began = time.monotonic()
            self.stage.say(f"{number}/{len(steps)} {title}")
            result = step()
            for line in result.splitlines():
                self.stage.say(f"      {line}")
            self.stage.say(f"      done in {time.monotonic() - began:.1f} s")

    def log_in(self) -> str:
        """Log three people in through the hub's form; each lands on the launch page."""
        for name in ("ann", "ben", "dan"):
            page = self.stage.person(name).page()
            expect("Start" in page, f"{name}'s launch page shows no Start button")
        self._end_leftovers()
        capacity = self.stage.client("ann").capacity()
        lines = [f"free: {capacity.free.value()} of {capacity.total.value()} ({capacity.backend})"]
        lines += [f"{'enforced' if fact.holds else 'NOT enforced'}: {fact.detail}" for fact in capacity.facts]
        return "\n".join(lines)

    def _end_leftovers(self) -> None:
        """End what an earlier run, killed midway, left running."""
        for name in ("ann", "ben", "dan"):
            client = self.stage.client(name)
            for view in client.requests(user=name):
                if not is_over(view):
                    client.end(view.id)
                    wait_until(client, view.id, "the end of an earlier run's leftover", is_over)

    def start_notebook(self) -> str:
        """Start ann's notebook; its home persists and the lake is in it."""
        view = self._start("ann", "medium")
        self.notebooks["ann"] = view.id
        home = self._home("ann")
        for folder in ("lake/team", "lake/shared"):
            expect((home / folder).exists() or (home / folder).is_symlink(), f"{home}/{folder} is not there")
        until(lambda: is_ready(self.stage.person("ann")), "the hub takes ann's server as ready")
        return f"request {view.id} runs at {view.url} with {view.resources.value()}"

    def _home(self, name: str) -> Path:
        return self.stage.state / "home" / name

    def _start(self, name: str, profile: str) -> RequestView:
        view = self.stage.person(name).press_start(profile)
        return wait_until(self.stage.client(name), view["id"], f"the start of {name}'s notebook", is_running)

    def borrow(self) -> str:
        """Give ben two CPUs where his team's guarantee is one."""
        view = self._start("ben", "large")
        self.notebooks["ben"] = view.id
        allocation = allocation_of(view)
        borrowed = allocation.borrowed.value()
        expect(borrowed.cpu_millis > 0, f"ben's grant borrowed nothing: {allocation}")
        return f"request {view.id} runs; {borrowed} of it are borrowed from an idle guarantee"

    def wait_in_the_queue(self) -> str:
        """Ask for more than is free: the request stands in the queue, on page and API, and on no hub."""
        dan = self.stage.person("dan")
        view = dan.press_start("large")
        self.notebooks["dan"] = view["id"]
        request = self.stage.client("dan").request(view["id"])
        expect(request.status == RequestStatus.QUEUED, f"dan's request does not wait: {request}")
        explanation = request.explanation
        if explanation is None:
            raise StepFailed(f"request {request.id} waits without an explanation")
        expect(explanation.position == 1, f"dan is first in the queue, not at {explanation.position}")
        page = dan.page(f"requests/{request.id}")
        expect("position" in page.lower(), "the page of the waiting request does not say its position")
        servers = dan.hub_user()["servers"]
        expect(not servers, f"a queued start must not be a pending spawn of the hub, but: {servers}")
        return f"position {explanation.position} of {explanation.waiting}: {explanation.sentence}"

    def start_by_itself(self) -> str:
        """Stop ben's notebook; dan's starts without a click."""
        self._end("ben", self.notebooks["ben"])
        began = time.monotonic()
        client = self.stage.client("dan")
        wait_until(client, self.notebooks["dan"], "dan's start", is_running)
        took = time.monotonic() - began
        self._end("dan", self.notebooks["dan"])
        return f"started {took:.1f} s after ben's server was gone; dan has stopped it again"

    def _end(self, name: str, request_id: str) -> None:
        client = self.stage.client(name)
        client.end(request_id)
        wait_until(client, request_id, f"the end of {request_id}", is_over)

    def train(self) -> str:
        """Run the example notebook in ann's kernel; kill a worker of the job it hands off."""
        content = json.loads(self.stage.notebook.read_text(encoding="utf-8"))
        ann = self.stage.person("ann")
        ann.save_notebook(self.stage.notebook.name, content)
        printed: list[str] = []

        def on_output(output: Output) -> None:
            printed.append(output.text)
            for line in output.text.splitlines():
                self.stage.say(f"      | {line}")

        with killing_a_worker(self.stage.client("ann"), "ann") as killed:
            ann.run_notebook(self.stage.notebook.name, content, on_output)
        return self._check_training(killed)

    def _check_training(self, killed: list[int]) -> str:
        expect(len(killed) == 1, "no worker could be killed: the job was over before its checkpoint")
        client = self.stage.client("ann")
        job = newest(client, WorkloadKind.TRAINING)
        expect(job.status == RequestStatus.ENDED and job.outcome == "finished", f"the job failed: {job}")
        events = list(client.progress(job.id))
        generations = {event.generation for event in events}
        expect(len(generations) >= 2, f"the job ran in one generation only: {generations}")
        resumed = [event.data["resumed_from"] for event in events if event.data.get("resumed_from")]
        expect(bool(resumed), "the second generation did not resume from the checkpoint")
        accuracies = [
            float(event.data["metrics"]["accuracy"])
            for event in events
            if "accuracy" in event.data.get("metrics", {})
        ]
        expect(bool(accuracies), "the job printed no accuracy")
        self.training_accuracy = accuracies[-1]
        return (
            f"worker {KILLED_WORKER} (process {killed[0]}) was killed; generation {max(generations)} resumed "
            f"after epoch {resumed[-1]}; accuracy {self.training_accuracy:.4f}"
        )

    def verify(self) -> str:
        """Clone the pushed tag and let the command line verify it, as CI would."""
        repository = self.stage.state / "lake" / "vision" / "models.git"
        self.version = newest_tag(repository)
        with tempfile.TemporaryDirectory() as scratch:
            clone = Path(scratch) / "clone"
            git(repository, "clone", "--quiet", "--branch", self.version, f"file://{repository}", str(clone))
            done = subprocess.run(
                [sys.executable, "-m", "jupyterhub_mesos.cli", "verify", str(clone / "models" / MODEL_NAME)],
                capture_output=True,
                text=True,
                check=False,
            )
            expect(done.returncode == 0, f"verify refused {self.version}:\n{done.stdout}{done.stderr}")
        return f"{self.version} in {repository.name}: {done.stdout.strip().splitlines()[-1]}"

    def serve(self) -> str:
        """Serve the bundle under the team's quota, send it the held-out images, compare."""
        client = self.stage.client("ann")
        payload = ServingPayload(name=MODEL_NAME, bundle="~/lake/team/models.git", ref=self.version)
        view = client.submit(RequestSubmission(payload=payload, resources=SERVING_RESOURCES))
        self.serving = view.id
        view = wait_until(client, view.id, "the model server's start", is_running)
        if view.url is None:
            raise StepFailed(f"the model server {view.id} runs without a url")
        accuracy, count = self._served_accuracy(urljoin(self.stage.hub_url, view.url))
        expect(
            abs(accuracy - self.training_accuracy) < 1e-9 and accuracy >= LOWEST_ACCURACY,
            f"served accuracy {accuracy} is not the training's {self.training_accuracy}",
        )
        return (
            f"{count} held-out images over HTTP: accuracy {accuracy:.4f} served, "
            f"{self.training_accuracy:.4f} in training"
        )

    def pipeline(self) -> str:
        """Export ann's notebook as a pipeline from its kernel; the push runs it to a newer served model."""
        ann, client = self.stage.person("ann"), self.stage.client("ann")
        for line in push_from_kernel(ann, self.stage.notebook.name):
            self.stage.say(f"      | {line}")
        run = newest(client, WorkloadKind.PIPELINE)
        served = follow_to_server(
            client, run.id, self.serving, lambda line: self.stage.say(f"      | {line}")
        )
        url = client.request(served).url
        if url is None:
            raise StepFailed(f"the model server {served} runs without a url")
        accuracy, count = self._served_accuracy(urljoin(self.stage.hub_url, url))
        expect(accuracy >= LOWEST_ACCURACY, f"the pipeline's model reaches {accuracy} only")
        return f"{count} held-out images: accuracy {accuracy:.4f}; the older server was ended"

    def _served_accuracy(self, url: str) -> tuple[float, int]:
        images, target = held_out(self.stage.state / "lake" / "shared" / "digits" / "digits.npz")
        session = requests.Session()
        session.headers["Authorization"] = f"token {self.stage.person('ann').token}"
        predicted = infer(session, url, images)
        return float(np.mean(np.equal(predicted, target))), len(target)

    def stop_everything(self) -> str:
        """Stop through the API; nothing is held, nothing waits, nothing runs."""
        for name in ("ann", "ben", "dan"):
            client = self.stage.client(name)
            for view in client.requests(user=name):
                if not is_over(view):
                    self._end(name, view.id)
        capacity = self.stage.client("ann").capacity()
        expect(capacity.free == capacity.total, f"the ledger still holds something: {capacity}")
        expect(capacity.waiting == 0, f"{capacity.waiting} requests still wait")
        expect((self._home("ann") / self.stage.notebook.name).exists(), "ann's home lost her notebook")
        left = task_processes(self.stage.state)
        expect(not left, f"processes of tasks are left: {left}")
        return f"free: {capacity.free.value()} of {capacity.total.value()}; no process of a task is left"
