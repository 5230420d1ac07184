"""The measurement behind Tests/Bus/latency, and its short form for the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import peers
from peers import CCL, Frame

# A frame with a 29-bit identifier and 8 bytes has 131 bits with the pause behind it: 1,908 a second without stuff bits.
FULL = 1900
AT_ONCE = 0.020
# What fills the bus: so many of FULL's frames are battery status of others, which the daemon reads and drops; the rest
# are PGNs that the kernel keeps from it, as most of a boat's are.
READ_SHARE = 0.5
# What the witness has to hear; the kernel keeps the rest from this process, which shares one CPU with the daemon.
WITNESS = [
    {"can_id": peers.ADDRESS_CLAIM << 8, "can_mask": 0x3FF0000, "extended": True},
    {"can_id": peers.PROPRIETARY << 8 | 0xFF00, "can_mask": 0x3FFFF00, "extended": True},
    {"can_id": peers.BATTERY_STATUS << 8 | peers.PREFERRED_ADDRESS, "can_mask": 0x3FFFFFF, "extended": True},
    {"can_id": 0x351, "can_mask": 0x7FF, "extended": False},
]


class FullBus:
    """cangen, in bursts: user-mode Linux wakes a sleeper each 10 ms at best. A real bus is kinder and spreads them.

    How long cangen really sleeps depends on the kernel, so the size of the bursts is found by trying.
    """

    def __init__(self, interface: str, frames_per_second: int = FULL, read_share: float = READ_SHARE):
        self.interface = interface
        self._senders: list[subprocess.Popen] = []
        burst = frames_per_second / 100
        for _ in range(3):
            self._start(burst, read_share)
            time.sleep(1)
            rate = self.frames_per_second()
            if 0.97 < rate / frames_per_second < 1.1:
                break
            burst *= min(3, max(0.3, 1.01 * frames_per_second / rate))

    def _start(self, burst: float, read_share: float) -> None:
        self.stop()
        for pgn, source, share in ((peers.BATTERY_STATUS, 16, read_share), (129025, 2, 1 - read_share)):
            arguments = ["-g", "10", "-c", str(max(1, round(burst * share))), "-e", "-L", "8", "-i"]
            self._senders.append(
                subprocess.Popen(
                    ["cangen", self.interface, *arguments, "-I", f"{peers.identifier(pgn, source):X}"],
                    stdout=subprocess.DEVNULL,
                )
            )
        self._started_at, self._before = time.monotonic(), self._passed()

    def _passed(self) -> int:
        """Frames that passed the interface."""
        return int(Path(f"/sys/class/net/{self.interface}/statistics/tx_packets").read_text())

    def frames_per_second(self) -> float:
        return (self._passed() - self._before) / (time.monotonic() - self._started_at)

    def stop(self) -> None:
        for sender in self._senders:
            peers.end(sender)
        self._senders.clear()


@dataclass
class Outcome:
    """What became of the cells that rose."""

    register: list[float] = field(default_factory=list)  # seconds to register 0x0391
    limits: list[float] = field(default_factory=list)  # seconds to 0x351
    missed: int = 0

    @property
    def worst(self) -> float:
        return max(self.register + self.limits, default=float("inf"))

    def figures(self) -> dict[str, object]:
        result: dict[str, object] = {"events": len(self.register) + self.missed, "missed": self.missed}
        for name, times in (("register_0391_ms", self.register), ("frame_351_ms", self.limits)):
            ordered = sorted(times) or [float("nan")]
            result[name] = {
                "p50": round(1000 * ordered[len(ordered) // 2], 2),
                "p99": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 2),
                "worst": round(1000 * ordered[-1], 2),
            }
        return result


def raise_cell(battery: peers.Battery, vecand: peers.Vecand, recorder: peers.Recorder, outcome: Outcome) -> None:
    """One cell up to 3.76 V and down again; a frame that changes no limit within 2 s was missed."""
    mark = recorder.mark()
    data = battery.set_cells(3.40, 3.76)

    def effect(accept) -> Frame:
        return recorder.wait_for(accept, 2, mark, "CCL 0")

    try:
        cause = recorder.wait_for(lambda f: f.data == data, 2, mark, "the cell frame")
        register = effect(lambda f: f.register == CCL and f.register_value == 0 and vecand.sent(f))
        limits = effect(lambda f: not f.extended and f.data[2:4] == b"\0\0")
        outcome.register.append(register.time - cause.time)
        outcome.limits.append(limits.time - cause.time)
    except AssertionError:
        outcome.missed += 1
    mark = recorder.mark()
    battery.set_cells(3.29, 3.31)
    vecand.wait_register(CCL, peers.positive, 5, mark, "given back")


def measure(
    interface: str, battery: peers.Battery, vecand: peers.Vecand, recorder: peers.Recorder, seconds: float
) -> tuple[Outcome, float]:
    """Raises a cell about each second on a full bus; what came of it, and how full the bus was in frames a second."""
    outcome = Outcome()
    bus = FullBus(interface)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            raise_cell(battery, vecand, recorder, outcome)
            # A change that allows waits for the second of its register; the next event must not wait for the same beat.
            time.sleep(0.05 + 0.013 * (len(outcome.register) % 17))
        return outcome, bus.frames_per_second()
    finally:
        bus.stop()


def lost(vecand: peers.Vecand) -> list[str]:
    """What the daemon says of frames that were lost."""
    return [line for line in vecand.log_lines() if "frames lost" in line]


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    interface = "vcan0"
    peers.ip("add", interface, "type", "vcan")
    peers.ip("set", interface, "up")
    recorder = peers.Recorder(interface, WITNESS)
    evidence = Path(os.environ["BUS_SCRATCH"]) / "evidence"
    with tempfile.TemporaryDirectory(dir=os.environ["BUS_TEMP"]) as folder:
        battery = peers.Battery(interface)
        vecand = peers.Vecand(os.environ["VECAND_BIN"], interface, recorder, evidence, Path(folder), peers.INPUTS)
        vecand.start()
        vecand.wait_limits_given()
        cpu = vecand.cpu_seconds()
        outcome, rate = measure(interface, battery, vecand, recorder, seconds)
        cpu = vecand.cpu_seconds() - cpu
        battery.stop()
        vecand.close()
    recorder.stop()
    figures = {"seconds": seconds, "frames_per_second": round(rate), **outcome.figures()}
    figures |= {"late": sum(t > AT_ONCE for t in outcome.register + outcome.limits), "lost": lost(vecand)}
    figures["cpu_percent"] = round(100 * cpu / seconds, 1)
    print(json.dumps(figures))
    return 1 if outcome.missed or figures["late"] or figures["lost"] or rate < 0.97 * FULL else 0


if __name__ == "__main__":
    sys.exit(main())
