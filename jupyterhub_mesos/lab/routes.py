"""Which path below `/capacity/` is answered by which handler."""

from __future__ import annotations

from typing import Final

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join

from jupyterhub_mesos.lab.handlers import (
    AgainHandler,
    CandidatesCodeHandler,
    CapacityHandler,
    ChoicesHandler,
    EnvironmentCodeHandler,
    ExportCodeHandler,
    LogsHandler,
    NotebookHandler,
    ProgressHandler,
    RequestHandler,
    ServingsHandler,
    TrainingsHandler,
)
from jupyterhub_mesos.lab.lake_handlers import (
    LakeFileHandler,
    LakeFoldersHandler,
    LakeListHandler,
    LakePreviewHandler,
    LakeSourcesHandler,
)
from jupyterhub_mesos.lab.pipeline_handlers import PipelineHandler, PipelinesHandler, RunsHandler

PREFIX: Final = "capacity"
ROUTES: Final[dict[str, type[CapacityHandler]]] = {
    "notebook": NotebookHandler,
    "choices": ChoicesHandler,
    "pipeline": PipelineHandler,
    "pipelines": PipelinesHandler,
    "runs": RunsHandler,
    "trainings": TrainingsHandler,
    "servings": ServingsHandler,
    "requests/([^/]+)": RequestHandler,
    "requests/([^/]+)/again": AgainHandler,
    "requests/([^/]+)/progress": ProgressHandler,
    "requests/([^/]+)/logs": LogsHandler,
    "candidates/code": CandidatesCodeHandler,
    "environment/code": EnvironmentCodeHandler,
    "exports/code": ExportCodeHandler,
    "lake/sources": LakeSourcesHandler,
    "lake/list": LakeListHandler,
    "lake/preview": LakePreviewHandler,
    "lake/folders": LakeFoldersHandler,
    "lake/file": LakeFileHandler,
}


def add_routes(server: ServerApp) -> None:
    """Serve the routes below the server's own base path."""
    base = server.web_app.settings["base_url"]
    rules = [(url_path_join(base, PREFIX, path), handler) for path, handler in ROUTES.items()]
    server.web_app.add_handlers(".*$", rules)  # type: ignore[no-untyped-call]  # tornado says no types
