"""The routes of the Export dialog's second kind: a notebook as a pipeline in git."""

from __future__ import annotations

from http import HTTPStatus

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterhub_mesos.lab.handlers import CapacityHandler, service
from jupyterhub_mesos.lab.messages import PipelineOrder, RunOrder
from jupyterhub_mesos.lab.pipelines import pipeline_form, pushed
from jupyterhub_mesos.wire import PipelinePayload, RequestSubmission, RequestView


class PipelineHandler(CapacityHandler):
    """A notebook's defaults for the Export dialog's kind Pipeline."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what the dialog shows of a notebook as a pipeline."""
        path = self.get_query_argument("path")
        self.answer(await self.in_thread(pipeline_form, self.file(path), path))


class PipelinesHandler(CapacityHandler):
    """Push a notebook as a pipeline's project."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Push it; the answer says whether the push started a run."""
        order = self.order(PipelineOrder)
        self.answer(await self.in_thread(pushed, self.file(order.path), order), HTTPStatus.CREATED)


class RunsHandler(CapacityHandler):
    """Run a project that is pushed already."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Submit the run; its request is the answer."""
        self.answer(await self.in_thread(_run, self.order(RunOrder)), HTTPStatus.CREATED)


def _run(order: RunOrder) -> RequestView:
    payload = PipelinePayload(name=order.name, repository=order.remote, commit=order.commit)
    return service().submit(RequestSubmission(payload=payload))
