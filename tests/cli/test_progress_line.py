from __future__ import annotations

import io

from jupyterhub_mesos.cli.progress_line import LINE_SECONDS, ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_one_line_is_written_over_and_taken_away() -> None:
    file, clock = Terminal(), Clock()
    line = ProgressLine(file, clock)
    clock.now = 10.0
    line.show("fair", 0.25, "3 run, 10,000 wait")
    clock.now = 20.0
    line.show("fair", 0.5, "3 run, 1 wait")
    line.clear()
    shown = file.getvalue().split("\r")
    assert shown[1].startswith("fair [########......................] 25% 3 run, 10,000 wait, 30 s left")
    assert shown[2].startswith("fair [###############...............] 50% 3 run, 1 wait, 20 s left")
    assert len(shown[2]) >= len(shown[1]) - 1  # nothing of the longer one is left
    assert [part.strip() for part in shown[3:]] == ["", ""]
    assert "\n" not in file.getvalue()


def test_elsewhere_a_line_is_written_now_and_then() -> None:
    file, clock = io.StringIO(), Clock()
    line = ProgressLine(file, clock)
    for second in range(3 * int(LINE_SECONDS) + 1):
        clock.now = float(second)
        line.show("fair", second / 100, "1 run, 0 wait")
    line.clear()
    assert file.getvalue().splitlines() == [
        "fair: 10%, 1 run, 0 wait, 1 min 30 s left",
        "fair: 20%, 1 run, 0 wait, 1 min 20 s left",
        "fair: 30%, 1 run, 0 wait, 1 min 10 s left",
    ]
