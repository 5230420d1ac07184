"""A witness of times in which the machine gave time to nobody.

The bus tests hold the daemon to milliseconds, on a machine that others use too. A process that goes before all others
(SCHED_FIFO) and asks to be woken each 5 ms is late only when the whole machine stood still: while the daemon, or any
other process of the tests, keeps the CPU for itself, it is not. As a program, it prints when it was late and for how long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

INTERVAL = 0.005
# Half of what the daemon has for a limit (design section 3: at once, 20 ms).
LATE = 0.010


class Stillness:
    """What the witness says; nothing where this user may not go before others."""

    def __init__(self):
        self._pauses: list[tuple[float, float]] = []
        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            end, seconds = map(float, line.split())
            self._pauses.append((end, seconds))

    def longest(self, since: float) -> float:
        """The longest since a moment of time.monotonic(), in seconds; 0 where it was never still."""
        return max((seconds for end, seconds in self._pauses if end >= since), default=0)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def main() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except PermissionError:
        return
    last = time.monotonic()
    while True:
        time.sleep(INTERVAL)
        now = time.monotonic()
        if now - last >= INTERVAL + LATE:
            print(now, now - last - INTERVAL, flush=True)
        last = now


if __name__ == "__main__":
    main()
