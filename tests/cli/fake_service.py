"""The part of the capacity service's API that `quota` asks, over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from jupyterhub_mesos.configuration import diff_teams
from jupyterhub_mesos.wire import Problem, ResourcesModel, TeamsEdit, TeamsModel, TeamsView, TeamUseView, Wire

TOKEN = "an-admins-token"
FORBIDDEN = Problem(title="Forbidden", status=403, detail="Only admins may do this.", code="not-allowed")


class FakeService:
    """Teams that can be read and replaced by the owner of `TOKEN`."""

    def __init__(self, teams: TeamsModel) -> None:
        self.teams = teams
        self.revision = 1

    def view(self) -> TeamsView:
        return TeamsView(
            revision=self.revision,
            teams=tuple(
                TeamUseView(
                    id=name,
                    team=team,
                    used=ResourcesModel(cpu_millis=500, mem_mib=512),
                    borrowed=ResourcesModel(),
                    waiting=len(name),
                    is_member=True,
                    is_admin=True,
                )
                for name, team in self.teams.teams.items()
            ),
        )

    def replace(self, teams: TeamsModel, *, is_dry_run: bool) -> TeamsEdit:
        changes = diff_teams(self.teams, teams)
        is_applied = bool(changes) and not is_dry_run
        if is_applied:
            self.teams = teams
            self.revision += 1
        return TeamsEdit(revision=self.revision, changes=changes, is_applied=is_applied)


@contextmanager
def serving(service: FakeService) -> Iterator[str]:
    """Serve on a free port; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(service.view)

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_dry_run = parse_qs(urlsplit(self.path).query).get("dry_run") == ["true"]
            self._answer(lambda: service.replace(TeamsModel.model_validate_json(body), is_dry_run=is_dry_run))

        def _answer(self, act: Callable[[], Wire]) -> None:
            if self.headers["Authorization"].split()[-1] != TOKEN:
                self._send(403, FORBIDDEN)
            elif urlsplit(self.path).path == "/services/capacity/api/v1/teams":
                self._send(200, act())
            else:
                self.send_error(404)

        def _send(self, status: int, message: Wire) -> None:
            content = message.model_dump_json().encode()
            self.send_response(status)
            kind = "application/json" if status == 200 else "application/problem+json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/capacity/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
