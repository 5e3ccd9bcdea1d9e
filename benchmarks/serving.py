"""What the model server costs per request, beside the plainest loop of tornado and onnxruntime.

    python -m benchmarks serving [--quick]

Both serve the same model of the digits, one row a request over one kept-open connection, one after the other;
CPU time and resident memory are those of the server's process, as the kernel counts them.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psutil

from benchmarks.table import Figure

CPU_GOAL_MS = 0.6
MEMORY_GOAL_MIB = 90.0
REQUESTS = 500
ROUNDS = 12
QUICK_ROUNDS = 4
WARM_UP = 50
DEADLINE_SECONDS = 60.0

PLAIN = """\
import asyncio, json, sys
import numpy as np, onnxruntime
from tornado.web import Application, RequestHandler
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
class Infer(RequestHandler):
    def post(self):
        given = json.loads(self.request.body)["inputs"][0]
        rows = np.asarray(given["data"], np.float32).reshape(given["shape"])
        answers = session.run(None, {given["name"]: rows})
        outputs = [{"data": one.ravel().tolist(), "shape": one.shape} for one in answers]
        self.write(json.dumps({"outputs": outputs}))
async def serve():
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([("/.*", Infer)], log_function=lambda _: None)).add_sockets(sockets)
    print(f"ready at http://127.0.0.1:{sockets[0].getsockname()[1]}:", flush=True)
    await asyncio.Event().wait()
asyncio.run(serve())
"""


def main(quick: bool) -> list[Figure]:
    """Measure; medians of short rounds in which both servers take turns, so that what disturbs hits both."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as name:
        bundle, body = _bundle(Path(name))
        ours = (
            "-P",
            "-m",
            "jupyterhub_mesos.serving",
            "--bundle",
            str(bundle),
            "--name",
            "digits",
            "--port",
            "0",
        )
        with _started(*ours) as one, _started("-c", PLAIN, str(bundle / "model" / "model.onnx")) as other:
            found = [(one.measure(body), other.measure(body)) for _ in range(rounds)]
            memory = (one.resident_mib(), other.resident_mib())
    return _figures([pair[0] for pair in found], [pair[1] for pair in found], memory)


def _figures(
    ours: list[tuple[float, float]], plain: list[tuple[float, float]], memory: tuple[float, float]
) -> list[Figure]:
    baseline = "tornado and onnxruntime in 20 lines, which check nothing"
    return [
        Figure(
            what="CPU per request",
            unit="ms",
            ours=statistics.median(cpu for cpu, _ in ours),
            definition="user and system time of the server's process, one row of 64 numbers a request.",
            baseline=statistics.median(cpu for cpu, _ in plain),
            baseline_is=baseline,
            at_most=CPU_GOAL_MS,
        ),
        Figure(
            what="time per request",
            unit="ms",
            ours=statistics.median(wall for _, wall in ours),
            definition="from the request to its answer, for a client on the same machine; median.",
            baseline=statistics.median(wall for _, wall in plain),
            baseline_is=baseline,
        ),
        Figure(
            what="resident memory",
            unit="MiB",
            ours=memory[0],
            definition="of the server's process after these requests.",
            baseline=memory[1],
            baseline_is=baseline,
            at_most=MEMORY_GOAL_MIB,
        ),
    ]


def _bundle(folder: Path) -> tuple[Path, bytes]:
    """Export the model in a process of its own; return the bundle and the body of a request."""
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tests')\n"
        "from model_fixtures import *\n"
        f"folder = Path({str(folder)!r})\n"
        "export_digits(train_digits(), bare_repository(folder / 'models.git'), folder / 'bundle')"
    )
    subprocess.run((sys.executable, "-c", program), check=True, cwd=Path(__file__).parents[1])
    row = [float(number % 17) for number in range(64)]
    tensor = {"name": "X", "datatype": "FP32", "shape": [1, 64], "data": row}
    return folder / "bundle", json.dumps({"inputs": [tensor]}).encode()


class _Server:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = psutil.Process(process.pid)
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("ready at"))
        found = re.search(r":(\d+):", line)
        assert found
        self._connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=DEADLINE_SECONDS)

    def measure(self, body: bytes) -> tuple[float, float]:
        """Return CPU and wall milliseconds a request."""
        for _ in range(WARM_UP):
            self._ask(body)
        walls: list[float] = []
        before = self._process.cpu_times()
        for _ in range(REQUESTS):
            began = time.perf_counter()
            self._ask(body)
            walls.append(time.perf_counter() - began)
        after = self._process.cpu_times()
        used = after.user + after.system - before.user - before.system
        return used * 1000 / REQUESTS, statistics.median(walls) * 1000

    def _ask(self, body: bytes) -> None:
        self._connection.request(
            "POST", "/v2/models/digits/infer", body, {"Content-Type": "application/json"}
        )
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise OSError(f"the server answered {answer.status}: {content[:200]!r}")

    def resident_mib(self) -> float:
        """Return the resident set."""
        resident: int = self._process.memory_info().rss
        return resident / 1024 / 1024


@contextmanager
def _started(*arguments: str) -> Generator[_Server]:
    process = subprocess.Popen((sys.executable, *arguments), stdout=subprocess.PIPE, text=True)
    try:
        yield _Server(process)
    finally:
        process.kill()
        process.wait()
