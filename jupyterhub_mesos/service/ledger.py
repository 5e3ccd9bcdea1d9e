"""The one writer: changes go through the quota machine and are durable before anybody hears of them.

Group commit: whatever arrived while the last commit was being made durable is
the next transaction. Each change is handled atomically by the machine; one
that is refused fails its own caller only. When a commit fails, the machine is
rebuilt from the store at once. Memory says more than the disk only while a batch
is written or rolled back: whoever acts on what it says awaits `settled` first.

No task is owned here: a commit is work in the store's thread and a call-back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeVar

from jupyterhub_mesos.configuration.teams import team_values
from jupyterhub_mesos.errors import CapacityError, LedgerError, OutcomeUnknown, TakenOver
from jupyterhub_mesos.service.calls import Call, Refusal, future
from jupyterhub_mesos.service.changes import Change, Commit, Handled, handle, keep
from jupyterhub_mesos.service.facts import facts_of
from jupyterhub_mesos.service.idempotency import key_change, with_key
from jupyterhub_mesos.service.keeping import kept_of
from jupyterhub_mesos.service.memory import Memory
from jupyterhub_mesos.service.rows import Batch, Loaded, RequestRow, TaskRow, server_key
from jupyterhub_mesos.service.store import Store
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos.wire import TeamsModel
from jupyterhub_mesos_quota.errors import QuotaError
from jupyterhub_mesos_quota.events import Action
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Allocation, AllocationId, Node, RequestId
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY, Policy

__all__ = ["Change", "Commit", "Ledger"]

log: Final = logging.getLogger(__name__)
T = TypeVar("T")

MAX_BATCH: Final = 1000
"""Changes in one transaction; bounds how long the event loop is held by one batch."""


class Ledger:
    """The machine, its rows in memory, and the store under them."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        policy: Policy = DEFAULT_POLICY,
        deciding: Callable[[int], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.clock = clock
        self.policy = policy
        self._store = store
        self._deciding = deciding  # entered around each batch, with the number of its callers
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._calls: deque[Call] = deque()
        self._memory = Memory.of(Loaded(TeamsModel(teams={}), 0, (), (), (), ()), last_seq=0)
        self._machine = QuotaMachine(policy=policy)
        self._is_busy = False  # a batch is being handled, written or rolled back
        self._is_stale = True  # memory may say more than the disk
        self._is_closed = False
        self._failure = ""
        self._doubt = ""
        self._taken_over = asyncio.Event()
        self._listeners: list[Callable[[Commit], None]] = []

    # ---- opening and closing -------------------------------------------------------------------

    async def open(self) -> None:
        """Open the store and rebuild the machine from it."""
        await self._in_thread(self._store.open)
        loaded, last_seq = await self._in_thread(self._load)
        self._restore(loaded, last_seq, ())

    async def close(self) -> None:
        """Let what is being written finish, refuse the rest and close the store."""
        self._is_closed = True
        await self._in_thread(self._store.close)
        self._thread.shutdown(wait=False)

    # ---- writing -------------------------------------------------------------------------------

    async def apply(self, *changes: Change) -> tuple[Action, ...]:
        """Handle changes in order and return the machine's actions, durable by then.

        Raises the `QuotaError` of a refused event, `Conflict` for a second live request of one notebook
        server or a moved revision of the teams, `LedgerError` when the commit failed. Of several
        changes, those that hold are committed before the first refusal is raised.
        """
        return await self._enqueue(Call(with_key(changes, self.clock()), future()))

    async def apply_each(self, *changes: Change) -> tuple[Refusal | None, ...]:
        """Handle changes in order in one transaction, durable by then; say why each was refused, if it was.

        Raises `LedgerError` when the commit failed: nothing was changed then.
        """
        key = key_change(changes, self.clock())
        entered = changes if key is None else (*changes, key)
        call = Call(entered, future(), is_each=True)
        await self._enqueue(call)
        return tuple(call.refusals[: len(changes)])

    def _enqueue(self, call: Call) -> asyncio.Future[tuple[Action, ...]]:
        self._calls.append(call)
        if not self._is_busy:
            self._is_busy = True
            asyncio.get_running_loop().call_soon(self._next_batch)
        return call.done

    async def settled(self) -> None:
        """Wait until memory says what the disk says; it does when this returns, until the next await.

        Raises `LedgerError` where a failed commit could not be rolled back.
        """
        if self._is_busy or self._is_stale:
            await self.apply()

    async def check_owner(self) -> None:
        """Look whether this ledger is still ours; raises `TakenOver`."""
        try:
            await self._in_thread(self._store.check_owner)
        except TakenOver as error:
            self._note(error)
            raise

    def doubt(self, error: LedgerError) -> None:
        """Believe memory no more until it was read back: the ledger may be another service's by now."""
        self._is_stale, self._doubt = True, str(error)
        if isinstance(error, TakenOver):
            self._note(error)

    def trust(self) -> None:
        """Know again that the ledger is ours."""
        self._doubt = ""

    @property
    def is_in_doubt(self) -> bool:
        """Whether nobody could say when asked last that the ledger is ours."""
        return bool(self._doubt)

    @property
    def is_taken_over(self) -> bool:
        """Whether another service has opened this ledger."""
        return self._taken_over.is_set()

    async def taken_over(self) -> None:
        """Wait until another service has opened this ledger: nothing can be written from here then."""
        await self._taken_over.wait()

    def subscribe(self, listener: Callable[[Commit], None]) -> Callable[[], None]:
        """Call `listener` after every commit, before its callers wake; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- reading -------------------------------------------------------------------------------

    @property
    def machine(self) -> QuotaMachine:
        """The quota machine; do not keep it, it is replaced after a failed commit."""
        return self._machine

    @property
    def failure(self) -> str:
        """Why the last commit failed; empty where it did not."""
        return self._failure

    @property
    def teams(self) -> TeamsModel:
        """The team tree in force, as an admin wrote it."""
        return self._memory.teams

    @property
    def revision(self) -> int:
        """How often the team tree was written; 0 is never."""
        return self._memory.revision

    @property
    def memory(self) -> Memory:
        """The live rows; read only."""
        return self._memory

    def row(self, request_id: RequestId) -> RequestRow | None:
        """Return a live request."""
        return self._memory.requests.get(request_id)

    def rows(self) -> Sequence[RequestRow]:
        """Return every live request."""
        return tuple(self._memory.requests.values())

    def allocation_of(self, request_id: RequestId) -> Allocation | None:
        """Return the live allocation of a request."""
        return self._memory.allocation_of(request_id, self._machine)

    def tasks_of(self, allocation_id: AllocationId) -> tuple[TaskRow, ...]:
        """Return the tasks of a live allocation, by generation, role and index."""
        return self._memory.tasks_of(allocation_id)

    def task(self, task_id: TaskId) -> TaskRow | None:
        """Return a task of a live allocation."""
        return self._memory.tasks.get(task_id)

    def server(self, user: str, server_name: str, hub: str = "") -> RequestRow | None:
        """Return the live request of a notebook server."""
        request_id = self._memory.servers.get(server_key(user, server_name, hub))
        return None if request_id is None else self.row(request_id)

    async def find(self, request_id: RequestId) -> RequestRow | None:
        """Return a request, live or ended."""
        row = self.row(request_id)
        return row if row is not None else await self.read(lambda store: store.request(request_id))

    async def read(self, query: Callable[[Store], T]) -> T:
        """Run a query in the store's thread."""
        return await self._in_thread(lambda: query(self._store))

    async def until(self, look: Callable[[], T | None]) -> T:
        """Return the first answer of `look` that is not None: asked now and after each commit."""
        while (answer := look()) is None:
            committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake(_commit: Commit, committed: asyncio.Future[None] = committed) -> None:
                if not committed.done():
                    committed.set_result(None)

            unsubscribe = self.subscribe(wake)
            try:
                await committed
            finally:
                unsubscribe()
        return answer

    # ---- the cycle: handle, write, tell ----------------------------------------------------------

    def _next_batch(self) -> None:
        if self._is_closed:
            self._refuse_all("the ledger is closed")
            return
        if self._is_stale:
            self._submit(self._load, self._reloaded)
            return
        batch, calls, commit = Batch(at=self.clock()), list[Call](), Handled()
        while self._calls and len(calls) < MAX_BATCH:
            calls.append(self._calls.popleft())
        try:
            with self._deciding(len(calls)):
                for call in calls:
                    self._handle(call, batch, commit)
                keep(self._machine, self._memory, batch, commit)
        except Exception as error:  # a bug must reach the callers and roll memory back
            log.exception("the ledger could not handle a batch")
            self._fail(calls, error)
            return
        if batch.is_empty:
            self._committed(calls, commit)
        else:
            self._submit(lambda: self._store.write(batch), lambda done: self._written(done, calls, commit))

    def _handle(self, call: Call, batch: Batch, commit: Handled) -> None:
        """Let the machine handle one caller's changes; a refusal is kept for that caller."""
        actions: list[Action] = []
        for change in call.changes:
            try:
                actions += handle(change, self._machine, self._memory, batch, commit)
                call.refusals.append(None)
            except (CapacityError, QuotaError) as error:
                call.refusals.append(error)
        call.actions = tuple(actions)

    def _written(self, done: ThreadFuture[None], calls: list[Call], commit: Handled) -> None:
        error = done.exception()
        if error is None:
            self._failure = ""
            self._committed(calls, commit)
        else:
            log.error("the ledger could not be written: %s", error)
            self._note(error)
            self._fail(calls, error)

    def _note(self, error: BaseException) -> None:
        self._failure = str(error)
        if isinstance(error, TakenOver):
            self._taken_over.set()

    def _committed(self, calls: list[Call], handled: Handled) -> None:
        self._machine.forget_ended()
        self._memory.drop_ended(handled.requests, handled.allocations, self._machine)
        commit = handled.commit(self._memory.revision)
        self._tell(commit)
        for call in calls:
            if call.done.done():  # its caller was cancelled
                continue
            if call.refusal is not None:
                call.done.set_exception(call.refusal)
            else:
                call.done.set_result(call.actions)
        self._go_on()

    def _tell(self, commit: Commit) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(commit)
            except Exception:  # a listener's bug may not keep the callers waiting for ever
                log.exception("a listener of the ledger failed")

    def _fail(self, calls: list[Call], error: BaseException) -> None:
        """Tell the callers, and rebuild memory from the disk before anything else is handled or acted on."""
        self._is_stale = True
        for call in calls:
            if not call.done.done():
                failure = LedgerError(_told(error))
                failure.__cause__ = error
                call.done.set_exception(failure)
        if self._is_closed:
            self._refuse_all("the ledger is closed")
        else:
            self._submit(self._load, self._reloaded)

    def _reloaded(self, done: ThreadFuture[tuple[Loaded, int]]) -> None:
        error = done.exception()
        if error is None:
            phantoms = self._everything()
            self._restore(*done.result(), nodes=tuple(self._machine.reported_nodes.values()))
            self._tell(_rolled_back(phantoms, self._everything()))
            self._go_on()
            return
        log.error("the ledger could not be read back: %s", error)
        self._note(error)
        self._refuse_all(f"nothing was changed: {error}")

    def _refuse_all(self, reason: str) -> None:
        calls, self._is_busy = list(self._calls), False
        self._calls.clear()
        for call in calls:
            if not call.done.done():
                call.done.set_exception(LedgerError(reason))

    def _go_on(self) -> None:
        self._is_busy = bool(self._calls)
        if self._is_busy:
            asyncio.get_running_loop().call_soon(self._next_batch)

    def _restore(self, loaded: Loaded, last_seq: int, nodes: Sequence[Node]) -> None:
        memory, requests = Memory.of(loaded, last_seq), tuple(row.request for row in loaded.requests)
        memory.told = kept_of(memory.kept)
        machine = QuotaMachine.restore(
            team_values(loaded.teams),
            nodes,
            requests,
            loaded.allocations,
            self.policy,
            memory.told,
        )
        payloads = {row.id: row.info.payload for row in loaded.requests}
        machine.learn({each.id: facts_of(payloads[each.request_id]) for each in loaded.allocations})
        self._memory, self._machine, self._is_stale = memory, machine, False

    def _everything(self) -> Commit:
        requests, allocations = frozenset(self._memory.requests), frozenset(self._machine.allocations)
        return Commit((), requests, allocations, self._memory.revision)

    def _load(self) -> tuple[Loaded, int]:
        return self._store.load(), self._store.last_seq()

    def _submit(self, work: Callable[[], T], then: Callable[[ThreadFuture[T]], None]) -> None:
        """Run `work` in the store's thread and `then` in the event loop."""
        loop = asyncio.get_running_loop()
        future = self._thread.submit(work)
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(then, done))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _told(error: BaseException) -> str:
    """Say what a failed commit means for who asked."""
    if isinstance(error, OutcomeUnknown):
        return f"it is not known whether anything was changed, so look before you ask again: {error}"
    return f"nothing was changed: {error}"


def _rolled_back(before: Commit, after: Commit) -> Commit:
    """Return what the listeners are told after a roll-back: everything may look otherwise now."""
    requests, allocations = before.requests | after.requests, before.allocations | after.allocations
    return Commit((), requests, allocations, after.revision)
