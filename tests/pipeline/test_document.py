from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from jupyterhub_mesos.cli.pipeline_options import STEPS
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.pipeline.document import ModelPart, Part, PipelineFile, load_pipeline, read_pipeline
from jupyterhub_mesos.pipeline.rendering import yaml_text
from jupyterhub_mesos.wire import PipelineStep

ROOT = Path(__file__).resolve().parents[2]


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inside = field.annotation
        if isinstance(inside, type) and issubclass(inside, Part):
            yield from keys(inside, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def test_every_key_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "pipeline.md").read_text()
    table = page.partition("## `pipeline.yaml`")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == set(keys(PipelineFile))


def test_what_is_written_is_what_is_read() -> None:
    pipeline = PipelineFile(
        name="no",
        description='yes: it\'s "1:30"\n# no comment',
        model=ModelPart(variable="m", held_out_rows="x", held_out_labels="y"),
        data=("~/lake/team/010", "s3://a/b"),
    )
    assert read_pipeline(yaml_text(pipeline).encode()) == pipeline


def test_every_problem_is_told_with_its_line() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_pipeline(
            b"name: digits\n"
            b"trian: {}\n"
            b"train:\n"
            b"  workers: 0\n"
            b"  framework: caffe\n"
            b"model: {held_out_rows: x, held_out_labels: y}\n"
            b"optimise: {tolerance: .nan}\n"
        )
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("pipeline.yaml:2: trian: unknown key; did you mean train?")
    assert lines[1].startswith("pipeline.yaml:4: train.workers: '0' asked for; a whole number from 1")
    assert lines[2].startswith("pipeline.yaml:5: train.framework: 'caffe' asked for")
    assert lines[3].startswith("pipeline.yaml:7: optimise.tolerance: '.nan' asked for")
    assert len(lines) == 4


def test_a_folder_without_a_pipeline_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="pipeline export NOTEBOOK"):
        load_pipeline(tmp_path)


def test_the_command_line_knows_every_step() -> None:
    assert get_args(PipelineStep) == STEPS
