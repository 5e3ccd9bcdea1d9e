"""The routes below `/capacity/` of a notebook server, each in the name of the server's own token.

An error is a problem (RFC 9457), as the service's own API answers it, with the cell and line of a
notebook where there is one. No call blocks the notebook server: each runs in a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ApiPath, to_os_path
from pydantic import ValidationError
from tornado import web

from jupyterhub_mesos.client import Client, is_over
from jupyterhub_mesos.errors import CapacityError, Conflict, InvalidInput, WorkloadError
from jupyterhub_mesos.lab.kernel import code
from jupyterhub_mesos.lab.messages import (
    Choices,
    ExportOrder,
    ServeOrder,
    TrainOrder,
)
from jupyterhub_mesos.lab.notebooks import form_of, job_of
from jupyterhub_mesos.lab.problems import FieldProblem, problem_of
from jupyterhub_mesos.training.notebook import modules_needed
from jupyterhub_mesos.wire import (
    PipelinePayload,
    RequestSubmission,
    RequestView,
    ServingPayload,
    TrainingPayload,
    Wire,
)

FRAMEWORKS: Final = ["sklearn", "torch"]
"""What `export` takes, the most likely first: only the order of the list in the dialog hangs on it."""

_M = TypeVar("_M", bound=Wire)
_P = ParamSpec("_P")
_R = TypeVar("_R")


class CapacityHandler(APIHandler):
    """What every route shares: threads, JSON in and out, errors as problems."""

    auth_resource = "capacity"

    async def in_thread(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run what reads files or asks the service, off the server's loop."""
        return await asyncio.to_thread(call, *args, **kwargs)

    def order(self, model: type[_M]) -> _M:
        """Read the body; raises `FieldProblem` that names each field that does not hold."""
        try:
            return model.model_validate_json(self.request.body)
        except ValidationError as error:
            raise FieldProblem.of(error) from error

    def file(self, path: str) -> Path:
        """Return the file of a path as JupyterLab shows it; raises `WorkloadError` where there is none."""
        root = getattr(self.contents_manager, "root_dir", None)
        if not isinstance(root, str) or not root:
            raise WorkloadError("this notebook server does not keep notebooks as files, so none can travel")
        base = Path(root).expanduser().absolute()
        place = Path(os.path.normpath(to_os_path(ApiPath(path), str(base))))  # the lake may be a link
        if not place.is_relative_to(base):
            raise WorkloadError(f"{path} is not below this server's folder")
        return place

    @property
    def missing(self) -> list[str] | None:
        """The modules that the notebook's kernel said it lacks; None where it was not asked."""
        names = self.get_query_argument("missing", None)
        return None if names is None else [name for name in names.split(",") if name]

    def answer(self, message: Wire, status: int = HTTPStatus.OK) -> None:
        """Finish with a message."""
        self.set_status(status)
        self.finish(message.model_dump_json())

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer our errors as problems; Jupyter Server's own keep its form."""
        error = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(error, CapacityError):
            super().write_error(status_code, **kwargs)
            return
        self.set_status(error.status)
        self.finish(problem_of(error).model_dump_json(), set_content_type="application/problem+json")

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Leave a person's own mistakes out of the log."""
        if not isinstance(value, CapacityError):
            super().log_exception(typ, value, tb)


class NotebookHandler(CapacityHandler):
    """A notebook's defaults for the Train dialog."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what the Train dialog shows of a notebook; `missing` is what its kernel said it lacks."""
        path = self.get_query_argument("path")
        self.answer(await self.in_thread(form_of, self.file(path), path, self.missing))


class ChoicesHandler(CapacityHandler):
    """The teams and accelerators that this person may choose."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer what the service lets this person choose."""
        self.answer(await self.in_thread(_choices))


class TrainingsHandler(CapacityHandler):
    """Submit a training job."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Submit a training job; its request is the answer."""
        order = self.order(TrainOrder)
        self.answer(await self.in_thread(_submit_training, self.file(order.path), order), HTTPStatus.CREATED)


class ServingsHandler(CapacityHandler):
    """Submit a model server for a pushed version."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Submit a model server; its request is the answer."""
        self.answer(await self.in_thread(_submit_serving, self.order(ServeOrder)), HTTPStatus.CREATED)


class RequestHandler(CapacityHandler):
    """One request as it is now; its end."""

    @web.authenticated
    @authorized
    async def get(self, request_id: str) -> None:
        """Answer the request."""
        self.answer(await self.in_thread(service().request, request_id))

    @web.authenticated
    @authorized
    async def delete(self, request_id: str) -> None:
        """Withdraw or stop it; it may be still ending when this is answered."""
        await self.in_thread(service().end, request_id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class AgainHandler(CapacityHandler):
    """A pipeline's run once more."""

    @web.authenticated
    @authorized
    async def post(self, request_id: str) -> None:
        """Submit the same commit and steps; what the run before has done is not done again."""
        self.answer(await self.in_thread(_again, request_id), HTTPStatus.CREATED)


class ProgressHandler(CapacityHandler):
    """What a job's workers said since the browser last asked."""

    @web.authenticated
    @authorized
    async def get(self, request_id: str) -> None:
        """Answer what came after the first `after` lines."""
        after = _whole("after", self.get_query_argument("after", "0"))
        self.answer(await self.in_thread(service().progress_page, request_id, after))


class LogsHandler(CapacityHandler):
    """A piece of one worker's output."""

    @web.authenticated
    @authorized
    async def get(self, request_id: str) -> None:
        """Answer what came after `offset`."""
        task = self.get_query_argument("task")
        offset = _whole("offset", self.get_query_argument("offset", "0"))
        self.answer(await self.in_thread(service().log_piece, request_id, task, offset))


class CandidatesCodeHandler(CapacityHandler):
    """The program that lists a kernel's models."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the program."""
        self.answer(code("candidates", {"frameworks": FRAMEWORKS}))


class EnvironmentCodeHandler(CapacityHandler):
    """The program that says which Python the kernel runs."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the program; it looks for the modules that the notebook's cells import."""
        modules = await self.in_thread(modules_needed, self.file(self.get_query_argument("path")))
        self.answer(code("environment", {"modules": modules}))


class ExportCodeHandler(CapacityHandler):
    """The program that exports one of them."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer the program with the order in it."""
        order = self.order(ExportOrder)
        notebook = self.file(order.path)
        self.answer(
            code(
                "exporting",
                {
                    **order.model_dump(exclude={"path"}),
                    "notebook": str(notebook) if notebook.is_file() else None,
                },
            )
        )


def service() -> Client:
    """Return the capacity service, asked with the notebook server's own token."""
    return Client.from_environment()


def _choices() -> Choices:
    client = service()
    teams = tuple(use.id for use in client.teams().teams if use.is_member)
    return Choices(teams=teams, flavors=tuple(sorted(client.capacity().total.accelerators)))


def _submit_training(path: Path, order: TrainOrder) -> RequestView:
    payload = TrainingPayload(job=job_of(path, order))
    return service().submit(RequestSubmission(team=order.team, payload=payload))


def _submit_serving(order: ServeOrder) -> RequestView:
    payload = ServingPayload(name=order.name, bundle=order.remote, ref=order.ref)
    return service().submit(RequestSubmission(team=order.team, payload=payload))


def _again(request_id: str) -> RequestView:
    client = service()
    view = client.request(request_id)
    if not isinstance(view.payload, PipelinePayload):
        raise InvalidInput(f"{view.name} is no pipeline: only a pipeline's run can be tried again as it was")
    if not is_over(view):
        raise Conflict(f"{view.name} is not over yet: cancel it first, or wait for its end")
    return client.submit(RequestSubmission(team=view.team, payload=view.payload, resources=view.resources))


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise InvalidInput(f"{name} is {text!r}; a whole number from 0 is needed")
    return int(text)
