"""The model behind the server: loaded and run in one thread of its own, with a bounded line before it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.export.integrity import Loaded, load
from jupyterhub_mesos.serving.protocol import Json, described, read_inference, write_answer
from jupyterhub_mesos.serving.source import bundle_folder

MAX_WAITING: Final = 64
"""Requests that may wait for the model, the running one included; more are told to come again."""

SMALL_BYTES: Final = 16 * 1024
"""A body up to this size may be answered on the loop: some hundred numbers."""
QUICK_SECONDS: Final = 0.002
"""Where small bodies take no longer on average, the way to the thread and back costs as much as they do."""
LATEST: Final = 0.1
"""What the latest answer weighs in that average."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bundle to serve, under which name."""

    bundle: str
    ref: str | None
    name: str
    threads: int
    max_rows: int


class ServedModel:
    """Answers for one model; `load` first, from then on it is ready."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._loaded: Loaded | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._waiting = 0
        self._small_seconds = float("inf")  # until the first small body was answered in the thread
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_ready(self) -> bool:
        """Whether the bundle is verified and loaded."""
        return self._loaded is not None

    @property
    def version(self) -> str:
        """The version by the manifest, as a URL says it (`1`)."""
        return str(self._ready().manifest.version)

    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise Unavailable(f"the model {self.wanted.name} is still being verified: ask again in a moment")
        return self._loaded

    async def load(self) -> str:
        """Fetch, verify and load the bundle; raises CapacityError that says what is wrong with it."""
        loaded = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        self._loaded = loaded
        manifest, replayed = loaded.manifest, loaded.replayed
        return f"{manifest.name} v{manifest.version}, test vectors differ by {replayed.largest:.3g} at most"

    def _load(self) -> Loaded:
        wanted = self.wanted
        with bundle_folder(wanted.bundle, wanted.ref, wanted.name) as folder:
            loaded = load(folder, threads=wanted.threads)
        if loaded.manifest.name != wanted.name:
            raise InvalidInput(f"the bundle is {loaded.manifest.name}, not {wanted.name}: name it as it is")
        return loaded

    def describe(self) -> Json:
        """Describe the model by its signature."""
        manifest = self._ready().manifest
        return described(manifest.name, self.version, manifest.inputs, manifest.outputs)

    async def infer(self, body: bytes) -> bytes:
        """Answer an inference: parsing, running and writing happen off the loop, unless they are quick.

        A body is quick where it is small and small ones took no longer than
        `QUICK_SECONDS` on average; it waits its turn where others wait.
        """
        loaded = self._ready()
        if not self._waiting and len(body) <= SMALL_BYTES and self._small_seconds <= QUICK_SECONDS:
            return self._infer(loaded, body)
        if self._waiting >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING} requests wait for the model already: ask again in a moment")
        self._waiting += 1
        self._idle.clear()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._infer, loaded, body)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._idle.set()

    def _infer(self, loaded: Loaded, body: bytes) -> bytes:
        began = time.perf_counter()
        signature = loaded.manifest.outputs
        asked = read_inference(body, loaded.manifest.inputs, signature, max_rows=self.wanted.max_rows)
        answers = loaded.model.run(asked.inputs, asked.outputs)
        answer = write_answer(self.wanted.name, str(loaded.manifest.version), asked, answers, signature)
        if len(body) <= SMALL_BYTES:
            self._note(time.perf_counter() - began)
        return answer

    def _note(self, seconds: float) -> None:
        before = self._small_seconds
        is_first = before == float("inf")
        self._small_seconds = seconds if is_first else before + LATEST * (seconds - before)

    async def settle(self) -> None:
        """Wait until no request is being answered."""
        await self._idle.wait()

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)
