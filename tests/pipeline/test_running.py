"""Real runs: the command line against the real service, its local backend, git and model server."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from deadlines import eventually
from jupyterhub_mesos.client import is_over
from jupyterhub_mesos.pipeline.rendering import STEPS
from jupyterhub_mesos.wire import (
    Job,
    PipelinePayload,
    RequestSubmission,
    RequestView,
    ResourcesModel,
    Restart,
    Role,
    TrainingPayload,
)
from model_fixtures import bare_repository, git, set_hook, tags
from pipeline.cloud import Cloud, Ran
from pipeline.notebooks import GOOD, MODEL, PARAMETERS, TEST, TRAIN, Cell, write_notebook

SMALL = ("--workers", "1", "--cpu-millis", "500", "--mem-mib", "256", "--restarts", "0")
HELD_OUT = ("--held-out", "test_images", "test_target")
TEST_SECONDS = 180
pytestmark = pytest.mark.timeout(TEST_SECONDS)


def project(cloud: Cloud, *cells: Cell, options: tuple[str, ...] = ()) -> Path:
    """Export a notebook to a repository without a hook, and clone it as CI does."""
    notebook = write_notebook(cloud.home, *(cells or GOOD))
    remote = cloud.home / "project.git"
    if not remote.exists():
        bare_repository(remote)
    arguments = ("--remote", str(remote), *SMALL, *HELD_OUT, *options)
    exported = cloud.run("pipeline", "export", str(notebook), *arguments)
    assert exported.code == 0, exported.text
    folder = cloud.home / f"clone-{len(list(cloud.home.glob('clone-*')))}"
    git("clone", "--quiet", str(remote), str(folder))
    return folder


def run(cloud: Cloud, folder: Path, *options: str, **more: Any) -> Ran:
    return cloud.run("pipeline", "run", str(folder), "--work", str(folder / ".pipeline"), *options, **more)


def live(cloud: Cloud, kind: str) -> list[RequestView]:
    return [view for view in cloud.requests(kind) if not is_over(view)]


# ---- to the end ----------------------------------------------------------------------------------------


def test_a_push_runs_to_a_served_model_and_the_next_push_replaces_it(cloud: Cloud) -> None:
    notebook = write_notebook(cloud.home, *GOOD)
    options = (*SMALL, *HELD_OUT, "--minimum", "accuracy=0.9", "--description", "Three blobs.")
    exported = cloud.run("pipeline", "export", str(notebook), *options)
    assert exported.code == 0, exported.text
    repository = cloud.home / "lake" / "team" / "pipelines" / "digits.git"
    assert f"made {repository}" in exported.text

    pipeline = cloud.requests("pipeline")[0]
    followed = cloud.run("pipeline", "status", pipeline.id, "--follow")
    assert followed.code == 0, followed.text
    for number, step in enumerate(STEPS, 1):
        assert f"{number}/6 {step} done" in followed.text
    assert isinstance(pipeline.payload, PipelinePayload)
    assert pipeline.payload.repository == "~/lake/team/pipelines/digits.git"
    job = cloud.requests("training")[0]
    assert (job.parent, job.outcome) == (pipeline.id, "finished")
    first = live(cloud, "serving")[0]
    assert first.parent == pipeline.id

    models = cloud.home / "lake" / "team" / "models.git"
    manifest = json.loads(git("--git-dir", str(models), "show", "digits/v1:models/digits/bundle.json"))
    lineage = manifest["lineage"]
    assert lineage["job"] == {"request_id": job.id, "generation": 1}
    assert lineage["pipeline"] == {
        "repository": "~/lake/team/pipelines/digits.git",
        "commit": pipeline.payload.commit,
    }
    assert lineage["notebook"]["path"].endswith("digits.ipynb")
    assert manifest["description"] == "Three blobs."
    assert manifest["metrics"]["held_out_accuracy"] > 0.9
    assert manifest["metrics"]["loss"] == 0.5

    again = cloud.run("pipeline", "submit", "~/lake/team/pipelines/digits.git", "--follow")
    assert again.code == 0, again.text
    assert again.text.count("skipped: as before") == 6, again.text
    assert len(cloud.requests("training")) == 1

    write_notebook(cloud.home, *GOOD, ("assert saved.step == 2", "test"))
    assert cloud.run("pipeline", "export", str(notebook), *options).code == 0
    second = cloud.over(cloud.requests("pipeline")[0].id)
    assert second.outcome == "finished", second.message
    assert tags(models) == ["digits/v1", "digits/v2"]
    assert cloud.over(first.id).outcome == "stopped"
    served = live(cloud, "serving")
    assert [view.payload.ref for view in served if view.payload.kind == "serving"] == ["digits/v2"]


# ---- what fails, and going on from there ---------------------------------------------------------------


def test_a_failing_check_names_its_cell_and_line_and_the_training_is_not_repeated(cloud: Cloud) -> None:
    folder = project(cloud, PARAMETERS, TRAIN, MODEL, ("x = 1\nassert x == 2, 'two is due'", "test"))
    failed = run(cloud, folder)

    assert failed.code == 1, failed.text
    assert failed.ends == {"train": "done", "test": "failed"}
    assert (
        failed.result("test")
        == "cell 5, line 2: AssertionError: two is due (in `assert x == 2, 'two is due'`)"
    )

    again = run(cloud, folder)
    assert again.code == 1
    assert again.ends == {"train": "skipped", "test": "failed"}
    assert len(cloud.requests("training")) == 1


def test_a_model_below_the_minimum_is_not_stored_and_a_refusing_remote_is_gone_on_from(cloud: Cloud) -> None:
    folder = project(cloud, options=("--minimum", "accuracy=0.999999", "--no-serve"))
    failed = run(cloud, folder)
    assert failed.code == 1, failed.text
    assert "at least 0.999999 is asked for in pipeline.yaml" in failed.result("test")

    # Less is asked for, and the remote refuses.
    text = (folder / "pipeline.yaml").read_text()
    (folder / "pipeline.yaml").write_text(text.replace("accuracy: 0.999999", "accuracy: 0.9"))
    models = cloud.home / "lake" / "team" / "models.git"
    set_hook(models, "echo 'models are frozen until Monday' >&2; exit 1\n")
    work = ("--work", str(cloud.home / "work"))
    refused = cloud.run("pipeline", "run", str(folder), *work)
    assert refused.code == 1, refused.text
    assert "models are frozen until Monday" in refused.result("store")
    assert refused.ends["train"] == "done"
    assert "found job digits-" in refused.text  # the job of the run above, by its name
    assert len(cloud.requests("training")) == 1
    assert tags(models) == []

    (models / "hooks" / "pre-receive").unlink()
    done = cloud.run("pipeline", "run", str(folder), *work)
    assert done.code == 0, done.text
    assert done.ends == {
        **dict.fromkeys(("train", "test", "optimise"), "skipped"),
        **dict.fromkeys(("store", "verify"), "done"),
        "serve": "skipped",
    }
    assert "goes on with the bundle of an earlier run" in done.text
    assert done.result("serve") == "left out: serve.enabled is false"
    assert tags(models) == ["digits/v1"]

    # What is cloned is checked, whoever tampered with it.
    clone = cloud.home / "tampering"
    git("clone", "--quiet", str(models), str(clone))
    card = clone / "models" / "digits" / "MODEL_CARD.md"
    card.write_text(card.read_text() + "better than it is\n")
    who = ("-c", "user.name=eve", "-c", "user.email=eve@b.c")
    git("-C", str(clone), *who, "commit", "--quiet", "--all", "--message", "x")
    git("-C", str(clone), *who, "tag", "--force", "--annotate", "--message", "x", "digits/v1")
    git("-C", str(clone), "push", "--quiet", "--force", "origin", "digits/v1")
    tampered = cloud.run("pipeline", "run", str(folder), *work, "--step", "verify", "--again")
    assert tampered.code == 1, tampered.text
    assert "MODEL_CARD.md was changed" in tampered.result("verify")


def test_a_cancelled_run_ends_its_job_and_the_next_one_goes_on(cloud: Cloud) -> None:
    endless = TRAIN[0].replace(
        "    if os.environ",
        "    if not os.path.exists(os.path.expanduser('~/go-on')):\n"
        "        import signal\n"
        "        signal.pause()\n"
        "    if os.environ",
    )
    folder = project(cloud, PARAMETERS, (endless, "train"), MODEL, TEST, options=("--no-serve",))
    work = cloud.home / "work"
    process = cloud.popen("pipeline", "run", str(folder), "--work", str(work), "--step", "train")

    def has_printed() -> bool:
        return any(list(cloud.client.progress(view.id)) for view in live(cloud, "training"))

    eventually(has_printed, "the job runs", 60)
    second = cloud.run("pipeline", "run", str(folder), "--work", str(work))
    assert second.code == 2
    assert "another run is under way" in second.text
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=30)
    cancelled = Ran(process.returncode, text)

    assert cancelled.code == 128 + signal.SIGTERM, text
    assert cancelled.ends == {"train": "cancelled"}
    job = cloud.requests("training")[0]
    assert cloud.over(job.id).outcome == "stopped"

    (cloud.home / "go-on").touch()
    done = cloud.run("pipeline", "run", str(folder), "--work", str(work))
    assert done.code == 0, done.text
    assert done.ends["train"] == "done"
    assert len(cloud.requests("training")) == 2


def test_a_killed_run_goes_on_following_its_job(cloud: Cloud) -> None:
    waiting = TRAIN[0].replace(
        "    if os.environ",
        "    import time\n"
        "    while not os.path.exists(os.path.expanduser('~/go-on')):\n"
        "        time.sleep(0.05)\n"
        "    if os.environ",
    )
    folder = project(cloud, PARAMETERS, (waiting, "train"), MODEL, TEST)
    work = cloud.home / "work"
    process = cloud.popen("pipeline", "run", str(folder), "--work", str(work), "--step", "train")
    eventually((work / "state.json").exists, "the job is noted", 30)
    process.kill()
    process.communicate(timeout=30)

    (cloud.home / "go-on").touch()
    done = cloud.run("pipeline", "run", str(folder), "--work", str(work), "--step", "train")
    assert done.code == 0, done.text
    assert "goes on with job" in done.text
    assert len(cloud.requests("training")) == 1


def test_a_failed_job_says_its_own_last_words(cloud: Cloud) -> None:
    folder = project(cloud, PARAMETERS, (TRAIN[0] + "\n    raise ValueError('no good data')", "train"), MODEL)
    failed = run(cloud, folder, "--step", "train")

    assert failed.code == 1
    assert "ValueError: no good data" in failed.result("train")
    assert "The job's page: /services/capacity/requests/" in failed.result("train")


def test_a_step_that_goes_on_from_nothing_is_refused(cloud: Cloud) -> None:
    folder = project(cloud)
    alone = run(cloud, folder, "--step", "test")

    assert alone.code == 2
    assert "the step train has not been done with these files, and test goes on from it" in alone.text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "nowhere"), "there is no pipeline.yaml in nowhere"),
        (("submit", "~/nowhere.git"), "there is no git repository"),
        (("run", ".", "--from", "test", "--step", "train"), "--from and --step were both given"),
        (("export", "x.ipynb", "--minimum", "accuracy"), "--minimum: 'accuracy' is no NAME=VALUE"),
        (("export", "x.ipynb", "--minimum", "accuracy=high"), "--minimum: 'high' is no number"),
    ],
)
def test_what_cannot_be_is_one_line_that_says_why(
    cloud: Cloud, arguments: tuple[str, ...], sentence: str
) -> None:
    refused = cloud.run("pipeline", *arguments, cwd=cloud.home)
    assert refused.code == 2
    assert sentence in refused.text


# ---- as a workload -------------------------------------------------------------------------------------


def test_a_failing_pipeline_is_a_failed_request_with_the_steps_sentence(cloud: Cloud) -> None:
    folder = project(cloud, PARAMETERS, TRAIN, MODEL, ("assert False", "test"))
    submitted = cloud.run("pipeline", "submit", str(cloud.home / "project.git"), "--follow")

    assert submitted.code == 1, submitted.text
    assert "Step test failed: cell 5, line 1: AssertionError" in submitted.text
    shown = cloud.run("pipeline", "status", cloud.requests("pipeline")[0].id)
    assert "2/6 test failed: cell 5, line 1" in shown.text
    assert (folder / "pipeline.yaml").exists()


@pytest.mark.parametrize("ends_it", [False, True])
def test_ctrl_c_leaves_a_submitted_run_running_unless_it_was_asked_to_end_it(
    cloud: Cloud, ends_it: bool
) -> None:
    endless = (TRAIN[0] + "\n    import signal\n    signal.pause()", "train")
    project(cloud, PARAMETERS, endless, MODEL)
    more = ("--cancel-on-interrupt",) if ends_it else ()
    process = cloud.popen("pipeline", "submit", str(cloud.home / "project.git"), "--follow", *more)
    eventually(lambda: live(cloud, "training"), "its job is there", 60)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT, text

    pipeline = cloud.requests("pipeline")[0]
    if not ends_it:
        assert f"jupyterhub-mesos pipeline cancel {pipeline.id}" in text
        assert not is_over(cloud.client.request(pipeline.id))
        assert cloud.run("pipeline", "cancel", pipeline.id).code == 0
    assert cloud.over(pipeline.id).outcome == "stopped"
    job = cloud.requests("training")[0]
    assert isinstance(job.payload, TrainingPayload)
    assert cloud.over(job.id).outcome == "stopped"


def test_a_server_without_room_stays_queued_and_the_step_says_so(cloud: Cloud) -> None:
    folder = project(cloud)
    text = (folder / "pipeline.yaml").read_text()
    text = text.replace("wait_seconds: 600", "wait_seconds: 2").replace(
        "    cpu_millis: 500\n    mem_mib: 512", "    cpu_millis: 3900\n    mem_mib: 512"
    )
    (folder / "pipeline.yaml").write_text(text)
    done = run(cloud, folder, "--step", "train", "--step", "test", "--step", "optimise", "--step", "store")
    assert done.code == 0, done.text
    role = Role(argv=("sleep", "600"), resources=ResourcesModel(cpu_millis=1000, mem_mib=64))
    job = Job(name="hog", roles=(role,), restart=Restart(max_restarts=0))
    taken = cloud.client.submit(RequestSubmission(payload=TrainingPayload(job=job)))

    served = run(cloud, folder, "--from", "verify")

    assert served.code == 0, served.text
    assert "digits/v1 waits in the queue, position 1 of 1" in served.result("serve")
    assert [view.status for view in live(cloud, "serving")] == ["queued"]
    cloud.client.end(taken.id)
