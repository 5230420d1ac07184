"""The 11-bit battery frames between the daemon and python-can, both ways; layouts as SMA's and Victron's notes have them."""

from __future__ import annotations

import struct
import threading
import time

import pytest

import peers
from peers import BATTERY_STATUS, CCL, DCL

AT_ONCE = 0.020
FINE = bytes([0xAA] * 8)  # 0x35A of a BYD on which all is well

CONSUMER = """
[inputs.monitor]
place = "11-bit"

[inputs.cells]
place = "11-bit"

[outputs]
battery_frames = false
"""


def test_what_the_daemon_produces_means_what_it_measures(fed_vecand, recorder):
    """12 V, 200 Ah, 13.20 V, 10.0 A, 20 degC, cells of 3.29 and 3.31 V, state of charge 80 %."""

    def wait(can_id: int, layout: str, wanted: tuple) -> None:
        # Names and counts come each ten seconds.
        frame = recorder.wait_for(
            lambda f: not f.extended and f.identifier == can_id and len(f.data) == struct.calcsize(layout)
            and struct.unpack(layout, f.data) == wanted,
            12,
            0,
            f"0x{can_id:03X} with {wanted}",
        )  # fmt: skip
        assert not frame.remote

    wait(0x351, "<HhhH", (142, 2000, 6000, 104))  # CVL 14.2 V, CCL 200 A, DCL 600 A, 10.4 V
    wait(0x356, "<hhh", (1320, 100, 200))
    wait(0x35E, "8s", (b"vecand\0\0",))
    wait(0x372, "<HHHH", (1, 0, 0, 0))
    wait(0x373, "<HHHH", (3290, 3310, 293, 293))
    wait(0x378, "<II", (0, 0))
    wait(0x379, "<H", (200,))
    wait(0x370, "8s", (b"vecand\0\0",))
    wait(0x382, "8s", (b"vecand\0\0",))
    product = recorder.wait_for(lambda f: not f.extended and f.identifier == 0x35F, 12, 0, "0x35F")
    assert product.data[2:4] == bytes([0, 1]) and struct.unpack_from("<H", product.data, 4) == (200,)
    charge = recorder.wait_for(lambda f: not f.extended and f.identifier == 0x355, 5, 0, "0x355")
    whole, _, fine = struct.unpack("<HHH", charge.data)
    assert whole == 80 and 7990 <= fine <= 8010
    # Each pair of 0x35A that the daemon has is 10: fine. Lower temperature of discharge, contactor, short circuit and
    # imbalance are functions that it has not: 00.
    alarms = fed_vecand.wait_11_bit(0x35A, lambda f: len(f.data) == 8, 3, 0, "")
    pairs = [peers.alarm_pair(alarms, number) for number in range(13)]
    assert pairs == [2, 2, 2, 2, 0, 2, 2, 2, 2, 0, 0, 2, 0], pairs
    assert [peers.alarm_pair(alarms, number + 16) for number in range(13)] == pairs


class ForeignBattery:
    """A battery with a BMS of its own: its frames each half second."""

    def __init__(self, interface: str):
        self.limits = (144, 1000, 2000, 104)
        self.cells = (3320, 3340, 293, 296)
        self.alarms = FINE
        self._sender = peers.Sender(interface)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self.say()

    def say(self, limits: tuple | None = None, alarms: bytes | None = None) -> None:
        """Everything that it has to say, at once; with a new part of it first."""
        with self._lock:
            self.limits, self.alarms = limits or self.limits, alarms or self.alarms
            frames = [
                (0x35A, self.alarms),
                (0x351, struct.pack("<HhhH", *self.limits)),
                (0x355, struct.pack("<HHH", 61, 99, 6125)),
                (0x356, struct.pack("<hhh", 1331, -125, 215)),
                (0x373, struct.pack("<HHHH", *self.cells)),
            ]
            for can_id, data in frames:
                self._sender.raw(can_id, data, extended=False)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2)
        self._sender.stop()


@pytest.fixture
def foreign(interface, recorder):
    battery = ForeignBattery(interface)
    yield battery
    battery.stop()


def test_a_foreign_battery_is_believed_and_obeyed(foreign, make_vecand, recorder):
    vecand = make_vecand(CONSUMER)
    vecand.wait_running()
    # Its own limits hold: CCL 100 A, DCL 200 A.
    vecand.wait_register(CCL, lambda v: v == 1000, 10)
    vecand.wait_register(DCL, lambda v: v == 2000, 10)
    status = recorder.wait_for(
        lambda f: f.pgn == BATTERY_STATUS and vecand.sent(f) and f.data[1:3] != b"\xff\x7f", 5, 0, "127508 with values"
    )
    assert struct.unpack_from("<hhH", status.data, 1) == (1331, -125, 29465)
    # The first frame of a fast packet: after counter and length the message's bytes, of which the fourth is the charge.
    recorder.wait_for(
        lambda f: f.pgn == peers.DC_DETAILED_STATUS and vecand.sent(f) and f.data[0] & 0x1F == 0 and f.data[5] == 61,
        5,
        0,
        "127506 with 61 %",
    )
    # What a BYD sends as alarms: 04 high voltage, 10 low voltage.
    for alarms, register, given in ((0x04, CCL, 1000), (0x10, DCL, 2000)):
        tries = []
        for _ in range(4):  # one that a busy machine does not disturb is enough
            mark = recorder.mark()
            data = bytes([alarms]) + FINE[1:]
            foreign.say(alarms=data)
            cause = recorder.wait_for(lambda f: f.data == data, 2, mark)
            stop = vecand.wait_register(register, lambda v: v == 0, 2, mark, "0")
            tries.append(stop.time - cause.time)
            mark = recorder.mark()
            foreign.say(alarms=FINE)
            vecand.wait_register(register, lambda v, given=given: v == given, 5, mark, "given back")
            if tries[-1] <= AT_ONCE:
                break
        assert tries[-1] <= AT_ONCE, tries
    mark = recorder.mark()
    foreign.say(limits=(144, 0, 2000, 104))
    vecand.wait_register(CCL, lambda v: v == 0, 2, mark, "0 for the battery's CCL 0")
    time.sleep(0.2)
    assert not [f for f in recorder.since(mark) if f.register == DCL and f.register_value == 0]
    own = [f for f in recorder.frames if not f.extended and vecand.started_at < f.time and f.identifier == 0x35E]
    assert not own, "where a battery's frames are the source, the daemon sends none"
