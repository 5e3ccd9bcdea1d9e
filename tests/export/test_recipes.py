"""The files that a CI server and a cluster read: as far as they can be checked without one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_fixtures import Digits, export_digits

JOB_KEYS = {"stage", "image", "rules", "script", "services"}
"""The keywords of a job that we use; GitLab refuses a file with one that it does not know."""
RULE_KEYS = {"if", "when"}


def gitlab(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((bundle / ".gitlab-ci.yml").read_text())
    return found


def test_gitlabs_file_has_jobs_of_known_keywords_in_the_stages_that_it_names(bundle: Path) -> None:
    pipeline = gitlab(bundle)
    stages = pipeline.pop("stages")

    assert [job["stage"] for job in pipeline.values()] == stages == ["verify", "build", "deploy"]
    for name, job in pipeline.items():
        assert set(job) <= JOB_KEYS, name
        assert {key for rule in job["rules"] for key in rule} <= RULE_KEYS, name
        assert all(isinstance(line, str) for line in job["script"]), name


def test_gitlabs_jobs_run_for_the_tags_of_this_model_alone(bundle: Path) -> None:
    rules = [job["rules"][0]["if"] for name, job in gitlab(bundle).items() if name != "stages"]

    patterns = {re.fullmatch(r"\$CI_COMMIT_TAG =~ /(.+)/", rule)[1] for rule in rules}  # type: ignore[index]
    (pattern,) = patterns
    tag = re.compile(pattern.replace(r"\/", "/"))
    assert tag.search("digits/v12")
    assert not tag.search("other-digits/v1")
    assert not tag.search("digits/v1-rc")


def shell_lines(bundle: Path) -> list[str]:
    lines = [line for name, job in gitlab(bundle).items() if name != "stages" for line in job["script"]]
    return lines + re.findall(r"^ *sh '(.+)'$", (bundle / "Jenkinsfile").read_text(), re.MULTILINE)


def test_every_command_of_the_pipelines_is_valid_shell(bundle: Path) -> None:
    lines = shell_lines(bundle)

    assert len(lines) == 13
    for line in lines:
        done = subprocess.run(("sh", "-n", "-c", line), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_the_jenkinsfile_has_the_same_stages_and_its_brackets_close(bundle: Path) -> None:
    text = (bundle / "Jenkinsfile").read_text()

    assert re.findall(r"stage\('(\w+)'\)", text) == ["Verify", "Build", "Deploy"]
    for opening, closing in ("{}", "()", "[]"):
        assert text.count(opening) == text.count(closing)
    assert "tag 'digits/v*'" in text


def test_the_first_command_of_each_pipeline_verifies_this_bundle(bundle: Path) -> None:
    lines = shell_lines(bundle)

    assert sum("python -m jupyterhub_mesos.export models/digits" in line for line in lines) == 2
    installs = [line for line in lines if "pip install" in line]
    for line in installs:
        assert "--no-deps -r models/digits/requirements.lock" in line
        assert re.search(r" onnx==\d\S+ protobuf==\d\S+ ml-dtypes==\d\S+$", line)


def test_the_lock_names_each_package_once_with_its_exact_version(bundle: Path) -> None:
    lines = [line for line in (bundle / "requirements.lock").read_text().splitlines() if line[0] != "#"]

    names = [line.partition("==")[0] for line in lines]
    assert all(re.fullmatch(r"[a-z0-9-]+==\S+", line) for line in lines)
    assert names == sorted(set(names))
    assert {"jupyterhub-mesos", "onnxruntime", "numpy", "tornado"} <= set(names)
    assert not {"scikit-learn", "torch", "onnx"} & set(names), "what serves needs no framework"


def test_kserve_gets_a_container_that_the_dockerfile_makes(
    digits: Digits, remote: Path, tmp_path: Path
) -> None:
    bundle = export_digits(digits, remote, tmp_path / "b", version=7).directory
    service = yaml.safe_load((bundle / "kubernetes" / "inferenceservice.yaml").read_text())
    dockerfile = (bundle / "Dockerfile").read_text()

    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert service["metadata"]["name"] == "digits"
    (container,) = service["spec"]["predictor"]["containers"]
    assert container["image"] == "registry.example/digits:v7"
    port = container["ports"][0]["containerPort"]
    assert container["readinessProbe"]["httpGet"]["port"] == port
    assert f"EXPOSE {port}" in dockerfile
    assert f'"--port", "{port}"' in dockerfile
    assert re.search(r"^USER 10001$", dockerfile, re.MULTILINE)


@pytest.mark.parametrize("name", ["Dockerfile", ".gitlab-ci.yml", "Jenkinsfile"])
def test_no_placeholder_is_left(bundle: Path, name: str) -> None:
    text = (bundle / name).read_text()

    assert not re.search(r"\$(name|version|path|python|onnx|protobuf|ml_dtypes)\b", text)
