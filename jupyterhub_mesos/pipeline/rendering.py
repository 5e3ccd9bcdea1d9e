"""The text of a project's files that follow from its `PipelineFile`: the file itself, CI and the read-me."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Final, get_args

import yaml

from jupyterhub_mesos.pipeline.document import FILE, PipelineFile
from jupyterhub_mesos.wire import PipelineStep

STEPS: Final[tuple[PipelineStep, ...]] = get_args(PipelineStep)
WORK: Final = ".pipeline"
"""Where a CI job leaves what the next one goes on from."""
LOCK: Final = "requirements.lock"
LINEAGE: Final = "lineage.json"
BRANCH: Final = "main"

_HEAD: Final = """\
# The pipeline $name, made from $notebook by `jupyterhub-mesos pipeline export`, which writes it anew.
# Every key: docs/reference/pipeline.md of jupyterhub-mesos.
"""
_ABOVE: Final[Mapping[str, str]] = {
    "train": "the cells tagged `parameters` and `train` (train.py), as a job of the team",
    "model": "which variables of test.py hold the model and its held-out rows",
    "test": "the cells tagged `model` and `test` (test.py), and what the model has to reach",
    "optimise": "int8 and fp16 forms, measured; the best within the tolerance is kept",
    "store": "the bundle, with its lineage, as a version in git",
    "serve": "a model server of the team",
    "files": "what train.py and test.py import and read beside themselves",
    "data": "what the code reads of the lake; its checksums go into the model's lineage",
    "environment": "the Python of the notebook; its packages stand in requirements.lock",
}

_GITLAB: Final = Template("""\
# The pipeline $name in GitLab. Each stage runs one step; .pipeline/ is what the next one goes on from.
# The project's CI/CD variables have to hold (masked): CAPACITY_TOKEN, a token of the team, and
# CAPACITY_API_URL, the capacity service's address. Where the runner does not see the team's lake at
# ~/lake/team, let the service run all steps: set CAPACITY_RUN_ON_SERVICE to "true".
stages: [$stages]

default:
  image: python:$python
  before_script:
    - python -m pip install --quiet --no-deps --requirement $lock

.step:
  rules:
    - if: $$CAPACITY_RUN_ON_SERVICE == "true"
      when: never
    - if: $$CI_COMMIT_BRANCH == $$CI_DEFAULT_BRANCH
  artifacts:
    when: always
    expire_in: 1 week
    paths: [$work/]
$jobs
whole pipeline on the service:
  stage: train
  rules:
    - if: $$CAPACITY_RUN_ON_SERVICE == "true" && $$CI_COMMIT_BRANCH == $$CI_DEFAULT_BRANCH
  script:
    - jupyterhub-mesos pipeline submit "$$CI_PROJECT_URL.git" --ref "$$CI_COMMIT_SHA" --follow --cancel-on-interrupt
""")  # noqa: E501 - a shell command of the pipeline stands on one line
_GITLAB_JOB: Final = Template("""
$step:
  extends: .step
  stage: $step
  script:
    - jupyterhub-mesos pipeline run . --work $work --step $step
""")

_JENKINS: Final = Template("""\
// The pipeline $name in Jenkins. Point a multibranch pipeline at the repository. The credential
// capacity-token (secret text) is a token of the team; the folder or node sets CAPACITY_API_URL.
// The agent has to see the team's lake at ~/lake/team.
pipeline {
  agent any
  options {
    disableConcurrentBuilds()
    timeout(time: 24, unit: 'HOURS')
  }
  stages {
    stage('set up') {
      when { branch '$branch' }
      steps {
        sh 'python$python -m venv .venv'
        sh '.venv/bin/python -m pip install --quiet --no-deps --requirement $lock'
      }
    }
$jobs  }
  post {
    always { archiveArtifacts artifacts: '$work/**', allowEmptyArchive: true }
  }
}
""")
_JENKINS_JOB: Final = Template("""\
    stage('$step') {
      when { branch '$branch' }
      steps {
        withCredentials([string(credentialsId: 'capacity-token', variable: 'CAPACITY_TOKEN')]) {
          sh '.venv/bin/jupyterhub-mesos pipeline run . --work $work --step $step'
        }
      }
    }
""")

_README: Final = Template("""\
# $name

$description

A pipeline made from the notebook `$notebook` by `jupyterhub-mesos pipeline export`. Each export writes these
files anew; change the notebook, not them.

| file | is |
| --- | --- |
| `$file` | what each step does |
| `train.py` | the notebook's cells tagged `parameters` and `train`: what each worker runs |
| `test.py` | the same with the cells tagged `model` and `test`: the model of the checkpoint, checked |
| `$notebook` | the notebook, without its outputs |
| `$lock` | the exact packages that it was written with |
| `$lineage` | where it came from |
| `.gitlab-ci.yml`, `Jenkinsfile` | the same steps in GitLab and in Jenkins |

The steps: $steps. Run them anywhere:

```sh
jupyterhub-mesos pipeline run .                  # here, against the capacity service
jupyterhub-mesos pipeline submit REPOSITORY      # all of them as a workload of the team
```

`CAPACITY_API_URL` is the service's address and `CAPACITY_TOKEN` a token of the team; a notebook knows both.
""")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the texts are made of: the file, and the version of Python for CI (`3.12`)."""

    pipeline: PipelineFile
    python: str


def rendered(rendering: Rendering) -> dict[str, str]:
    """Return the text of each file that follows from the pipeline file, by its path."""
    pipeline = rendering.pipeline
    values = {
        "name": pipeline.name,
        "description": pipeline.description or "No description was given.",
        "notebook": pipeline.notebook,
        "python": rendering.python,
        "branch": BRANCH,
        "file": FILE,
        "lineage": LINEAGE,
        "lock": LOCK,
        "work": WORK,
        "stages": ", ".join(STEPS),
        "steps": " → ".join(STEPS),
    }
    return {
        FILE: yaml_text(pipeline),
        ".gitlab-ci.yml": _GITLAB.substitute(values, jobs=_jobs(_GITLAB_JOB, values)),
        "Jenkinsfile": _JENKINS.substitute(values, jobs=_jobs(_JENKINS_JOB, values)),
        "README.md": _README.substitute(values),
        ".gitignore": f"{WORK}/\n.venv/\n__pycache__/\n",
    }


def _jobs(template: Template, values: Mapping[str, str]) -> str:
    return "".join(template.substitute(values, step=step) for step in STEPS)


def yaml_text(pipeline: PipelineFile) -> str:
    """Write a pipeline file as people read it: every key, with a line above each part."""
    head = Template(_HEAD).substitute(name=pipeline.name, notebook=pipeline.notebook)
    parts = [head]
    for key, value in pipeline.model_dump(mode="json", exclude_none=True).items():
        if key in _ABOVE:
            parts.append(f"\n# {_ABOVE[key]}\n")
        parts.append(yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True))
    return "".join(parts)


def json_text(value: Mapping[str, object]) -> str:
    """Write JSON that is the same for the same content."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
