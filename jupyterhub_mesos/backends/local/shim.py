"""Keep one task: start it, keep its output, end it when told to, and write down how it ended.

Run as `python -I -S shim.py FOLDER LOCK_FD READY_FD`, in a session of its own, so
that it outlives the service. Standard library only and few imports of it: there
is one such process per task. Its contract with the service, all in FOLDER:

- `spec.json` (read): what to run, under `orders`; `env.json` (read, then removed): the task's environment;
- the lock on LOCK_FD, taken by the service, is held as long as this process lives;
- READY_FD (written once, then closed): `ok`, or why the task could not be started;
- `shim.json` (written first): this process' pid and start time;
- what makes a sandbox runs with an environment of ours alone: the loader would obey the user's (`LD_PRELOAD`)
  before the rights are dropped. `launcher.py` takes up the task's own, from ENV_FD, when they are;
- `log/<offset>` (written): the task's output in two segments at most, so that it cannot fill the disk;
- `stop` (read at SIGTERM): the seconds between SIGTERM and SIGKILL;
- `exit.json` (written last): the exit code; once it is there, nothing of the task runs any more.
"""

# pathlib and contextlib would double the start time of a process that each task has:
# ruff: noqa: PTH105, PTH106, PTH108, PTH123, PTH208, SIM105

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # the real one costs an import of `typing` per task
if TYPE_CHECKING:
    from typing import Any, NoReturn

ENV_FD = 7  # where the task's environment waits until nothing privileged runs any more
STARTED_FD = 8  # where the task itself says `ok`, from inside the sandbox
INFO_FD = 9  # where bubblewrap tells the pid of the sandbox's first process
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
NOT_STARTED = 127  # as a shell says "command not found"
TASK_UMASK = 0o002  # members of a team write each other's files
READ_BYTES = 65536
KILL_AGAIN_SECONDS = 1.0  # for what was forked while the others were killed
CGROUP_EMPTY_SECONDS = 5.0  # a process just reaped may still be listed

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _write(name: str, value: dict[str, Any]) -> None:
    with open(name + ".new", "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())  # else a crash may leave an empty file under the final name
    os.replace(name + ".new", name)
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


def _start_time(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def _do_nothing(*_: object) -> None:
    """Let SIGCHLD wake the loop; the default would ignore it."""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Log:
    """The task's output: segments named by the offset of their first byte, the last two kept."""

    def __init__(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.starts = sorted(int(name) for name in os.listdir("log")) or [0]
        self.open()

    def open(self) -> None:
        """Go on in the last segment."""
        self.fd = os.open(f"log/{self.starts[-1]}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.written = os.fstat(self.fd).st_size

    def write(self, data: bytes) -> None:
        """Append a piece; begin a new segment where the last one is full."""
        try:
            if self.written >= self.segment_bytes:
                self.turn()
            self.written += os.write(self.fd, data)
        except OSError as error:  # a full disk must not end the task
            _complain(f"the log could not be written: {error}\n")

    def turn(self) -> None:
        """Begin a new segment, and drop what is more than two."""
        full = self.fd
        self.starts.append(self.starts[-1] + self.written)
        try:
            self.open()
        except OSError:
            self.starts.pop()
            raise
        os.close(full)
        while len(self.starts) > 2:
            os.unlink(f"log/{self.starts.pop(0)}")


def _complain(text: str) -> None:
    """Say it in `shim.err`, which may be on the same full disk."""
    try:
        os.write(2, text.encode())
    except OSError:
        pass


class Keeper:
    """One task's life, from its start to `exit.json`."""

    def __init__(self, orders: dict[str, Any], env: dict[str, str], ready_fd: int) -> None:
        self.orders = orders
        self.env = env
        self.ready_fd = ready_fd
        self.log = Log(orders["log_segment_bytes"])
        self.main = 0
        self.status: int | None = None
        self.kill_at: float | None = None
        self.is_stopping = False
        self.was_told_to_stop = False
        self.is_started = False
        self.output = self.info = self.started = -1
        self.wake, self.wake_writer = os.pipe()

    def run(self) -> None:
        """Live that life."""
        os.set_blocking(self.wake, False)
        os.set_blocking(self.wake_writer, False)
        signal.set_wakeup_fd(self.wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.signal(signal.SIGTERM, self.on_term)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        error = self.start()
        if error or not self.orders["is_sandbox"]:
            self.say_ready(error or "ok")
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self.wait()
        self.finish(error)

    def on_term(self, *_: object) -> None:
        """Note that the service wants an end; `wait` acts on it."""
        self.was_told_to_stop = True

    def start(self) -> str:
        """Start the task; return why it could not be, or nothing."""
        self.output, output = os.pipe()
        self.info, info = os.pipe()
        self.started, started = os.pipe()
        problem, problem_writer = os.pipe()
        keeper = os.getpid()
        self.main = os.fork()
        if self.main == 0:
            self.become_task(keeper, (output, info, started), problem_writer)
        for fd in (output, info, started, problem_writer):
            os.close(fd)
        for fd in (self.output, self.info, self.started):
            os.set_blocking(fd, False)
        self.env = {}
        with os.fdopen(problem) as file:
            return file.read()

    def become_task(self, keeper: int, pipes: tuple[int, int, int], problem: int) -> NoReturn:
        """Turn into the task; never returns."""
        doing = "join the control group"
        try:
            os.setpgid(0, 0)
            for folder in self.orders["cgroups"]:
                with open(f"{folder}/cgroup.procs", "w") as file:
                    file.write("0")
            doing = "become the task's account"
            if self.orders["drop"]:
                self.drop(self.orders["drop"])
            if not self.orders["is_sandbox"]:
                _prctl(PR_SET_NO_NEW_PRIVS, 1)
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which clears it
            if os.getppid() != keeper:
                os._exit(NOT_STARTED)
            doing = f"enter {self.orders['workdir']}"
            os.chdir(self.orders["workdir"])
            os.umask(TASK_UMASK)
            self.tidy_descriptors(*pipes)
            doing = f"run {self.orders['command'][0]}"
            env = self.orders["maker_env"] if self.orders["is_sandbox"] else self.env
            os.execvpe(self.orders["command"][0], self.orders["command"], env)  # noqa: S606 - a shell is what we avoid
        except OSError as error:
            os.write(problem, f"could not {doing}: {error.strerror}".encode())
        finally:
            os._exit(NOT_STARTED)

    def drop(self, account: dict[str, Any]) -> None:
        """Become the account, for good."""
        os.setgroups(account["groups"])
        os.setresgid(account["gid"], account["gid"], account["gid"])
        os.setresuid(account["uid"], account["uid"], account["uid"])

    def tidy_descriptors(self, output: int, info: int, started: int) -> None:
        """Give the task its output and a clean slate of signals."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, INFO_FD + 1) for fd in (output, info, started)]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(high[0], 1)
        os.dup2(high[0], 2)
        if self.orders["is_sandbox"]:
            os.dup2(high[1], INFO_FD)
            os.dup2(high[2], STARTED_FD)
            os.dup2(fcntl.fcntl(self.env_in_memory(), fcntl.F_DUPFD_CLOEXEC, INFO_FD + 1), ENV_FD)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def env_in_memory(self) -> int:
        """Return a file in memory with the environment: on no disk and in no command line."""
        fd = os.memfd_create("env")
        words = [os.fsencode(f"{name}={value}") for name, value in self.env.items()]
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(b"\0".join(words))
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def say_ready(self, text: str) -> None:
        """Tell the service how the start went; nothing: the task's output says why it did not."""
        self.is_started = text == "ok"
        try:
            os.write(self.ready_fd, text.encode())
        except BrokenPipeError:  # the service went away meanwhile; it reads our files when it is back
            pass
        os.close(self.ready_fd)

    def wait(self) -> None:
        """Keep the log and reap until no process is left."""
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        poll.register(self.output, select.POLLIN)
        if self.orders["is_sandbox"]:
            poll.register(self.started, select.POLLIN)
        while self.reap():
            if self.was_told_to_stop:
                self.was_told_to_stop = False
                self.stop()
            events = poll.poll(self.milliseconds_left())
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                self.kill_all()
                self.kill_at += KILL_AGAIN_SECONDS
            for fd, _ in events:
                if fd == self.wake:
                    os.read(self.wake, READ_BYTES)
                elif fd == self.started:
                    self.say_ready(os.read(self.started, READ_BYTES).decode().strip())
                    poll.unregister(self.started)
                elif not self.copy_output():
                    poll.unregister(self.output)
        while self.copy_output():
            pass

    def milliseconds_left(self) -> int | None:
        """Return the time until SIGKILL is due."""
        if self.kill_at is None:
            return None
        return max(0, int((self.kill_at - time.monotonic()) * 1000) + 1)

    def copy_output(self) -> bool:
        """Take a piece of output into the log; say whether there may be more."""
        try:
            data = os.read(self.output, READ_BYTES)
        except BlockingIOError:
            return self.status is None
        if data:
            self.log.write(data)
        return bool(data)

    def reap(self) -> bool:
        """Take in what ended; say whether anything of the task is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main:
                self.status = status
            if self.status is not None:
                self.kill_all()  # a task ends with its main process

    def stop(self) -> None:
        """Send SIGTERM once, and let SIGKILL be due after the grace (the shortest that was asked)."""
        try:
            with open("stop") as file:
                grace = float(file.read())
        except (OSError, ValueError):
            grace = self.orders["stop_grace_seconds"]
        kill_at = time.monotonic() + grace
        self.kill_at = kill_at if self.kill_at is None else min(self.kill_at, kill_at)
        if not self.is_stopping and self.status is None:
            self.is_stopping = True
            self.terminate()

    def terminate(self) -> None:
        """Send SIGTERM to the task's group."""
        if not self.is_started:  # the sandbox is still being made: nothing of the task runs in it
            self.kill_all()
            return
        try:
            os.killpg(self.group(), signal.SIGTERM)
        except ProcessLookupError:
            self.kill_all()

    def group(self) -> int:
        """Return the task's process group; in a sandbox that of its first process, which ignores SIGTERM."""
        if not self.orders["is_sandbox"]:
            return self.main
        try:
            return int(json.loads(os.read(self.info, READ_BYTES))["child-pid"])
        except (BlockingIOError, ValueError, KeyError):
            raise ProcessLookupError from None

    def kill_all(self) -> None:
        """Kill whatever is there; called again at each death until nothing is left to reap."""
        members = set(_children(os.getpid()))
        for folder in self.orders["cgroups"]:
            with open(f"{folder}/cgroup.procs") as file:
                members.update(int(pid) for pid in file.read().split())
        for pid in members:
            _kill(pid)
        if self.status is None:
            try:
                os.killpg(self.main, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def finish(self, error: str) -> None:
        """Write down how it ended and leave no control group behind."""
        code = NOT_STARTED if self.status is None else os.waitstatus_to_exitcode(self.status)
        oom_kills = sum(self.oom_kills(folder) for folder in self.orders["cgroups"])
        for folder in self.orders["cgroups"]:
            self.remove_cgroup(folder)
        _write(
            "exit.json",
            {"exit_code": code if code >= 0 else 128 - code, "oom_kills": oom_kills, "error": error},
        )

    def oom_kills(self, folder: str) -> int:
        """Count the kills for memory in a control group of version 1 or 2."""
        for name in ("memory.events", "memory.oom_control"):
            try:
                with open(f"{folder}/{name}") as file:
                    lines = dict(line.split() for line in file)
            except OSError:
                continue
            return int(lines.get("oom_kill", 0))
        return 0

    def remove_cgroup(self, folder: str) -> None:
        """Remove an empty control group."""
        deadline = time.monotonic() + CGROUP_EMPTY_SECONDS
        while True:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    return  # the service removes it at `forget`
                self.kill_all()
                time.sleep(0.01)
            else:
                return


def _close_others(own: set[int]) -> None:
    """Close what the service left open by mistake: a driver's files must not reach a task."""
    for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - own:
        try:
            os.close(descriptor)
        except OSError:  # it was the listing's
            pass


def main() -> None:
    """Take the orders from the folder named on the command line and keep the task."""
    folder, lock_fd, ready_fd = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(lock_fd, False)
    os.set_inheritable(ready_fd, False)
    _close_others({0, 1, 2, lock_fd, ready_fd})
    os.chdir(folder)
    os.umask(0o077)
    with open("spec.json") as file:
        orders = json.load(file)["orders"]
    with open("env.json") as file:
        env = json.load(file)
    os.unlink("env.json")
    _write("shim.json", {"pid": os.getpid(), "start_time": _start_time(os.getpid())})
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    Keeper(orders, env, ready_fd).run()


if __name__ == "__main__":
    main()
