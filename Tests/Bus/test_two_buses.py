"""VE.Can and a BMS-CAN at once, with one core: 29-bit frames on the one, 11-bit frames on the other."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import peers
from peers import CCL

LIMITS, KEEP_ALIVE = 0x351, 0x305


@pytest.fixture
def battery_interface() -> Iterator[str]:
    name = "vcanbms"
    peers.ip("add", name, "type", "vcan", check=False)
    peers.ip("set", name, "up")
    yield name
    peers.ip("set", name, "down", check=False)


def charge_current(frame: peers.Frame) -> int:
    return int.from_bytes(frame.data[2:4], "little", signed=True)


def test_each_bus_has_its_frames_and_one_down_does_not_disturb_the_other(
    battery: peers.Battery, recorder: peers.Recorder, interface: str, battery_interface: str, make_vecand, monkeypatch
):
    monkeypatch.setattr(
        peers,
        "CONFIGURATION",
        peers.CONFIGURATION.replace("[bus]", f'[bus]\nbattery_interface = "{battery_interface}"\nbattery_bitrate = 500'),
    )
    other = peers.Recorder(battery_interface)
    keeper = peers.Sender(battery_interface)
    try:
        vecand = make_vecand()
        vecand.wait_limits_given()
        other.wait_for(lambda f: f.identifier == LIMITS and charge_current(f) > 0, 10, 0, "0x351 with a limit")
        keeper.raw(KEEP_ALIVE, bytes(8), extended=False)
        vecand.wait_said("0x305: something listens", 5)
        assert not [f for f in recorder.frames if not f.extended and not f.error], "11-bit frames on VE.Can"
        assert not [f for f in other.frames if f.extended], "29-bit frames on the BMS-CAN"

        # The BMS-CAN down: VE.Can goes on.
        peers.ip("set", battery_interface, "down")
        vecand.wait_said(f"{battery_interface}: ", 5)
        mark = recorder.mark()
        time.sleep(4)
        assert len([f for f in recorder.since(mark) if f.register == CCL and f.register_value > 0]) >= 2
        mark = other.mark()
        peers.ip("set", battery_interface, "up")
        other.wait_for(lambda f: f.identifier == LIMITS, 5, mark, "0x351 after its bus came back")

        # VE.Can down: 0x351 goes on, and soon says that nothing is measured any more.
        mark = other.mark()
        peers.ip("set", interface, "down")
        other.wait_for(lambda f: f.identifier == LIMITS and charge_current(f) == 0, 10, mark, "0x351 without charge")
        mark = other.mark()
        time.sleep(3)
        assert len([f for f in other.since(mark) if f.identifier == LIMITS]) >= 2
        mark = other.mark()
        peers.ip("set", interface, "up")
        other.wait_for(lambda f: f.identifier == LIMITS and charge_current(f) > 0, 20, mark, "0x351 with a limit again")
    finally:
        keeper.stop()
        other.stop()
