"""The files of a bundle that follow from its manifest: card, image, pipelines, KServe."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

from jupyterhub_mesos.export.bundle import CARD, BundleManifest, write_manifest
from jupyterhub_mesos.export.card import card

_DOCKERFILE: Final = Template("""\
# Serves $name $version by the Open Inference Protocol v2. Build it in this folder:
#   docker build --tag $name:$version .
# jupyterhub-mesos comes from your package index; for a folder of wheels give
# --build-arg PIP_FIND_LINKS=… or --build-arg PIP_INDEX_URL=….
FROM python:$python-slim
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
COPY requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --no-deps -r /tmp/requirements.lock \\
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin serving
COPY --chown=root:root . /bundle
USER 10001
WORKDIR /tmp
EXPOSE 8080
ENV PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1
ENTRYPOINT ["python", "-P", "-m", "jupyterhub_mesos.serving"]
CMD ["--bundle", "/bundle", "--name", "$name", "--host", "0.0.0.0", "--port", "8080"]
""")

_GITLAB: Final = Template("""\
# Include it from the repository's own .gitlab-ci.yml:
#   include: "models/*/.gitlab-ci.yml"
stages: [verify, build, deploy]

verify $name:
  stage: verify
  image: python:$python-slim
  rules: &when-tagged
    - if: $$CI_COMMIT_TAG =~ /^$name\\/v[0-9]+$$/
  script:
    - pip install --no-deps -r $path/requirements.lock onnx==$onnx protobuf==$protobuf ml-dtypes==$ml_dtypes
    - python -m jupyterhub_mesos.export $path

build $name:
  stage: build
  image: docker:cli
  services: ["docker:dind"]
  rules: *when-tagged
  script:
    - docker login -u "$$CI_REGISTRY_USER" -p "$$CI_REGISTRY_PASSWORD" "$$CI_REGISTRY"
    - docker build --tag "$$CI_REGISTRY_IMAGE/$name:$${CI_COMMIT_TAG##*/}" $path
    - docker push "$$CI_REGISTRY_IMAGE/$name:$${CI_COMMIT_TAG##*/}"

deploy $name:
  stage: deploy
  image: {name: "bitnami/kubectl", entrypoint: [""]}
  rules:
    - if: $$CI_COMMIT_TAG =~ /^$name\\/v[0-9]+$$/
      when: manual
  script:
    - cd $path/kubernetes
    - sed "s|registry.example|$$CI_REGISTRY_IMAGE|" inferenceservice.yaml | kubectl apply -f -
""")

_JENKINS: Final = Template("""\
// Point a multibranch pipeline (tags discovered) at $path/Jenkinsfile. REGISTRY is set by the folder or the node.
pipeline {
  agent any
  options { timeout(time: 30, unit: 'MINUTES') }
  stages {
    stage('Verify') {
      steps {
        sh 'python3 -m venv .venv'
        sh '.venv/bin/pip install --no-deps -r $path/requirements.lock onnx==$onnx protobuf==$protobuf ml-dtypes==$ml_dtypes'
        sh '.venv/bin/python -m jupyterhub_mesos.export $path'
      }
    }
    stage('Build') {
      when { tag '$name/v*' }
      steps {
        sh 'docker build --tag "$$REGISTRY/$name:$version" $path'
        sh 'docker push "$$REGISTRY/$name:$version"'
      }
    }
    stage('Deploy') {
      when { tag '$name/v*' }
      steps {
        input message: 'Deploy $name $version?'
        sh 'sed "s|registry.example|$$REGISTRY|" $path/kubernetes/inferenceservice.yaml | kubectl apply -f -'
      }
    }
  }
}
""")  # noqa: E501 - a shell command of the pipeline stands on one line

_KSERVE: Final = Template("""\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: $name
    app.kubernetes.io/version: $version
    app.kubernetes.io/managed-by: jupyterhub-mesos
spec:
  predictor:
    minReplicas: 1
    containers:
      - name: kserve-container
        image: registry.example/$name:$version
        ports:
          - containerPort: 8080
            protocol: TCP
        readinessProbe:
          httpGet: {path: /v2/health/ready, port: 8080}
        livenessProbe:
          httpGet: {path: /v2/health/live, port: 8080}
        resources:
          requests: {cpu: 250m, memory: 128Mi}
          limits: {cpu: "1", memory: 512Mi}
        securityContext:
          runAsNonRoot: true
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
""")

_FILES: Final = {
    "Dockerfile": _DOCKERFILE,
    ".gitlab-ci.yml": _GITLAB,
    "Jenkinsfile": _JENKINS,
    "kubernetes/inferenceservice.yaml": _KSERVE,
}


def write_rendered(directory: Path, manifest: BundleManifest) -> BundleManifest:
    """Write every file that follows from the manifest, then the manifest itself; return it as written."""
    environment = manifest.lineage.environment
    values = {
        "name": manifest.name,
        "version": f"v{manifest.version}",
        "path": manifest.path,
        "python": ".".join(manifest.lineage.python.split(".")[:2]),
        **{name.replace("-", "_"): environment[name] for name in ("onnx", "protobuf", "ml-dtypes")},
    }
    for name, template in _FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.substitute(values), encoding="utf-8")
    (directory / CARD).write_text(card(manifest), encoding="utf-8")
    return write_manifest(directory, manifest)
