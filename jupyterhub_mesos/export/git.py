"""Git by its own command line, for repositories of models and pipelines: the remote's hooks decide.

Nobody is prompted. What differs from a person's git: text is never converted (a bundle is bytes),
nothing is signed, no local hook runs, links are not made, and a bare
repository that another account of the team owns is trusted when it is named.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.giturls import REFUSAL as SECRET_REFUSAL
from jupyterhub_mesos.giturls import holds_secret

TIMEOUT_SECONDS: Final = 120.0
"""For one git command; a model's first push over a slow line takes tens of seconds."""

_URL: Final = re.compile(r"^(https?|ssh|git|file)://|^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:")
_CREDENTIALS: Final = re.compile(r"://[^/@\s]+@")
_REF: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_ATTRIBUTES: Final = "* -text -eol -ident -filter -diff -working-tree-encoding\n"
_SETTINGS: Final = {
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "core.hooksPath": os.devnull,
    "core.symlinks": "false",
    "core.autocrlf": "false",
    "gc.auto": "0",
    "advice.detachedHead": "false",
}
_OVERTAKEN: Final = (
    "non-fast-forward",
    "fetch first",
    "already exists",
    "stale info",
    "cannot lock ref",
    "failed to update ref",
    "failed to lock",
    "incorrect old value",
    "reference already exists",
    "File exists",
)
"""What git says when somebody else pushed first; everything else is a refusal."""


class GitError(WorkloadError):
    """Git said no; `words` is what it printed, without credentials."""

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words

    @property
    def refusal(self) -> str:
        """The remote's own words on one line, or git's where the remote said nothing."""
        return " ".join(remote_words(self.words).splitlines()) or self.words


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository: `url` for git, `path` where it is a folder of this machine."""

    url: str
    path: Path | None = None

    def __str__(self) -> str:
        return str(self.path) if self.path else redacted(self.url)


def redacted(text: str) -> str:
    """Drop user names and passwords from URLs in `text`."""
    return _CREDENTIALS.sub("://", text)


def is_url(text: str) -> bool:
    """Say whether `text` names a repository elsewhere (`https://…`, `git@host:…`) and not a path."""
    return bool(_URL.match(text))


def find_remote(text: str) -> Remote:
    """Read what a person wrote; raises InvalidInput that says how to make a missing repository."""
    if holds_secret(text):
        raise InvalidInput(SECRET_REFUSAL, where="remote")
    if is_url(text) and not text.startswith("file://"):
        return Remote(text)
    path = Path(os.path.abspath(Path(text.removeprefix("file://")).expanduser()))  # noqa: PTH100 - keeps links
    if not path.exists():
        raise InvalidInput(
            f"there is no git repository {path}: make it with `git init --bare --shared=group "
            f"--initial-branch=main {path}`, or name another remote"
        )
    if not _is_repository(path):
        raise InvalidInput(f"{path} is not a git repository: name a bare one, made with `git init --bare`")
    return Remote(path.as_uri(), path)


def _is_repository(path: Path) -> bool:
    return any(
        (folder / "HEAD").is_file() and (folder / "objects").is_dir() for folder in (path, path / ".git")
    )


@dataclass(frozen=True, slots=True)
class Git:
    """A git command line that works in the folder `work`."""

    work: Path
    env: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str) -> str:
        """Run one command and return what it printed; raises GitError with its words."""
        return self._done(*arguments).stdout.decode(errors="replace")

    def push(self, *specs: str) -> str | None:
        """Push all of `specs` to the remote or none; return what the remote's hooks said.

        None when somebody else pushed first. Raises GitError when the remote refuses.
        """
        try:
            done = self._done("push", "--atomic", "--porcelain", "origin", *specs)
        except GitError as error:
            if any(words in error.words for words in _OVERTAKEN) and "hook declined" not in error.words:
                return None
            raise
        return remote_words(done.stderr.decode(errors="replace"))

    def _done(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        try:
            done = subprocess.run(
                ("git", *arguments),
                cwd=self.work,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise WorkloadError(
                "the program `git` is not installed here: install git and try again"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {arguments[0]} did not end within {TIMEOUT_SECONDS:g} s", "") from error
        if done.returncode:
            words = redacted(b"".join((done.stderr, done.stdout)).decode(errors="replace").strip())
            raise GitError(f"git {arguments[0]} failed: {words}", words)
        return done


def remote_words(words: str) -> str:
    """Return what of git's words the remote said, a line for each of its own."""
    said = (line.removeprefix("remote:").strip() for line in words.splitlines() if line.startswith("remote:"))
    return "\n".join(line for line in said if line)


@contextmanager
def scratch_repository(remote: Remote, *, author: str = "") -> Generator[Git]:
    """Lend an empty repository that knows `remote` as `origin`; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-git-") as folder:
        config = Path(folder) / "gitconfig"
        config.write_text(_config(remote), encoding="utf-8")
        work = Path(folder) / "work"
        work.mkdir()
        git = Git(work, _environment(config, author))
        git.run("init", "--quiet", "--template=", "--initial-branch=main")
        info = work / ".git" / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
        git.run("remote", "add", "origin", remote.url)
        yield git


def init_bare(path: Path) -> None:
    """Make an empty bare repository that the members of its group share."""
    with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-git-") as folder:
        git = Git(Path(folder), _environment(Path(os.devnull), ""))
        git.run(
            "init", "--quiet", "--template=", "--bare", "--shared=group", "--initial-branch=main", str(path)
        )


def _config(remote: Remote) -> str:
    """Write the global configuration: the person's own, and trust in the named repository.

    By `GIT_CONFIG_GLOBAL`, because `GIT_CONFIG_COUNT` and `-c` do not reach
    the upload-pack and receive-pack that git starts for a local repository.
    """
    home = Path.home()
    own = [os.environ.get("GIT_CONFIG_GLOBAL") or str(home / ".gitconfig"), str(home / ".config/git/config")]
    lines = [f"[include]\n\tpath = {_quoted(path)}" for path in own]
    if remote.path is not None:
        for folder in {remote.path, remote.path.resolve()}:
            lines += [f"[safe]\n\tdirectory = {_quoted(str(entry))}" for entry in (folder, folder / ".git")]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _environment(config: Path, author: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for name in ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_ASKPASS"):
        if name in os.environ:
            kept[name] = os.environ[name]
    person = author or "jupyter"
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", person), ("EMAIL", f"{_mailbox(person)}@jupyterhub.invalid"))
    }
    settings = {"GIT_CONFIG_COUNT": str(len(_SETTINGS))}
    for number, (key, value) in enumerate(_SETTINGS.items()):
        settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        **kept,
        **who,
        **settings,
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "LC_ALL": "C",
    }


def _mailbox(person: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", person).strip("-") or "jupyter"


def refs(git: Git, *patterns: str) -> dict[str, str]:
    """Ask the remote for its refs that match: name -> commit (or tag object)."""
    lines = git.run("ls-remote", "--quiet", "origin", *patterns).splitlines()
    pairs = (line.split("\t", 1) for line in lines if "\t" in line)
    return {name: commit for commit, name in pairs if not name.endswith("^{}")}


def check_out(remote: Remote, ref: str, target: Path) -> None:
    """Copy the files of `ref` (a tag or branch) to the new folder `target`, without its history."""
    if not _REF.match(ref) or ".." in ref:
        raise InvalidInput(f"{ref!r} is not a git ref: name a tag such as digits/v1, or a branch")
    with scratch_repository(remote) as git:
        found = refs(git, f"refs/tags/{ref}", f"refs/heads/{ref}")
        full = next((name for name in (f"refs/tags/{ref}", f"refs/heads/{ref}") if name in found), None)
        if full is None:
            raise WorkloadError(f"{remote} has no tag or branch {ref!r}")
        git.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", full)
        _take_files(git, "FETCH_HEAD", target)


def take_commit(remote: Remote, commit: str, target: Path) -> None:
    """Copy the files of a commit, by its full hash, to the new folder `target`."""
    if not _COMMIT.fullmatch(commit):
        raise InvalidInput(f"{commit!r} is no full hash of a commit: 40 or 64 digits from 0 to f")
    with scratch_repository(remote) as git:
        try:
            git.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit)
        except GitError:  # not every server hands out what is no tip
            git.run("fetch", "--quiet", "--no-tags", "origin", "refs/heads/*:refs/remotes/origin/*")
        try:
            _take_files(git, commit, target)
        except GitError as error:
            raise WorkloadError(f"{remote} has no commit {commit[:12]} on any branch") from error


def _take_files(git: Git, commit: str, target: Path) -> None:
    git.run("checkout", "--quiet", "--detach", commit)
    shutil.rmtree(git.work / ".git")
    shutil.move(git.work, target)
