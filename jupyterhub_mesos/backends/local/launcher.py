"""Become the task's own program with the task's own environment: the last step inside a sandbox.

Run by its text, `python -I -S -c TEXT ENV_FD STARTED_FD ARGV...`, after every right
is dropped: until then nothing may see an environment that a user wrote. It reads
that environment from ENV_FD, says `ok` on STARTED_FD (from then on the task's
process group is there to be stopped) and is no more. Standard library only.
"""

# pathlib would double the start time of a process that each task has:
# ruff: noqa: PTH123

import os
import signal
import sys

NOT_STARTED = 127  # as a shell says "command not found"


def main() -> None:
    """Take up the environment and run the rest of the command line."""
    with open(int(sys.argv[1]), "rb") as file:
        pairs = [word.split(b"=", 1) for word in file.read().split(b"\0") if word]
    started, argv = int(sys.argv[2]), sys.argv[3:]
    os.write(started, b"ok\n")
    os.close(started)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by every Python, and so by what it starts
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, {pair[0]: pair[1] for pair in pairs})  # noqa: S606 - a shell is what we avoid
    except OSError as error:
        sys.stderr.write(f"could not run {argv[0]}: {error.strerror}\n")
        sys.exit(NOT_STARTED)


if __name__ == "__main__":
    main()
