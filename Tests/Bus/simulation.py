"""The simulated system of `vecanctl simulate --interface` with a vecand beside it, in one simulated time."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import can
import pytest
from n2k.message import Message as N2kMessage
from nmea2000 import NMEA2000Decoder

import peers

REPOSITORY = Path(__file__).resolve().parents[2]

SCENARIO = """
title = "a bench"
start = "10:00"
duration = "2d"

[bank]
capacity_ah = 200
soc_percent = 60

[[charger]]
name = "solar"
rating_a = 40

[[charger]]
name = "multi"
rating_a = 30

[[inverter]]
name = "multi"
power_w = 100

[[load]]
name = "boat"
power_w = 60
"""


def program(name: str) -> str:
    path = Path(os.environ["VECAND_BIN"]).with_name(name)
    if not os.access(path, os.X_OK):
        pytest.fail(f"no {name} at {path}: build it (swift build)", pytrace=False)
    return str(path)


class Simulation:
    """Both programs, candump, and the time line as it comes. Times are simulated seconds."""

    def __init__(
        self, interface: str, evidence: Path, temporary: Path, speed: int = 50, scenario: str = SCENARIO,
        configure: Callable[[str], str] = lambda text: text, status: float = 0.5, options: tuple[str, ...] = (),
    ):
        self._lines = peers.Arrivals[dict]()
        self._log = evidence / "vecand.log"
        file = evidence / "scenario.toml"
        file.write_text(scenario)
        configuration = evidence / "simulator.toml"
        configuration.write_text(configure((REPOSITORY / "Config/simulator.toml").read_text()))
        # A line at a time is what a day has no time for.
        self.candump = peers.Candump(interface, evidence / "candump.log", buffered=speed >= 500)
        environment = {"SWIFT_BACKTRACE": "enable=no", **os.environ}
        pace = ["--speed", str(speed)] if speed != 1 else []
        self._tool = subprocess.Popen(
            [program("vecanctl"), "simulate", "--interface", interface, "--json", "--status", str(status),
             "--scenario", str(file), *pace, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(evidence / "simulate.err").open("w"), text=True,
            env=environment)
        self._log_file = self._log.open("w")
        self._vecand = subprocess.Popen(
            [program("vecand"), "--config", str(configuration), "--interface", interface, "--state-directory",
             str(temporary / "state"), *pace],
            stdout=self._log_file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for text in self._tool.stdout:
            self._lines.append(json.loads(text))

    @property
    def lines(self) -> list[dict]:
        return self._lines.since(0)

    @property
    def now(self) -> float:
        last = self._lines.since(-1)
        return last[0]["time"] if last else 0.0

    def mark(self) -> int:
        return self._lines.mark()

    def type(self, line: str) -> float:
        """Does something to the system; when it was done."""
        mark = self.mark()
        self._tool.stdin.write(line + "\n")
        self._tool.stdin.flush()
        return self.wait(
            lambda told: told.get("source") == "typed" or told["text"].startswith("fault"), f"\"{line}\" is done", mark
        )["time"]

    def wait(self, fits: Callable[[dict], bool], what: str, since: int = 0, timeout: float = 60) -> dict:
        """The first line from `since` on that fits; `timeout` is real time, for a program that hangs."""
        line = self._lines.first(fits, timeout, since)
        if line is None:
            told = "\n".join(f"{line['time']:9.2f} {line.get('source', '')} {line['text']}" for line in self._lines.since(-30))
            raise AssertionError(f"{what}: not within {timeout} s; the last:\n{told}\nvecand:\n{self.log_tail()}")
        return line

    def wait_text(self, text: str, since: int = 0, source: str | None = None, timeout: float = 60) -> dict:
        return self.wait(
            lambda line: text in line["text"] and (source is None or line.get("source") == source), text, since, timeout)

    def wait_status(self, fits: Callable[[dict], bool], what: str, since: int = 0, timeout: float = 60) -> dict:
        return self.wait(lambda line: "atc" in line and fits(line), what, since, timeout)

    def pass_time(self, seconds: float, timeout: float = 120) -> None:
        until = self.now + seconds
        self.wait(lambda line: line["time"] >= until, f"{seconds} s of simulated time", self.mark(), timeout)

    def log(self) -> str:
        return self._log.read_text()

    def log_tail(self) -> str:
        return "\n".join(self.log().splitlines()[-25:])

    def log_mark(self) -> int:
        return len(self.log())

    def wait_log(self, text: str, since: int = 0, timeout: float = 60) -> None:
        end = time.monotonic() + timeout
        while text not in self.log()[since:]:
            assert time.monotonic() < end, f"vecand never said \"{text}\":\n{self.log_tail()}"
            time.sleep(0.02)

    def start(self) -> None:
        """Until limits are given, handed on and obeyed."""
        self.wait_text("contactor closed")
        self.wait_text("has orders", source="solar")
        self.wait_status(lambda line: line["solar_charge_a"] > 10, "the solar charger charges")

    def stop_vecand(self) -> None:
        peers.end(self._vecand, 30)

    def stop(self) -> None:
        peers.end(self._vecand, 30)
        peers.end(self._tool)
        self._log_file.close()
        self.candump.stop()

    def wait_end(self, timeout: float) -> None:
        self._tool.wait(timeout)
        self._reader.join(10)


def frames_of(path: Path):
    """The frames of a candump log. A line that candump did not finish is no frame."""
    with path.open() as file:
        for line in file:
            parts = line.split()
            if len(parts) < 3 or "#" not in parts[2] or not line.endswith("\n"):
                continue
            identifier, _, data = parts[2].partition("#")
            yield peers.Frame(float(parts[0][1:-1]), int(identifier, 16), bytes.fromhex(data), len(identifier) == 8)


def decode_all(path: Path) -> dict[int, int]:
    """Reads the whole log with nmea2000 and n2k; what cannot be read fails. How many different messages of each PGN.

    The same bytes are read once: a message's meaning hangs on nothing else.
    """
    counts: dict[int, int] = {}
    seen: set[tuple[int, bytes]] = set()
    open_packets: dict[tuple[int, int, int], tuple[int, bytes, int, list[peers.Frame]]] = {}
    decoder = NMEA2000Decoder()

    def read(pgn: int, source: int, payload: bytes, frames: list[peers.Frame]) -> None:
        if (pgn, payload) in seen:
            return
        seen.add((pgn, payload))
        counts[pgn] = counts.get(pgn, 0) + 1
        message = None
        for frame in frames:
            message = decoder.decode(
                can.Message(arbitration_id=frame.identifier, is_extended_id=True, data=bytearray(frame.data)))
        assert message is not None, f"nmea2000 makes nothing of {pgn} from {source}: {payload.hex()}"
        assert message.PGN == pgn
        if pgn in peers.N2K_PARSERS:
            other = peers.N2K_PARSERS[pgn](N2kMessage(source=source, priority=6, pgn=pgn, data=bytearray(payload)))
            assert other is not None, f"n2k makes nothing of {pgn} from {source}: {payload.hex()}"

    for frame in frames_of(path):
        if not frame.extended:
            assert 0x305 <= frame.identifier <= 0x382, f"a stranger among the battery frames: {frame}"
            continue
        pgn = frame.pgn
        if pgn not in peers.FAST_PGNS:
            read(pgn, frame.source, frame.data, [frame])
            continue
        key, number = (pgn, frame.source, frame.data[0] >> 5), frame.data[0] & 31
        if number == 0:
            assert key not in open_packets, f"a packet of {pgn} was never finished: {frame}"
            open_packets[key] = (frame.data[1], frame.data[2:], 1, [frame])
        else:
            assert key in open_packets and open_packets[key][2] == number, f"a packet out of order: {frame}"
            length, body, count, parts = open_packets[key]
            open_packets[key] = (length, body + frame.data[1:], count + 1, [*parts, frame])
        length, body, _, parts = open_packets[key]
        if len(body) >= length:
            del open_packets[key]
            read(pgn, frame.source, body[:length], parts)
    return counts
