"""The parser, its help, how errors end a command, and that nothing heavy is loaded for nothing."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from jupyterhub_mesos.cli import main
from jupyterhub_mesos.cli.commands import parser
from jupyterhub_mesos.errors import Unavailable

HEAVY = {"asyncio", "numpy", "onnxruntime", "pydantic", "sqlalchemy", "tornado", "yaml", "jupyterhub"}


def leaves(command: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield every parser that has no commands of its own."""
    below = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield command
    for action in below:
        for child in action.choices.values():
            yield from leaves(child)


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == version("jupyterhub-mesos")


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from jupyterhub_mesos.cli import main\n"
        "main(['version'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", list(leaves(parser())), ids=lambda command: command.prog)
def test_every_option_of_every_command_is_explained(command: argparse.ArgumentParser) -> None:
    assert command.description
    assert [action.dest for action in command._actions if not action.help] == []
    assert callable(command.get_default("run"))


@pytest.mark.parametrize(
    "arguments", [[], ["quota"], ["nonsense"], ["quota", "apply"], ["up", "--port", "x"]]
)
def test_a_command_line_that_is_none_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_an_error_of_ours_is_one_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_args: argparse.Namespace) -> int:
        raise Unavailable("the ledger is away: start it")

    monkeypatch.setattr("jupyterhub_mesos.cli.doctor.run", fail)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == "jupyterhub-mesos: the ledger is away: start it\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("jupyterhub_mesos.cli.doctor.run", interrupted)
    assert main(["doctor"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_without_a_bundle_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "no bundle.json here" in capsys.readouterr().err


def test_the_script_and_the_module_are_the_same_command() -> None:
    script = Path(sys.executable).with_name("jupyterhub-mesos")
    by_module = [sys.executable, "-m", "jupyterhub_mesos.cli"]
    answers = {
        subprocess.run([*command, "version"], capture_output=True, text=True, check=True).stdout
        for command in ([str(script)], by_module)
    }
    assert len(answers) == 1


def test_a_bundle_that_is_not_what_it_says_is_answered_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bundle.json").write_text("{}", encoding="utf-8")
    assert main(["verify", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("NO  ")
