"""The measurement behind Tests/Bus/measure: run it with that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers

# What a boat's bus carries, as (PGN, sender, frames a second): 200 with the battery's own 8. Of these the daemon reads
# the batteries and chargers; the rest is for plotters and pilots.
TRAFFIC = [
    (127250, 1, 10),  # heading
    (127251, 1, 10),  # rate of turn
    (127257, 1, 10),  # attitude
    (129025, 2, 10),  # position
    (129026, 2, 10),  # course and speed over ground
    (129029, 2, 7),  # position in seven frames
    (129540, 2, 10),  # satellites in view
    (130306, 3, 20),  # wind
    (130310, 3, 2),  # water temperature
    (130312, 3, 5),  # temperatures
    (127505, 5, 2),  # tanks
    (128259, 4, 5),  # speed through water
    (128267, 4, 5),  # depth
    (127488, 5, 20),  # engine, rapid
    (127489, 5, 8),  # engine, dynamic
    (129038, 6, 10),  # AIS
    (129039, 6, 10),
    (127245, 7, 20),  # rudder
    (127508, 8, 4),  # another battery
    (127506, 8, 4),
    (61184, 9, 10),  # registers of a charger
]
FRAMES_PER_SECOND = sum(rate for _, _, rate in TRAFFIC) + 8
# Goals of the project: 1 % of a core, 32 MiB of which 8 are anonymous, ready 600 ms after its start on a quiet bus.
GOALS = {"cpu_percent": 1.0, "resident_mib": 32.0, "anonymous_mib": 8.0, "ready_ms": 600.0}


def ready_milliseconds(vecand: peers.Vecand) -> float:
    """From exec to the end of the claim: 250 ms after it, or its first battery status if that is sooner."""
    vecand.start()
    claim = vecand.wait_claimed(20)
    status = vecand.wait_pgn(peers.BATTERY_STATUS, 20, vecand.started_mark)
    return 1000 * (min(claim.time + 0.250, status.time) - vecand.started_at)


class Traffic:
    """cangen, one for each line of a list."""

    def __init__(self, interface: str, lines: list[tuple[int, int, int]]):
        self._senders = [
            subprocess.Popen(
                ["cangen", interface, "-g", str(1000 / rate), "-e", "-L", "8"]
                + ["-I", f"{peers.identifier(pgn, source):X}"],
                stdout=subprocess.DEVNULL,
            )
            for pgn, source, rate in lines
        ]

    def stop(self) -> None:
        for sender in self._senders:
            peers.end(sender)


def cpu_percent(seconds: int, processes: dict[str, int]) -> dict[str, object]:
    """The share of one core that each process takes, by its name here; `..._each` in each tenth of the time, which tells
    a process that costs more from a machine that was taken away for a while: then all of them have it in one tenth."""
    time.sleep(3)

    def spent() -> dict[str, float]:
        return {name: peers.cpu_seconds(pid) for name, pid in processes.items()}

    looks, times = [spent()], [time.monotonic()]
    for _ in range(10):
        time.sleep(seconds / 10)
        looks.append(spent())
        times.append(time.monotonic())
    results: dict[str, object] = {}
    for name in processes:
        results[name] = 100 * (looks[-1][name] - looks[0][name]) / (times[-1] - times[0])
        results[f"{name}_each"] = [
            round(100 * (looks[i + 1][name] - looks[i][name]) / (times[i + 1] - times[i]), 2) for i in range(10)
        ]
    return results


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    interface = "vcan0"
    peers.ip("add", interface, "type", "vcan")
    peers.ip("set", interface, "up")
    # Only what the daemon says: the other 200 frames a second are not this process's business.
    recorder = peers.Recorder(
        interface,
        [
            {"can_id": pgn << 8, "can_mask": 0x3FF0000 if pgn < 0xF000 else 0x3FFFF00, "extended": True}
            for pgn in (peers.ADDRESS_CLAIM, peers.BATTERY_STATUS, peers.PROPRIETARY)
        ],
    )
    evidence = Path(os.environ["BUS_SCRATCH"]) / "evidence"
    results: dict[str, object] = {"frames_per_second": FRAMES_PER_SECOND, "seconds": seconds}
    with tempfile.TemporaryDirectory(dir=os.environ["BUS_TEMP"]) as folder:
        starts = []
        for number in range(5):
            temporary = Path(folder) / str(number)
            vecand = peers.Vecand(os.environ["VECAND_BIN"], interface, recorder, evidence, temporary, peers.INPUTS)
            starts.append(ready_milliseconds(vecand))
            if number < 4:
                vecand.close()
                time.sleep(0.5)
        results["ready_ms_all"] = [round(start, 1) for start in starts]
        results["ready_ms"] = sorted(starts)[len(starts) // 2]
        battery = peers.Battery(interface)
        vecand.wait_limits_given()
        # For scale: candump, which hears all of it and writes it nowhere; and a bus of nothing but what the daemon reads.
        candump = subprocess.Popen(["candump", interface], stdout=subprocess.DEVNULL)
        for name, lines in (("cpu_percent", TRAFFIC), ("all_read_cpu_percent", [(peers.BATTERY_STATUS, 16, 192)])):
            traffic = Traffic(interface, lines)
            shares = cpu_percent(seconds, {name: vecand.process.pid, f"candump_{name}": candump.pid})
            results |= shares
            traffic.stop()
        peers.end(candump)
        results["resident_mib"] = vecand.resident_bytes() / (1 << 20)
        results["anonymous_mib"] = vecand.resident_bytes("RssAnon") / (1 << 20)
        battery.stop()
        vecand.close()
    recorder.stop()
    missed = {name: goal for name, goal in GOALS.items() if float(str(results[name])) > goal}
    results["goals"], results["missed"] = GOALS, sorted(missed)
    print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in results.items()}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
