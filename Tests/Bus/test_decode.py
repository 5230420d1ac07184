"""Two independent decoders read the daemon's messages alike, and read what the battery said."""

from __future__ import annotations

import time

import pytest

import peers
from peers import BATTERY_STATUS, DC_DETAILED_STATUS, PRODUCT_INFORMATION, SWITCH_BANK_STATUS


def same(canboat, other, tolerance=1e-6):
    """Missing values agree with missing values, numbers with numbers."""
    if canboat is None or other is None:
        return canboat is None and other is None
    return abs(canboat - other) <= tolerance


def unpadded(text):
    """A fixed string without any of the paddings in use: 0xFF, zero, blank, @."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    return (text or "").strip(" \0@\xff\ufffd")


def pairs(recorder, vecand, pgn, since):
    frames = recorder.since(since)
    canboat = peers.read_nmea2000(frames, pgn, vecand.address)
    other = peers.read_n2k(frames, pgn, vecand.address)
    assert canboat and len(canboat) == len(other), f"{len(canboat)} and {len(other)} readings of PGN {pgn}"
    return list(zip(canboat, other))


def test_battery_status(fed_vecand, battery, recorder):
    battery.values.voltage, battery.values.current, battery.values.temperature = 13.31, -12.3, 296.15
    time.sleep(2)
    mark = recorder.mark()
    fed_vecand.wait_pgn(BATTERY_STATUS, 4, mark)
    for canboat, other in pairs(recorder, fed_vecand, BATTERY_STATUS, mark):
        assert same(canboat["voltage"], other.battery_voltage)
        assert same(canboat["current"], other.battery_current)
        assert same(canboat["temperature"], other.battery_temperature)
        assert same(canboat["instance"], other.battery_instance)
        assert same(canboat["sid"], other.sid)
        assert canboat["voltage"] == pytest.approx(13.31, abs=0.005)
        assert canboat["current"] == pytest.approx(-12.3, abs=0.05)
        assert canboat["temperature"] == pytest.approx(296.15, abs=0.005)


def test_dc_detailed_status(fed_vecand, recorder):
    mark = recorder.mark()
    time.sleep(3.5)
    for canboat, other in pairs(recorder, fed_vecand, DC_DETAILED_STATUS, mark):
        assert canboat["dcType"] in (0, "Battery") and other.dc_type == 0
        assert same(canboat["stateOfCharge"], other.state_of_charge)
        assert same(canboat["stateOfHealth"], other.state_of_health)
        assert same(canboat["timeRemaining"], other.time_remaining)
        assert same(canboat["rippleVoltage"], other.ripple_voltage)
        ampere_hours = None if other.capacity is None else other.capacity / 3600
        assert same(canboat["remainingCapacity"], ampere_hours)
    for message in peers.assemble(recorder.since(mark), DC_DETAILED_STATUS, fed_vecand.address):
        assert len(message.payload) == 11, "the form with remaining capacity has 11 bytes"


def test_switch_bank_status(fed_vecand, recorder):
    mark = recorder.mark()
    fed_vecand.wait_pgn(SWITCH_BANK_STATUS, 6, mark)
    for canboat, other in pairs(recorder, fed_vecand, SWITCH_BANK_STATUS, mark):
        states = [other.bank_status >> 2 * k & 3 for k in range(28)]
        assert [canboat[f"indicator{k}"] for k in range(1, 29)] == states
        assert states[1:4] == [0, 0, 0], "no alarm, voltage neither low nor high"
        assert states[5:] == [3] * 23, "indicators from 6 on are not available"


def test_product_information(fed_vecand, recorder, sender):
    mark = recorder.mark()
    sender.request(PRODUCT_INFORMATION, fed_vecand.address)
    fed_vecand.wait_pgn(PRODUCT_INFORMATION, 2, mark)
    time.sleep(0.5)
    [(canboat, other)] = pairs(recorder, fed_vecand, PRODUCT_INFORMATION, mark)
    assert canboat["productCode"] == other.product_code
    for canboat_field, other_field in [
        ("modelId", "n2k_model_id"),
        ("softwareVersionCode", "n2k_sw_code"),
        ("modelVersion", "n2k_model_version"),
        ("modelSerialCode", "n2k_model_serial_code"),
    ]:
        assert unpadded(canboat[canboat_field]) == unpadded(getattr(other, other_field))
    assert unpadded(canboat["modelId"]), "a device without a model name shows as blank on plotters"
    assert same(canboat["loadEquivalency"], other.load_equivalency)
