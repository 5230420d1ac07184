"""Frames in, limits and alarms out: high cell (R104, R105), low cell (R92, R93), silence (OD-20)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import peers
from peers import CCL, CVL, DCL, NOT_AVAILABLE_U32, SWITCH_BANK_STATUS

AT_ONCE = 0.020  # a limit that changes for a protective reason
LOW_CELL_DELAY = 30.0  # R84: from the pre-alarm to the end of discharging
CELLS_SILENT = 5.0  # OD-20
CURRENT_SILENT = 2.0  # OD-20
BATTERY_DEAD = 60.0  # OD-20: contactor opens after a further lead of 2 s


def cells(battery, recorder, lowest, highest):
    """Sends cell extremes; the mark before and the frame as the kernel saw it."""
    mark = recorder.mark()
    data = battery.set_cells(lowest, highest)
    return mark, recorder.wait_for(lambda f: f.data == data, 2, mark, "the cell frame")


def is_zero(value):
    return value == 0


def within(limit, cause, *effects):
    for effect in effects:
        delay = effect.time - cause.time
        assert 0 <= delay <= limit, f"{1000 * delay:.1f} ms, allowed {1000 * limit:.0f} ms\n{cause}\n{effect}"


def ccl_11_bit(frame):
    return int.from_bytes(frame.data[2:4], "little", signed=True)


def dcl_11_bit(frame):
    return int.from_bytes(frame.data[4:6], "little", signed=True)


def assert_kept(recorder, vecand, register, seconds):
    mark = recorder.mark()
    vecand.wait_register(register, is_zero, 7, mark, "still 0")
    time.sleep(seconds)
    given = [f for f in recorder.since(mark) if f.register == register and f.register_value != 0]
    assert not given, f"given back too early:\n{peers.text(given)}"


def test_limits_are_given_to_a_healthy_battery(fed_vecand, recorder):
    frame = fed_vecand.wait_11_bit(0x351, lambda f: len(f.data) == 8 and ccl_11_bit(f) > 0, 5, recorder.mark(), "CCL > 0")
    cvl = int.from_bytes(frame.data[0:2], "little") / 10
    assert cvl in (14.2, 13.5)
    assert dcl_11_bit(frame) > 0
    register = fed_vecand.wait_register(CVL, lambda v: v != NOT_AVAILABLE_U32, 7, recorder.mark())
    assert register.register_value in (1420, 1350)


def test_high_cell_stops_charge_at_3_75_and_gives_back_below_3_60(fed_vecand, battery, recorder):
    mark, _ = cells(battery, recorder, 3.40, 3.74)
    recorder.expect_none(lambda f: f.register == CCL and f.register_value == 0, 1.5, mark, "CCL 0 at 3.74 V")

    mark, cause = cells(battery, recorder, 3.40, 3.76)
    within(
        AT_ONCE,
        cause,
        fed_vecand.wait_register(CCL, is_zero, 2, mark, "0"),
        fed_vecand.wait_11_bit(0x351, lambda f: ccl_11_bit(f) == 0, 2, mark, "with CCL 0"),
        recorder.wait_for(
            lambda f: f.pgn == SWITCH_BANK_STATUS and fed_vecand.sent(f) and peers.indicator(f, 2) == 1,
            2,
            mark,
            "127501 with alarm (indicator 2) on",
        ),
        fed_vecand.wait_11_bit(
            0x35A, lambda f: peers.alarm_pair(f, peers.HIGH_VOLTAGE_ALARM) == 1, 2, mark, "with the high voltage alarm"
        ),
    )
    discharge = [f for f in recorder.since(mark) if f.register == DCL and f.register_value == 0]
    assert not discharge, f"a high cell does not forbid discharge:\n{peers.text(discharge)}"

    cells(battery, recorder, 3.40, 3.60)
    assert_kept(recorder, fed_vecand, CCL, 1.5)

    mark, cause = cells(battery, recorder, 3.40, 3.59)
    fed_vecand.wait_register(CCL, peers.positive, 5, mark, "given back")
    fed_vecand.wait_11_bit(0x351, lambda f: ccl_11_bit(f) > 0, 5, mark, "with CCL given back")


def test_low_cell_stops_discharge_below_2_80_and_gives_back_at_3_20(fed_vecand, battery, recorder):
    mark, cause = cells(battery, recorder, 2.79, 3.30)
    stop = fed_vecand.wait_register(DCL, is_zero, LOW_CELL_DELAY + 5, mark, "0")
    # The core looks at the clock each 100 ms.
    within(LOW_CELL_DELAY + 0.3, cause, stop)
    assert stop.time - cause.time >= LOW_CELL_DELAY - 0.1, "loads were given less than 30 s (R84)"
    fed_vecand.wait_11_bit(0x351, lambda f: dcl_11_bit(f) == 0, 2, mark, "with DCL 0")
    fed_vecand.wait_11_bit(
        0x35A, lambda f: peers.alarm_pair(f, peers.LOW_VOLTAGE_ALARM) == 1, 2, mark, "with the low voltage alarm"
    )
    charge = [f for f in recorder.since(mark) if f.register == CCL and f.register_value == 0]
    assert not charge, f"a low cell does not forbid charge:\n{peers.text(charge)}"

    cells(battery, recorder, 3.19, 3.30)
    assert_kept(recorder, fed_vecand, DCL, 1.5)

    mark, _ = cells(battery, recorder, 3.20, 3.30)
    fed_vecand.wait_register(DCL, peers.positive, 5, mark, "given back")


def test_single_cell_register_counts_too(fed_vecand, battery, recorder):
    # 0x0381: battery, cell, voltage. One cell of many above 3.75 V is enough (R95 holds for high cells as well).
    mark = recorder.mark()
    battery._sender.register(peers.CELL_VOLTAGE, bytes([0, 2]) + (376).to_bytes(2, "little"))
    cause = recorder.wait_for(lambda f: f.register == peers.CELL_VOLTAGE, 2, mark)
    within(AT_ONCE, cause, fed_vecand.wait_register(CCL, is_zero, 2, mark, "0"))


def test_cells_of_a_stranger_change_nothing(fed_vecand, recorder, sender):
    mark = recorder.mark()
    sender.claim(peers.iso_name(999))
    for _ in range(5):
        sender.register(peers.CELL_EXTREMES, bytes.fromhex("17017801"))
        time.sleep(0.2)
    recorder.expect_none(
        lambda f: f.register in (CCL, DCL) and f.register_value == 0 and fed_vecand.sent(f), 1, mark, "limit of 0"
    )


@pytest.mark.parametrize(
    ("silenced", "limit", "last"),
    [("cells", CELLS_SILENT, peers.PROPRIETARY), ("status", CURRENT_SILENT, peers.BATTERY_STATUS)],
)
def test_silence_of_one_measurement_forbids(fed_vecand, battery, recorder, silenced, limit, last):
    mark = recorder.mark()
    setattr(battery.sends, silenced, False)
    time.sleep(0.6)
    before = [f for f in recorder.frames if f.pgn == last and f.source == battery.address][-1]
    for register in (CCL, DCL):
        stop = fed_vecand.wait_register(register, is_zero, limit + 3, mark, f"0 after {limit} s of silence")
        silence = stop.time - before.time
        assert limit - 0.1 <= silence <= limit + 0.5, f"{silence:.2f} s after the last frame, {limit} s expected"
    mark = recorder.mark()
    battery.speak()
    fed_vecand.wait_limits_given(10, mark)


def test_dead_battery_ends_in_limits_withdrawn_and_its_return_in_limits_given(fed_vecand, battery, recorder):
    mark = recorder.mark()
    battery.silence()
    time.sleep(0.6)
    last = [f for f in recorder.frames if f.source == battery.address][-1]
    stop = fed_vecand.wait_register(CCL, is_zero, CURRENT_SILENT + 3, mark, "0")
    fed_vecand.wait_register(DCL, is_zero, CURRENT_SILENT + 3, mark, "0")
    withdrawn = fed_vecand.wait_register(
        CVL, lambda v: v == NOT_AVAILABLE_U32, BATTERY_DEAD + 10, mark, "not available after 60 s"
    )
    silence = withdrawn.time - last.time
    assert BATTERY_DEAD - 0.2 <= silence <= BATTERY_DEAD + 3, f"CVL withdrawn after {silence:.1f} s"
    # Nothing that allows, and no old measurement, in between or after.
    time.sleep(5)
    after = [f for f in recorder.since(mark) if f.time > stop.time + 0.1]
    allowing = [f for f in after if f.register in (CCL, DCL) and f.register_value != 0]
    allowing += [f for f in after if f.register == CVL and f.register_value != NOT_AVAILABLE_U32 and f.time > withdrawn.time]
    assert not allowing, f"limits of a dead battery:\n{peers.text(allowing)}"
    repeated = [f for f in after if f.time > withdrawn.time + 0.1 and not f.extended and f.identifier == 0x351]
    assert not repeated, f"0x351 still sent:\n{peers.text(repeated)}"
    stale = [
        f
        for f in after
        if f.pgn == peers.BATTERY_STATUS and fed_vecand.sent(f) and f.data[3:5] != b"\xff\x7f"
    ]
    assert not stale, f"the last good current is repeated:\n{peers.text(stale)}"
    mark = recorder.mark()
    battery.speak()
    fed_vecand.wait_limits_given(15, mark)
    fed_vecand.wait_11_bit(0x351, lambda f: ccl_11_bit(f) > 0, 5, mark, "sent again")


def test_battery_that_moves_to_another_address_is_still_the_battery(fed_vecand, battery, recorder, sender):
    mark = recorder.mark()
    sender.claim(battery.name - 1, source=battery.address)
    time.sleep(6)
    wrong = [f for f in recorder.since(mark) if f.register in (CCL, DCL) and f.register_value == 0]
    assert not wrong, f"lost its battery by an address:\n{peers.text(wrong)}"


def test_without_a_configured_source_limits_forbid(make_vecand, battery, recorder):
    vecand = make_vecand(inputs="")
    vecand.wait_running()
    vecand.wait_register(CCL, is_zero, 7)
    vecand.wait_register(DCL, is_zero, 7)
    vecand.wait_register(CVL, lambda v: v == NOT_AVAILABLE_U32, 7)
    status = vecand.wait_pgn(peers.BATTERY_STATUS, 3)
    assert status.data[1:7] == b"\xff\x7f\xff\x7f\xff\xff", f"values are not available: {status}"
    time.sleep(3)
    values = peers.limit_values(recorder.frames, vecand.address)
    assert values == {"CVL": {NOT_AVAILABLE_U32}, "CCL": {0}, "DCL": {0}}


def test_limits_are_given_only_after_measurements_came(vecand, recorder):
    time.sleep(3)
    values = peers.limit_values(recorder.frames, vecand.address)
    assert values["CCL"] <= {0} and values["DCL"] <= {0}, values
    assert values["CVL"] <= {NOT_AVAILABLE_U32}, values


@pytest.mark.skipif("User Mode Linux" not in Path("/proc/cpuinfo").read_text(), reason="would set this machine's clock")
@pytest.mark.parametrize("step", [86_400, -86_400], ids=["forward", "back"])
def test_a_wall_clock_that_is_set_is_told_and_changes_no_decision(fed_vecand, battery, recorder, step):
    """A day forward or back, as by a machine without a clock of its own that hears of the time at last."""
    time.sleep(1.5)
    limits = fed_vecand.log_lines()
    time.clock_settime(time.CLOCK_REALTIME, time.time() + step)
    try:
        fed_vecand.wait_said(f"the wall clock was set {'forward' if step > 0 else 'back'} by 86400 s", 5)
        time.sleep(3)  # longer than what makes a current stale
        news = [line for line in fed_vecand.log_lines()[len(limits) :] if "wall clock" not in line]
        assert not news, news
        mark, cause = cells(battery, recorder, 3.40, 3.76)
        within(AT_ONCE, cause, fed_vecand.wait_register(CCL, is_zero, 2, mark, "0"))
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.time() - step)
        time.sleep(0.1)
