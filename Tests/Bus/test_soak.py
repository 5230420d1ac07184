"""What the daemon keeps of a long day: nothing. Eight hours' events in ten minutes, on a bus at ten times the usual rate.

The short form (40 s) finds what leaks fast; BUS_LONG=1 makes it the ten minutes:

  BUS_LONG=1 BUS_SECONDS=900 VECAND_BIN=$PWD/.build/release/vecand Tests/Bus/run test_soak.py
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import latency
import peers
from test_control import ask, connect

LONG = bool(os.environ.get("BUS_LONG"))
SECONDS = 600 if LONG else 40
# Until the trace has all its frames, the log its files and the database its pages.
WARM_UP = 120 if LONG else 15
ALLOWED = 1 << 20
# Ten times what measure.py takes for a boat.
FRAMES_PER_SECOND = 2000
TARGETS = ("/v1/status", "/v1/limits", "/v1/alarms", "/v1/history", "/v1/settings", "/v1/explanations", "/v1/check", "/metrics")


def sample(vecand: peers.Vecand) -> dict[str, int]:
    """Bytes and counts of one moment."""
    process = Path(f"/proc/{vecand.process.pid}")
    return {
        "resident": vecand.resident_bytes(),
        "anonymous": vecand.resident_bytes("RssAnon"),
        "descriptors": len(list((process / "fd").iterdir())),
        "threads": len(list((process / "task").iterdir())),
    }


class Operators:
    """People and their tools: questions, downloads, listeners that come and go, settings, reloads."""

    def __init__(self, vecand: peers.Vecand, path: Path):
        self._vecand, self._path = vecand, path
        self._stop = threading.Event()
        self.asked = 0
        self.troubles: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.wait(0.2):
                return
            try:
                self._work(number)
            except Exception as error:  # noqa: BLE001 - told by the test
                self.troubles.append(repr(error))

    def _work(self, number: int) -> None:
        self._expect("GET", TARGETS[number % len(TARGETS)])
        if number % 10 == 3:
            self._expect("PUT", "/v1/settings/maximum_charge_current", {"value": 50 + number % 50})
        if number % 50 == 7:
            self._vecand.signal(signal.SIGUSR1)
        if number % 50 == 17:
            self._listen()
        if number % 50 == 27:
            self._read("/v1/trace")
        if number % 100 == 37:
            self._vecand.signal(signal.SIGHUP)

    def _expect(self, method: str, target: str, body: object = None) -> None:
        if target == "/metrics":
            self._read(target)
        else:
            status, answer = ask(self._path, method, target, body)
            assert status == 200, f"{method} {target}: {status} {answer}"
        self.asked += 1

    def _read(self, target: str) -> None:
        """All of an answer that is not JSON."""
        with connect(self._path) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            first = connection.recv(1 << 16)
            assert first.startswith(b"HTTP/1.1 200"), first[:100]
            while connection.recv(1 << 16):
                pass
        self.asked += 1

    def _listen(self) -> None:
        """One second of the stream of events, and gone without a word."""
        with connect(self._path) as connection:
            connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            end = time.monotonic() + 1
            while time.monotonic() < end:
                assert connection.recv(1 << 16)
        self.asked += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def live(battery: peers.Battery, sender: peers.Sender, number: int) -> None:
    """A second of a boat: limits that go and come, and every ten seconds devices that join, and a battery that is gone."""
    battery.set_cells(3.29, 3.76 if number % 2 else 3.31)
    battery.values.current = (-40.0, 0.0, 25.5)[number % 3]
    sender.request(peers.PRODUCT_INFORMATION)
    if number % 10 == 0:
        for offset in range(4):
            sender.claim(peers.iso_name(5000 + (4 * number + offset) % 5000, 358), source=100 + offset)
    if number % 20 == 15:
        battery.silence()
    if number % 20 == 18:
        battery.speak()


@pytest.mark.flood
@pytest.mark.timeout(SECONDS + 120)
def test_a_long_day_leaves_no_byte_and_no_descriptor(fed_vecand, battery, sender, recorder, interface, temporary, evidence):
    bus = latency.FullBus(interface, FRAMES_PER_SECOND)
    operators = Operators(fed_vecand, temporary / "control.sock")
    samples: list[dict[str, int]] = []
    begin = time.monotonic()
    try:
        for number in range(SECONDS):
            live(battery, sender, number)
            time.sleep(max(0.0, begin + number + 1 - time.monotonic()))
            fed_vecand.assert_alive()
            if number >= WARM_UP:
                samples.append(sample(fed_vecand))
        rate = bus.frames_per_second()
    finally:
        operators.stop()
        bus.stop()
        (evidence / "soak.json").write_text(
            "".join(f"{json.dumps(sample)}\n" for sample in samples)
            + json.dumps({"asked": operators.asked, "troubles": operators.troubles[:20]})
        )
    assert not operators.troubles, operators.troubles[:5]
    assert operators.asked > SECONDS and rate > 0.9 * FRAMES_PER_SECOND, (operators.asked, rate)
    # The first and the last fifth: what a download or a listener holds for a moment is in both.
    fifth = len(samples) // 5
    for key, allowed in (("resident", ALLOWED), ("anonymous", ALLOWED), ("descriptors", 0), ("threads", 2)):
        first, last = (max(s[key] for s in part) for part in (samples[:fifth], samples[-fifth:]))
        assert last - first <= allowed, f"{key}: {first} at first, {last} at last"
