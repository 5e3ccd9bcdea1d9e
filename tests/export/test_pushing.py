from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyterhub_mesos.errors import Conflict, InvalidInput, WorkloadError
from jupyterhub_mesos.export import export, push_bundle, verify
from jupyterhub_mesos.export.bundle import read_manifest
from jupyterhub_mesos.export.git import redacted
from model_fixtures import Digits, bare_repository, export_digits, git, set_hook, tags


def test_a_refused_push_repeats_the_hooks_words_and_publishes_nothing(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    set_hook(remote, "echo 'models are frozen until Monday' >&2; exit 1\n")

    with pytest.raises(WorkloadError, match="models are frozen until Monday") as caught:
        export_digits(digits, remote, tmp_path / "bundle")

    assert "nothing was published" in str(caught.value)
    assert git("--git-dir", str(remote), "for-each-ref") == ""
    assert (tmp_path / "bundle" / "bundle.json").is_file()


def test_a_tag_refused_by_the_update_hook_leaves_the_branch_alone_too(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    set_hook(remote, "case $1 in refs/tags/*) echo 'no tags today' >&2; exit 1;; esac\n", "update")

    with pytest.raises(WorkloadError, match="no tags today"):
        export_digits(digits, remote, tmp_path / "bundle")

    assert git("--git-dir", str(remote), "for-each-ref") == ""


def test_a_refused_bundle_is_pushed_later_as_it_is(digits: Digits, remote: Path, tmp_path: Path) -> None:
    set_hook(remote, "exit 1\n")
    with pytest.raises(WorkloadError):
        export_digits(digits, remote, tmp_path / "bundle")
    before = (tmp_path / "bundle" / "bundle.json").read_bytes()
    set_hook(remote, "cat > received\n")

    published = push_bundle(tmp_path / "bundle", str(remote))

    assert published.tag == "digits/v1"
    assert (tmp_path / "bundle" / "bundle.json").read_bytes() == before
    assert "refs/tags/digits/v1" in (remote / "received").read_text()


def test_pushing_a_published_bundle_again_changes_nothing(remote: Path, bundle: Path) -> None:
    again = push_bundle(bundle, str(remote))

    assert (again.tag, again.attempts) == ("digits/v1", 0)
    assert tags(remote) == ["digits/v1"]


def test_a_bundle_whose_version_was_taken_takes_the_next(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    set_hook(remote, "exit 1\n")
    with pytest.raises(WorkloadError):
        export_digits(digits, remote, tmp_path / "late")
    (remote / "hooks" / "pre-receive").unlink()
    export_digits(digits, remote, tmp_path / "first")

    assert push_bundle(tmp_path / "late", str(remote)).tag == "digits/v2"

    manifest = verify(tmp_path / "late", report=lambda _: None).manifest
    assert manifest.version == 2
    assert "# digits v2" in (tmp_path / "late" / "MODEL_CARD.md").read_text()


def test_a_version_never_changes(digits: Digits, remote: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=r"digits/v1 is published already .* ask for v2"):
        export_digits(digits, remote, tmp_path / "again", version=1)

    assert export_digits(digits, remote, tmp_path / "later", version="v7").ref == "digits/v7"
    assert export_digits(digits, remote, tmp_path / "next").ref == "digits/v8"


def test_exports_at_the_same_moment_get_versions_of_their_own(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda n: export_digits(digits, remote, tmp_path / f"b{n}"), range(4)))

    assert sorted(result.version for result in results) == [1, 2, 3, 4]
    assert tags(remote) == [f"digits/v{number}" for number in (1, 2, 3, 4)]
    for result in results:
        in_git = git("--git-dir", str(remote), "show", f"{result.ref}:models/digits/bundle.json")
        assert in_git == (result.directory / "bundle.json").read_text()
        assert read_manifest(result.directory).version == result.version


def test_what_else_stands_in_the_repository_stays(digits: Digits, remote: Path, tmp_path: Path) -> None:
    export_digits(digits, remote, tmp_path / "first")
    clone = tmp_path / "clone"
    git("clone", "--quiet", str(remote), str(clone))
    (clone / "README.md").write_text("ours\n")
    (clone / ".gitattributes").write_text("* text=auto eol=crlf\n")
    git("-C", str(clone), "add", ".")
    git("-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "ours")
    git("-C", str(clone), "push", "--quiet")

    export(
        digits.model,
        name="other",
        example_inputs=digits.images[:5],
        remote=str(remote),
        directory=tmp_path / "other",
        report=lambda _: None,
    )

    names = git("--git-dir", str(remote), "ls-tree", "-r", "--name-only", "main").split()
    assert {"README.md", "models/digits/bundle.json", "models/other/bundle.json"} <= set(names)
    assert (
        git("--git-dir", str(remote), "show", "main:models/other/Dockerfile")
        == (tmp_path / "other" / "Dockerfile").read_text()
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another account")
def test_a_repository_of_another_account_of_the_team_is_used_when_named(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    for path in (remote, *remote.rglob("*")):
        os.chown(path, 54321, -1)

    assert export_digits(digits, remote, tmp_path / "bundle").ref == "digits/v1"


def test_a_persons_git_settings_cannot_break_an_export(
    digits: Digits, remote: Path, tmp_path: Path, home: Path
) -> None:
    (home / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[core]\n\tautocrlf = true\n\thooksPath = /nowhere\n"
        '[url "https://nowhere.invalid/"]\n\tinsteadOf = never:\n'
    )

    assert export_digits(digits, remote, tmp_path / "bundle").ref == "digits/v1"


def test_a_folder_that_is_no_repository_is_refused_with_the_cure(bundle: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()

    with pytest.raises(Exception, match=r"is not a git repository: name a bare one"):
        push_bundle(bundle, str(plain))


def test_nothing_is_left_behind_in_the_temporary_folder(
    digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    export_digits(digits, remote, tmp_path / "one")
    set_hook(remote, "exit 1\n")
    with pytest.raises(WorkloadError):
        export_digits(digits, remote, tmp_path / "two")

    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_repository_is_never_made_silently(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"git init --bare --shared=group"):
        push_bundle(bundle, str(tmp_path / "new.git"))

    assert not (tmp_path / "new.git").exists()


def test_credentials_never_stand_in_an_error() -> None:
    assert (
        redacted("fatal: https://ada:secret@git.example/x.git: no") == "fatal: https://git.example/x.git: no"
    )


def test_a_bundle_that_was_tampered_with_is_not_pushed(bundle: Path, tmp_path: Path) -> None:
    other = bare_repository(tmp_path / "other.git")
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "Dockerfile").write_text("FROM elsewhere\n")

    with pytest.raises(WorkloadError, match="Dockerfile was changed"):
        push_bundle(copy, str(other))


def test_a_remote_with_a_password_is_refused(bundle: Path) -> None:
    with pytest.raises(InvalidInput, match="git credential helper") as caught:
        push_bundle(bundle, "https://ada:hush@git.example/models.git")
    assert "hush" not in str(caught.value)
