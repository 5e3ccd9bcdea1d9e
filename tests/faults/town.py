"""A full installation in which one request is brought to a step, and something dies there."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from deadlines import eventually
from faults.gate import Gate
from faults.table import Act, End, Step, Victim
from installation import Installation
from jupyterhub_mesos.wire import NotebookPayload, RequestSubmission, RequestView
from jupyterhub_mesos_quota.model import RequestStatus
from soak import checks
from soak.acts import keeper_of
from soak.world import Asked, World, is_running

HERE: Final = Path(__file__).parent
SERVER: Final = "subject"
FILLERS: Final = (("ann", "large"), ("dan", "medium"), ("ben", "small"))
"""They hold 3.5 of the 4 cores, one of them lent by speech to vision, for as long as the table takes."""
WAITERS: Final = ("ben", "dan")
"""Each waits for two cores all the while."""
BORROWER: Final = "dan"
OWNER: Final = "eva"


class Town:
    """The installation, who fills it, who waits, and the request that things happen to."""

    def __init__(self, root: Path) -> None:
        self.cloud = Installation(
            root, config=HERE / "hub_config.py", program=(str(HERE / "impatient_up.py"),)
        )
        self.world = World(self.cloud)
        self.gate = Gate(self.cloud.folder.root)
        self._count = 0
        self._waiters = set[str]()

    def fill(self) -> None:
        """Let some run and some wait, who see nothing of what follows."""
        for name, profile in FILLERS:
            self.cloud.start_notebook(name, profile)
        self._waiters = {self.ask(name, "waits", "large").request_id for name in WAITERS}
        checks.calm_down(self.world)

    # ---- what people do ---------------------------------------------------------------------------

    def ask(self, name: str, server: str, profile: str) -> Asked:
        """Ask for a server; where no answer comes, `World.settle_asked` asks again."""
        self._count += 1
        payload = NotebookPayload(server_name=server, profile=profile)
        asked = Asked(name, f"key-{self._count}", RequestSubmission(payload=payload))
        self.world.ask(asked)
        return asked

    def subject(self) -> RequestView:
        """Return the request that things happen to."""
        views = [view for view in self.world.views() if view.name == SERVER]
        return max(views, key=lambda view: view.submitted_at)

    @contextmanager
    def acting(self, step: Step) -> Generator[None]:
        """Bring the subject to its step in a thread: who asks is not answered while the service is held."""
        before, asking = self._before(step)
        if before is not None:
            self.ask(before, SERVER, step.profile)
            checks.calm_down(self.world)
        if step.where:
            self.gate.hold(step.where, before or asking)
        thread = threading.Thread(target=self._act, args=(step, asking))
        thread.start()
        try:
            if step.where:
                self.gate.until_reached()
            else:
                thread.join()
                checks.calm_down(self.world)
            yield
        finally:
            self.gate.open()
            thread.join()

    def _before(self, step: Step) -> tuple[str | None, str]:
        """Return whose server has to run before the act, and who acts."""
        if step.act is Act.TAKE_BACK:
            return BORROWER, OWNER
        return (OWNER, OWNER) if step.act is Act.STOP else (None, OWNER)

    def _act(self, step: Step, who: str) -> None:
        if step.act is Act.STOP:
            self.world.end(who, self.subject().id)
        elif step.act is Act.TAKE_BACK:
            self.ask(who, "lenders", step.profile)
        else:
            self.ask(who, SERVER, step.profile)

    # ---- what dies --------------------------------------------------------------------------------

    def kill(self, victim: Victim, user: str) -> None:
        """Kill, let the service go on, and wait until everything answers again."""
        killed: dict[str, int] = {}
        if victim in {Victim.KEEPER, Victim.SERVER}:
            server = self.server_process(user)
            process = server if victim is Victim.SERVER else keeper_of(server)
            assert process is not None, "a server without a keeper"
            process.kill()
        else:
            killed = self.cloud.strike(victim)
        self.gate.open()
        self.cloud.until_back(killed)

    def server_process(self, user: str) -> psutil.Process:
        """Return the subject's own server."""
        for process in self.world.task_processes():
            env = process.environ()
            if (env["JUPYTERHUB_USER"], env.get("JUPYTERHUB_SERVER_NAME")) == (user, SERVER):
                return process
        raise AssertionError(f"{user}'s server is not in the process table")

    # ---- what is seen -----------------------------------------------------------------------------

    def others(self) -> list[tuple[str, int]]:
        """Return the processes of those who fill the installation."""
        return sorted(
            (env["JUPYTERHUB_USER"], process.pid)
            for process in self.world.task_processes()
            if (env := process.environ()).get("JUPYTERHUB_SERVER_NAME", "") == ""
        )

    def waiting(self) -> list[str]:
        """Return who of the waiters waits, in order."""
        return [name for name in checks.places(self.world) if name in self._waiters]

    def end_of_subject(self) -> str:
        """Say what became of it."""
        view = self.subject()
        if is_running(view):
            return End.RUNS
        if view.status in {RequestStatus.QUEUED, RequestStatus.HELD}:
            return End.WAITS
        return view.outcome or str(view.status)

    def clear(self) -> None:
        """End what the last cell left."""
        for view in self.world.live():
            if view.name in {SERVER, "lenders"}:
                self.world.end("admin", view.id)
        eventually(
            lambda: not [view for view in self.world.live() if view.name in {SERVER, "lenders"}],
            "the subject is over",
        )
        checks.calm_down(self.world)
