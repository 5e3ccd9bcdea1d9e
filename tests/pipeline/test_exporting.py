from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.pipeline import PushedPipeline, export_pipeline, load_pipeline
from jupyterhub_mesos.wire import Environment
from model_fixtures import git, set_hook
from pipeline.notebooks import GOOD, MODEL, PARAMETERS, TEST, TRAIN, write_notebook

HELD_OUT = ("test_images", "test_target")
ENVIRONMENT = Environment(python="3.12.4", packages=("numpy==1.0", "Own_Package==2.1"))


def export_to(notebook: Path, remote: Path | str, **more: Any) -> PushedPipeline:
    options: dict[str, Any] = {
        "held_out": HELD_OUT,
        "environment": ENVIRONMENT,
        "report": lambda _: None,
        **more,
    }
    return export_pipeline(notebook, remote=str(remote), **options)


def shown(remote: Path, path: str, ref: str = "main") -> str:
    return git("--git-dir", str(remote), "show", f"{ref}:{path}")


def names(remote: Path) -> set[str]:
    return set(git("--git-dir", str(remote), "ls-tree", "-r", "--name-only", "main").split())


def clone(remote: Path, folder: Path) -> Path:
    git("clone", "--quiet", str(remote), str(folder))
    return folder


def commit_all(folder: Path, message: str) -> None:
    git("-C", str(folder), "add", "--all")
    git("-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", message)
    git("-C", str(folder), "push", "--quiet")


# ---- what is pushed -------------------------------------------------------------------------------


def test_a_notebook_becomes_a_project_on_main(notebook: Path, remote: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    pushed = export_to(notebook, remote, minimum={"accuracy": 0.9}, workers=3, report=lines.append)

    assert pushed.is_new
    assert pushed.request_id is None
    assert pushed.commit == git("--git-dir", str(remote), "rev-parse", "main").strip()
    assert names(remote) == {
        *(".gitignore", ".gitlab-ci.yml", "Jenkinsfile", "README.md", "pipeline.yaml"),
        *("train.py", "test.py", "digits.ipynb", "lineage.json", "requirements.lock"),
    }
    assert [line.split()[0] for line in lines] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    pipeline = load_pipeline(clone(remote, tmp_path / "clone"))
    assert (pipeline.name, pipeline.train.workers, pipeline.test.minimum) == ("digits", 3, {"accuracy": 0.9})
    assert pipeline.model.held_out_labels == "test_target"


def test_train_has_what_trains_and_test_goes_on_to_the_model_and_its_checks(
    notebook: Path, remote: Path
) -> None:
    export_to(notebook, remote, parameters={"EPOCHS": 5})

    train, test = shown(remote, "train.py"), shown(remote, "test.py")
    assert "EPOCHS = 5" in train
    assert "1 / 0" not in test
    assert "# ---- cell 5 ----" not in train
    places = [test.index(f"# ---- cell {number} ----") for number in (2, 3, 5, 6)]
    assert places == sorted(places)


def test_model_and_test_cells_follow_the_train_cells_wherever_they_stand(home: Path, remote: Path) -> None:
    export_to(write_notebook(home, TEST, MODEL, PARAMETERS, TRAIN), remote)

    test = shown(remote, "test.py")
    places = [test.index(f"# ---- cell {number} ----") for number in (4, 5, 3, 2)]
    assert places == sorted(places)


def test_local_modules_of_test_cells_travel_too(home: Path, remote: Path) -> None:
    (home / "checks.py").write_text("import deeper.down\n")
    (home / "deeper").mkdir()
    (home / "deeper" / "down.py").write_text("DEPTH = 2\n")
    export_to(write_notebook(home, *GOOD, ("import checks", "test")), remote)

    assert {"checks.py", "deeper/down.py"} <= names(remote)


def test_results_do_not_leave_with_the_notebook(notebook: Path, remote: Path) -> None:
    export_to(notebook, remote)

    assert "a secret result" in notebook.read_text()
    assert "a secret result" not in shown(remote, "digits.ipynb")
    assert json.loads(shown(remote, "digits.ipynb"))["cells"][1]["execution_count"] is None


def test_the_lock_has_the_notebooks_packages_and_what_the_steps_need(notebook: Path, remote: Path) -> None:
    export_to(notebook, remote)

    lock = shown(remote, "requirements.lock").splitlines()
    assert "numpy==1.0" in lock
    assert "own-package==2.1" in lock
    assert any(line.startswith("jupyterhub-mesos==") for line in lock)
    assert any(line.startswith("pyyaml==") for line in lock)
    assert any(line.startswith("onnxruntime==") for line in lock)


def test_the_lake_that_the_code_reads_is_named(home: Path, remote: Path, tmp_path: Path) -> None:
    (home / "lake" / "team" / "rows.npz").write_bytes(b"rows")
    (home / "lake" / "team" / "more").mkdir()
    cells = (('ROWS = "~/lake/team/rows.npz"; NONE = "~/lake/team/not-there"', "parameters"), *GOOD)
    lines: list[str] = []
    export_to(write_notebook(home, *cells), remote, data=["~/lake/team/more"], report=lines.append)

    named = ("~/lake/team/rows.npz", "~/lake/team/not-there", "~/lake/team/more")
    assert load_pipeline(clone(remote, tmp_path / "c")).data == named
    assert "    note: cell 2, line 1 names ~/lake/team/not-there, which is not there now" in lines


def test_named_files_travel_byte_by_byte(home: Path, remote: Path, tmp_path: Path) -> None:
    (home / "table.bin").write_bytes(b"\xff\x00\r\n")
    export_to(write_notebook(home, *GOOD), remote, files=["table.bin"])

    folder = clone(remote, tmp_path / "c")
    assert (folder / "table.bin").read_bytes() == b"\xff\x00\r\n"
    assert load_pipeline(folder).files == ("table.bin",)


@pytest.mark.parametrize("name", ["train.py", "pipeline.yaml", "lineage.json"])
def test_a_file_with_a_name_of_the_pipelines_own_is_refused(home: Path, remote: Path, name: str) -> None:
    (home / name).write_text("mine")
    with pytest.raises(WorkloadError, match="rename it"):
        export_to(write_notebook(home, *GOOD), remote, files=[name])


def test_gitlab_reads_a_job_for_each_step(notebook: Path, remote: Path) -> None:
    export_to(notebook, remote)

    ci = yaml.safe_load(shown(remote, ".gitlab-ci.yml"))
    steps = ["train", "test", "optimise", "store", "verify", "serve"]
    assert ci["stages"] == steps
    for step in steps:
        assert ci[step]["stage"] == step
        assert ci[step]["script"] == [f"jupyterhub-mesos pipeline run . --work .pipeline --step {step}"]
    assert ci["default"]["image"] == "python:3.12"
    assert "CAPACITY_TOKEN" not in str(ci)


def test_jenkins_has_a_stage_for_each_step_with_the_token_around_it(notebook: Path, remote: Path) -> None:
    export_to(notebook, remote)

    jenkins = shown(remote, "Jenkinsfile")
    assert jenkins.count("withCredentials([string(") == 6
    assert jenkins.count("{") == jenkins.count("}")
    assert "--step serve" in jenkins


def test_the_environments_interpreter_is_named_for_the_nodes(
    notebook: Path, remote: Path, tmp_path: Path
) -> None:
    own = Environment(python="3.13.1", interpreter="~/envs/own/bin/python")
    export_to(notebook, remote, environment=own)

    assert load_pipeline(clone(remote, tmp_path / "c")).environment.interpreter == "~/envs/own/bin/python"


# ---- pushed again -----------------------------------------------------------------------------------


def test_an_unchanged_project_is_not_pushed_again(notebook: Path, remote: Path) -> None:
    first = export_to(notebook, remote)
    lines: list[str] = []
    again = export_to(notebook, remote, report=lines.append)

    assert not again.is_new
    assert again.commit == first.commit
    assert "nothing changed" in lines[-1]


def test_a_changed_project_is_one_commit_on_top_and_what_went_is_gone(home: Path, remote: Path) -> None:
    (home / "checks.py").write_text("")
    first = export_to(write_notebook(home, *GOOD, ("import checks", "test")), remote)
    second = export_to(write_notebook(home, *GOOD), remote)

    assert git("--git-dir", str(remote), "rev-list", "main").split() == [second.commit, first.commit]
    assert "checks.py" not in names(remote)


def test_what_others_keep_beside_the_project_stays_and_edits_by_hand_are_told(
    notebook: Path, remote: Path, tmp_path: Path
) -> None:
    export_to(notebook, remote)
    folder = clone(remote, tmp_path / "clone")
    (folder / "NOTES.md").write_text("ours\n")
    (folder / "train.py").write_text("print('by hand')\n")
    commit_all(folder, "ours")
    lines: list[str] = []
    export_to(notebook, remote, report=lines.append)

    assert "NOTES.md" in names(remote)
    assert "by hand" not in shown(remote, "train.py")
    assert "replaces what was changed by hand in train.py" in lines[3]


def test_a_folder_where_a_file_of_ours_goes_makes_way(notebook: Path, remote: Path, tmp_path: Path) -> None:
    folder = clone(remote, tmp_path / "clone")
    (folder / "train.py").mkdir()
    (folder / "train.py" / "x").write_text("in the way")
    commit_all(folder, "odd")

    export_to(notebook, remote)

    assert "train.py" in names(remote)


def test_a_push_overtaken_by_somebody_is_built_on_top_of_theirs(
    notebook: Path, remote: Path, tmp_path: Path
) -> None:
    export_to(notebook, remote, description="before")
    folder = clone(remote, tmp_path / "clone")
    (folder / "NOTES.md").write_text("theirs\n")
    lines: list[str] = []

    def overtake(line: str) -> None:
        lines.append(line)
        if line.startswith("4/5") and (folder / ".git" / "refs").exists() and len(lines) == 4:
            commit_all(folder, "theirs")

    export_to(notebook, remote, description="after", report=overtake)

    assert {"NOTES.md", "train.py"} <= names(remote)
    assert [line[:3] for line in lines] == ["1/5", "2/5", "3/5", "4/5", "4/5", "5/5"]


def test_a_refusal_is_said_in_the_remotes_words_and_nothing_is_there(notebook: Path, remote: Path) -> None:
    set_hook(remote, "echo 'freeze until Monday' >&2; exit 1\n")

    with pytest.raises(WorkloadError, match=r"refused the push, nothing was published: freeze until Monday"):
        export_to(notebook, remote)

    assert git("--git-dir", str(remote), "for-each-ref") == ""


def test_a_request_that_the_remotes_hook_names_is_returned(notebook: Path, remote: Path) -> None:
    set_hook(remote, "echo 'hello'; echo 'capacity-pipeline: r-42'\n", "post-receive")
    lines: list[str] = []

    pushed = export_to(notebook, remote, report=lines.append)

    assert pushed.request_id == "r-42"
    assert "    remote: hello" in lines


# ---- what cannot be ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "options", "sentence", "cell"),
    [
        ((PARAMETERS, MODEL), {}, r"no cell of digits.ipynb is tagged 'train'", None),
        ((PARAMETERS, TRAIN), {}, r"no cell of digits.ipynb is tagged 'model'", None),
        ((*GOOD, ("def broken(:", "test")), {}, r"cell 7, line 1 is not Python", 7),
        ((*GOOD, ("x = 1\nimport nowhere", "model")), {}, r"cell 7, line 2 imports 'nowhere'", 7),
        (GOOD, {"model": "network"}, r"no cell tagged .* sets network; they set .*model", None),
        (GOOD, {"held_out": ("no_rows", "test_target")}, r"sets no_rows", None),
        (GOOD, {"parameters": {"SPEED": 1}}, r"'SPEED' is not a parameter .* set EPOCHS", None),
    ],
)
def test_a_notebook_that_makes_no_pipeline_is_refused_with_its_cell(
    home: Path, remote: Path, cells: Any, options: dict[str, Any], sentence: str, cell: int | None
) -> None:
    with pytest.raises(WorkloadError, match=sentence) as caught:
        export_to(write_notebook(home, *cells), remote, **options)

    assert caught.value.cell == cell
    assert git("--git-dir", str(remote), "for-each-ref") == ""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "Digits!"}, r"name: take small letters"),
        ({"workers": 0}, r"train.workers"),
        ({"model": "not a name"}, r"model.variable: name a variable"),
        ({"held_out": None}, r"pipeline.yaml:\d+: model: neither example_inputs nor held_out_rows"),
        (
            {"held_out": None, "example_inputs": "test_images", "minimum": {"accuracy": 1}},
            r"pipeline.yaml:\d+: test.minimum: accuracy cannot be measured without held-out rows",
        ),
        ({"models": "https://ada:hush@git.example/m.git"}, r"git credential helper"),
        ({"tolerance": -1}, r"optimise.tolerance: a number from 0 is due"),
    ],
)
def test_options_that_do_not_hold_are_refused_by_name(
    notebook: Path, remote: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence) as caught:
        export_to(notebook, remote, **options)

    assert "hush" not in str(caught.value)
    assert git("--git-dir", str(remote), "for-each-ref") == ""


def test_a_name_hidden_in_a_function_is_not_taken_for_a_variable(home: Path, remote: Path) -> None:
    hidden = ("def build():\n    network = 1\n    return network\nrest = [other for other in ()]", "model")
    with pytest.raises(WorkloadError, match="sets network"):
        export_to(write_notebook(home, *GOOD, hidden), remote, model="network")
    with pytest.raises(WorkloadError, match="sets other"):
        export_to(write_notebook(home, *GOOD, hidden), remote, model="other")


def test_an_import_of_everything_hides_the_names(home: Path, remote: Path) -> None:
    (home / "own.py").write_text("network = 1\n")

    assert export_to(
        write_notebook(home, *GOOD, ("from own import *", "model")), remote, model="network"
    ).is_new


# ---- the default repository -----------------------------------------------------------------------------


def test_the_teams_repository_is_made_where_it_is_missing_and_says_so(notebook: Path, home: Path) -> None:
    lines: list[str] = []
    export_pipeline(notebook, held_out=HELD_OUT, environment=ENVIRONMENT, report=lines.append)

    made = home / "lake" / "team" / "pipelines" / "digits.git"
    assert (made / "hooks" / "post-receive").stat().st_mode & 0o777 == 0o755
    assert f"made {made}" in lines[2]
    assert "JUPYTERHUB_API_TOKEN is not set" in "\n".join(lines)
    assert "pipeline submit ~/lake/team/pipelines/digits.git --ref" in "\n".join(lines)
    assert names(made) >= {"train.py", "test.py"}


@pytest.mark.parametrize("place", ["~/other/digits.git", "~/lake/team/digits.git"])
def test_elsewhere_a_missing_repository_is_an_error(notebook: Path, place: str) -> None:
    with pytest.raises(InvalidInput, match="git init --bare"):
        export_to(notebook, place)


def test_nothing_is_made_for_a_notebook_that_makes_no_pipeline(home: Path) -> None:
    with pytest.raises(WorkloadError):
        export_pipeline(write_notebook(home, PARAMETERS, TRAIN), report=lambda _: None)

    assert list((home / "lake" / "team").iterdir()) == []


def run_alone(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = """
import jupyterhub_mesos.pipeline, sys
print([name for name in ("numpy", "yaml", "onnx") if name in sys.modules])
"""
    assert run_alone(code).strip() == "[]"


def test_the_export_itself_needs_no_numpy(notebook: Path, remote: Path) -> None:
    code = f"""
import sys
from jupyterhub_mesos.pipeline import export_pipeline
export_pipeline({str(notebook)!r}, remote={str(remote)!r}, held_out={HELD_OUT!r}, report=lambda _: None)
print([name for name in ("numpy", "onnx", "onnxruntime") if name in sys.modules])
"""
    assert run_alone(code).strip() == "[]"
