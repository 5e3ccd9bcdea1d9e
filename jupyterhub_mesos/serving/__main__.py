"""`python -m jupyterhub_mesos.serving`: serve one bundle until SIGTERM.

Listens at once (live), verifies the bundle, then is ready. SIGTERM: not ready
any more, answers what was asked before, ends. A bundle that does not hold ends
it with exit code 1 and the sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from importlib.metadata import version
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.serving.model import ServedModel, Wanted
from jupyterhub_mesos.serving.plan import TOKEN_VARIABLE
from jupyterhub_mesos.serving.protocol import MAX_ROWS
from jupyterhub_mesos.serving.server import State, make_app

DRAIN_SECONDS: Final = 8.0
"""Less than a task's grace between SIGTERM and SIGKILL."""
MIB: Final = 1024 * 1024

log = logging.getLogger("jupyterhub_mesos.serving")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jupyterhub_mesos.serving", description=__doc__)
    parser.add_argument(
        "--bundle", required=True, help="a bundle's folder, or a git repository (path or URL)"
    )
    parser.add_argument("--ref", help="tag or branch of the repository, e.g. digits/v1; main by default")
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; this machine by default")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one, which is printed")
    parser.add_argument("--threads", type=int, default=1, help="threads of one inference")
    parser.add_argument("--max-rows", type=int, default=MAX_ROWS, help="rows of one request")
    parser.add_argument("--max-body-mib", type=int, default=16, help="size of one request's body, in MiB")
    return parser


async def serve(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    state = _state(arguments)
    sockets = bind_sockets(arguments.port, arguments.host)
    server = HTTPServer(make_app(state), max_body_size=state.max_body_bytes)
    server.add_sockets(sockets)
    address = f"http://{arguments.host}:{sockets[0].getsockname()[1]}"
    log.info("live at %s, verifying %s", address, arguments.name)
    try:
        return await _until_stopped(state, stop, address)
    finally:
        state.is_draining = True
        server.stop()
        await _drained(state.model)
        await server.close_all_connections()
        state.model.close()


def _state(arguments: argparse.Namespace) -> State:
    wanted = Wanted(
        bundle=arguments.bundle,
        ref=arguments.ref,
        name=arguments.name,
        threads=arguments.threads,
        max_rows=arguments.max_rows,
    )
    return State(
        model=ServedModel(wanted),
        version=version("jupyterhub-mesos"),
        token=os.environ.get(TOKEN_VARIABLE, ""),
        max_body_bytes=arguments.max_body_mib * MIB,
    )


async def _until_stopped(state: State, stop: asyncio.Event, address: str) -> int:
    stopping = asyncio.ensure_future(stop.wait())
    loading = asyncio.ensure_future(state.model.load())
    await asyncio.wait({stopping, loading}, return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        loading.cancel()
        return 0
    try:
        result = loading.result()
    except CapacityError as error:
        stopping.cancel()
        log.error("not served: %s", error)
        return 1
    log.info("ready at %s: %s", address, result)
    await stopping
    log.info("stopping")
    return 0


async def _drained(model: ServedModel) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await model.settle()
    except TimeoutError:
        log.warning("stopped with a request unanswered: it took longer than %g s", DRAIN_SECONDS)


def main(argv: list[str] | None = None) -> int:
    """Read the command line and serve."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        return asyncio.run(serve(_parser().parse_args(argv)))
    except OSError as error:
        log.error("cannot listen: %s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
