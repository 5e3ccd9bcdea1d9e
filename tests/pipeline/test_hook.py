"""The hook as git runs it: real pushes to a real repository, against the real service."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from jupyterhub_mesos.errors import Conflict, InvalidInput
from jupyterhub_mesos.pipeline import create_repository
from jupyterhub_mesos.pipeline import hook as hook_module
from jupyterhub_mesos.wire import PipelinePayload
from model_fixtures import bare_repository, git
from pipeline.cloud import TOKEN, Cloud

PIPELINE = "name: digits\nmodel: {held_out_rows: x, held_out_labels: y}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return create_repository(tmp_path / "digits.git")


@pytest.fixture
def work(repository: Path, tmp_path: Path) -> Path:
    """A clone with one commit that holds a pipeline."""
    folder = tmp_path / "work"
    git("clone", "--quiet", str(repository), str(folder))
    (folder / "pipeline.yaml").write_text(PIPELINE)
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    git("-C", str(folder), "add", "--all")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    git("-C", str(folder), *who, "commit", "--quiet", "--allow-empty", "--message", "x")
    return git("-C", str(folder), "rev-parse", "HEAD").strip()


def push(folder: Path, *specs: str, **env: str) -> str:
    """Push as a person does; return what the hook said. It must never fail the push."""
    done = subprocess.run(
        ("git", "-C", str(folder), "push", "origin", *specs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("remote:")]
    return "\n".join(line.removeprefix("remote:").strip() for line in lines)


@pytest.fixture
def nobody() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/services/capacity"


def test_a_push_to_main_becomes_the_pushers_request(cloud: Cloud, work: Path, repository: Path) -> None:
    said = push(work, "main", CAPACITY_API_URL=cloud.url, CAPACITY_TOKEN=TOKEN, CAPACITY_TEAM="vision")

    (view,) = cloud.requests("pipeline")
    assert f"capacity-pipeline: {view.id}" in said
    assert (view.user, view.team, view.name) == ("mia", "vision", "digits")
    assert view.payload == PipelinePayload(
        name="digits",
        repository=str(repository),
        commit=git("-C", str(work), "rev-parse", "HEAD").strip(),
        ref="refs/heads/main",
    )


def test_other_branches_tags_and_deletions_start_nothing(cloud: Cloud, work: Path) -> None:
    git("-C", str(work), "tag", "v1")
    env = {"CAPACITY_API_URL": cloud.url, "CAPACITY_TOKEN": TOKEN}
    said = push(work, "main:try", "v1", **env)
    assert "refs/heads/try starts no pipeline: only main does" in said
    assert "refs/tags/v1 starts no pipeline: only main does" in said
    assert "refs/heads/try starts no pipeline" in push(work, ":try", **env)
    assert cloud.requests("pipeline") == []


def test_a_commit_without_a_pipeline_starts_nothing_and_says_so(cloud: Cloud, work: Path) -> None:
    (work / "pipeline.yaml").unlink()
    commit(work)
    said = push(work, "main", CAPACITY_API_URL=cloud.url, CAPACITY_TOKEN=TOKEN)
    assert "has no pipeline.yaml, so there is nothing to run" in said
    assert cloud.requests("pipeline") == []


def test_a_pipeline_that_does_not_hold_is_told_with_its_line(cloud: Cloud, work: Path) -> None:
    (work / "pipeline.yaml").write_text(PIPELINE + "train:\n  workers: none\n")
    commit(work)
    said = push(work, "main", CAPACITY_API_URL=cloud.url, CAPACITY_TOKEN=TOKEN)
    assert "pipeline.yaml:4: train.workers: 'none' asked for" in said


def test_without_a_token_it_says_how_to_start_by_hand(work: Path, repository: Path) -> None:
    said = push(work, "main")
    head = git("-C", str(work), "rev-parse", "HEAD").strip()
    assert "The pipeline was not started, the push stands: JUPYTERHUB_API_TOKEN is not set" in said
    assert f"jupyterhub-mesos pipeline submit {repository} --ref {head} --follow" in said


def test_without_a_service_the_push_stands(work: Path, nobody: str) -> None:
    said = push(work, "main", CAPACITY_API_URL=nobody, CAPACITY_TOKEN=TOKEN)
    assert "the push stands: the capacity service at" in said
    assert "does not answer" in said


def test_a_service_that_never_answers_holds_a_push_for_a_bounded_time(
    work: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = git("-C", str(work), "rev-parse", "HEAD").strip()
    push(work, "main")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(hook_module, "HOOK_SECONDS", 1)
        monkeypatch.setenv("CAPACITY_API_URL", f"http://127.0.0.1:{server.getsockname()[1]}/")
        monkeypatch.setenv("CAPACITY_TOKEN", TOKEN)
        monkeypatch.setenv("GIT_DIR", str(repository))
        monkeypatch.setattr("sys.stdin", [f"{'0' * 40} {head} refs/heads/main\n"])
        assert hook_module.main() == 0
    assert "did not answer within 1 s" in capsys.readouterr().out


def test_a_hook_whose_python_went_away_lets_the_push_be(work: Path, repository: Path) -> None:
    hook = repository / "hooks" / "post-receive"
    hook.write_text(hook.read_text().replace("python=", "python=/gone", 1))
    said = push(work, "main")
    assert "The pipeline was not started: there is no /gone" in said
    assert "create-repository --mend" in said

    create_repository(repository, mend=True)
    assert "/gone" not in hook.read_text()


def test_a_repository_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    made = create_repository(tmp_path / "new" / "digits.git")
    assert git("--git-dir", str(made), "config", "core.sharedRepository").strip() == "1"
    assert git("--git-dir", str(made), "symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert [path.name for path in made.parent.iterdir()] == ["digits.git"]

    with pytest.raises(Conflict, match="is there already"):
        create_repository(made)
    with pytest.raises(InvalidInput, match="is no bare git repository"):
        create_repository(tmp_path / "other.git", mend=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be made"):
        create_repository(tmp_path / "file" / "digits.git")


def test_a_repository_made_by_git_alone_gets_the_hook_by_mending(tmp_path: Path) -> None:
    made = create_repository(bare_repository(tmp_path / "plain.git"), mend=True)
    assert os.access(made / "hooks" / "post-receive", os.X_OK)
