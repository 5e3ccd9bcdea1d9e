"""The routes of the Export dialog's second kind: a notebook as a pipeline in git."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.lab.handlers import CapacityHandler, service
from jupyterhub_mesos.lab.messages import PipelineForm, PipelineOrder, PipelinePushed, RunOrder
from jupyterhub_mesos.pipeline.spelling import team_here
from jupyterhub_mesos.wire import PipelinePayload, RequestSubmission, RequestView


class PipelineHandler(CapacityHandler):
    """A notebook's defaults for the Export dialog's kind Pipeline."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what the dialog shows of a notebook as a pipeline."""
        path = self.get_query_argument("path")
        self.answer(await self.in_thread(_form, self.file(path), path, self.missing))


class PipelinesHandler(CapacityHandler):
    """Push a notebook as a pipeline's project."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Push it; the answer says whether the push started a run."""
        order = self.order(PipelineOrder)
        self.answer(await self.in_thread(_pushed, self.file(order.path), order), HTTPStatus.CREATED)


class RunsHandler(CapacityHandler):
    """Run a project that is pushed already."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Submit the run; its request is the answer."""
        self.answer(await self.in_thread(_run, self.order(RunOrder)), HTTPStatus.CREATED)


def _form(path: Path, shown_as: str, missing: list[str] | None) -> PipelineForm:
    with _complete():
        from jupyterhub_mesos.lab.pipelines import pipeline_form  # noqa: PLC0415 - see `_complete`
    return pipeline_form(path, shown_as, missing)


def _pushed(path: Path, order: PipelineOrder) -> PipelinePushed:
    with _complete():
        from jupyterhub_mesos.lab.pipelines import pushed  # noqa: PLC0415 - see `_complete`
    return pushed(path, order)


@contextmanager
def _complete() -> Generator[None, None, None]:
    """Say what to install: a notebook server that only trains may lack what makes pipelines."""
    try:
        yield
    except ImportError as error:
        raise WorkloadError(
            f"this notebook server cannot make pipelines ({error}): install 'jupyterhub-mesos[pipeline]' in "
            "its environment"
        ) from error


def _run(order: RunOrder) -> RequestView:
    payload = PipelinePayload(name=order.name, repository=order.remote, commit=order.commit)
    return service().submit(RequestSubmission(team=team_here(), payload=payload))
