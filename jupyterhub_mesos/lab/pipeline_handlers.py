"""The routes of the Export dialog's second kind: a notebook as a pipeline in git."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterhub_mesos.lab.handlers import CapacityHandler
from jupyterhub_mesos.lab.pipelines import pipeline_form


class PipelineHandler(CapacityHandler):
    """A notebook's defaults for the Export dialog's kind Pipeline."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what the dialog shows of a notebook as a pipeline."""
        path = self.get_query_argument("path")
        self.answer(await self.in_thread(pipeline_form, self.file(path), path))
