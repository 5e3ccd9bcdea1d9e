"""Pipelines: a notebook as a project in git, and the steps from its training to its served model.

train -> test -> optimise -> store -> verify -> serve. The names load on first
use: the service reads `plan` alone, and a kernel only makes projects.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jupyterhub_mesos.pipeline.document import PipelineFile, load_pipeline
    from jupyterhub_mesos.pipeline.exporting import PushedPipeline, export_pipeline
    from jupyterhub_mesos.pipeline.repository import create_repository

__all__ = ["PipelineFile", "PushedPipeline", "create_repository", "export_pipeline", "load_pipeline"]

_HOMES: Final = {
    "PipelineFile": "document",
    "PushedPipeline": "exporting",
    "create_repository": "repository",
    "export_pipeline": "exporting",
    "load_pipeline": "document",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
