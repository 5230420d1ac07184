"""vecand and the simulated system of vecanctl on one bus: a day, and what goes wrong on a bus.

Both run in one simulated time, so the times here are the system's and a slow machine changes none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peers import BATTERY_STATUS, DC_DETAILED_STATUS, PROPRIETARY, SWITCH_BANK_STATUS
from simulation import Simulation, decode_all

COORDINATOR_CYCLE = 3.0  # dvcc-dbus.md section C.2
ORDERS_FORGOTTEN = 60.0  # vecan.md section 2.6, register 0x2001
WITHDRAWN = 60.0  # OD-20
LEAD = 2.0  # R76: from ATC and ATD off to the contactor
LOOK = 1.0  # how far apart two status lines and a step are

DAY = """
title = "a full day"
start = "06:00"
duration = "1d"

[bank]
capacity_ah = 200
soc_percent = 30

[bms]
cells = "extremes"

[[charger]]
name = "solar"
rating_a = 60
[charger.sun]
rises = "06:00"
sets = "20:00"

[[charger]]
name = "multi"
rating_a = 30
on = false

[[inverter]]
name = "multi"
power_w_daily = [["00:00", 0], ["07:30", 500], ["07:50", 0]]

[[load]]
name = "boat"
power_w_daily = [["00:00", 80], ["07:00", 40], ["20:00", 150], ["23:30", 80]]
"""


@pytest.fixture
def simulate(interface: str, evidence: Path, temporary: Path) -> Iterator[Callable[..., Simulation]]:
    made: list[Simulation] = []

    def make(**options: object) -> Simulation:
        made.append(Simulation(interface, evidence, temporary, **options))
        return made[-1]

    yield make
    for simulation in made:
        simulation.stop()


@pytest.fixture
def running(simulate: Callable[..., Simulation]) -> Simulation:
    """A system in service."""
    simulation = simulate()
    simulation.start()
    return simulation


def charging(line: dict) -> float:
    return line["solar_charge_a"] + line["multi_charge_a"]


def stopped(line: dict) -> bool:
    return charging(line) < 0.01


def wait_service(simulation: Simulation, since: int) -> dict:
    """Everything is as it was: contacts closed, limits given, chargers at work."""
    return simulation.wait_status(
        lambda line: line["contactor"] == 1 and line["atc"] == 1 and line["atd"] == 1
        and (line["ccl_a"] or 0) > 0 and charging(line) > 10, "back in service", since, 120)


def assert_within(line: dict, since: float, most: float) -> None:
    assert line["time"] - since <= most, f"{line['time'] - since:.2f} s, allowed {most} s: {line}"


# ---------------------------------------------------------------------------------------------------------------------
# From nothing to service


def test_a_system_comes_up_and_its_log_is_read_by_others(simulate, evidence):
    simulation = simulate(configure=lambda text: text.replace("[inputs.monitor]", "maximum_charge_current = 25\n\n[inputs.monitor]", 1))
    precharge = simulation.wait_text("precharge commanded on", source="module")
    contactor = simulation.wait_text("contactor commanded on", source="module")
    closed = simulation.wait_text("contactor closed")
    assert precharge["time"] < contactor["time"] < closed["time"], "pre-charge, then the contactor"
    ready = simulation.wait_text("precharge commanded off", source="module")
    assert ready["time"] >= closed["time"], "pre-charge holds until the contactor is seen closed"
    simulation.wait_text("CVL 14.2 V, CCL 25 A", source="coordinator")
    mark = simulation.mark()
    simulation.pass_time(30)
    # An inverter/charger gets what solar chargers were last seen to leave: they overshoot until these have risen.
    told = [line for line in simulation.lines[mark:] if "atc" in line][int(5 * COORDINATOR_CYCLE / 0.5) :]
    assert told and all(line["ccl_a"] == 25 for line in told)
    assert all(charging(line) <= 25 + 0.1 for line in told), "chargers keep to CCL together"
    assert max(charging(line) for line in told) > 20, "and use it"
    assert all(line["battery_v"] <= line["cvl_v"] for line in told)
    simulation.stop()
    counts = decode_all(evidence / "candump.log")
    assert {BATTERY_STATUS, DC_DETAILED_STATUS, SWITCH_BANK_STATUS, PROPRIETARY} <= counts.keys(), counts


def test_limits_by_11_bit_frames(simulate):
    simulation = simulate(options=("--limits", "11-bit"))
    simulation.start()
    line = simulation.wait_status(lambda line: line["cvl_v"] == 14.2, "CVL from 0x351")
    assert line["ccl_a"] > 0 and line["dcl_a"] > 0


@pytest.mark.skipif(not os.environ.get("BUS_LONG"), reason="minutes: BUS_LONG=1")
@pytest.mark.timeout(2400)
def test_a_full_day(simulate, evidence):
    """From 30 % to full, absorption, resting, night load. `-rP` shows how long it took."""
    simulation = simulate(speed=1000, scenario=DAY, status=30)
    begin = time.monotonic()
    simulation.wait_end(1800)
    print(f"a day of 86,400 s in {time.monotonic() - begin:.0f} s")
    log = simulation.log()
    simulation.stop()
    told = [line for line in simulation.lines if "atc" in line and line["time"] > 60]
    assert told[-1]["time"] >= 86_400 - 60, "the day was not over"
    assert all(line["contactor"] == 1 and line["atc"] == 1 and line["atd"] == 1 for line in told)
    assert max(line["true_soc_percent"] for line in told) > 99
    assert max(line["highest_cell_v"] for line in told) <= 3.75
    for line in told:
        assert line["battery_v"] <= line["cvl_v"] + 0.02 or line["solar_charge_a"] < 0.5, line
        assert charging(line) <= line["ccl_a"] + 0.1, line
        assert abs(line["bms_soc_percent"] - line["true_soc_percent"]) <= 2, line
    cvl = [line["cvl_v"] for line in told]
    before = cvl[: cvl.index(13.5)]
    assert before[0] == 14.2 and before == sorted(before, reverse=True), "absorption, then down with the battery"
    assert set(cvl[cvl.index(13.5) :]) <= {13.5, 14.2}, "resting, and in the night a new cycle"
    assert "full charge cycle completed" in log
    assert " raised " not in log.split("leaving")[0], "no alarm in the whole day"
    counts = decode_all(evidence / "candump.log")
    assert {BATTERY_STATUS, DC_DETAILED_STATUS, SWITCH_BANK_STATUS, PROPRIETARY} <= counts.keys(), counts


# ---------------------------------------------------------------------------------------------------------------------
# What goes wrong on a bus


def test_high_cell_opens_atc_at_once_and_stops_every_charger_in_one_cycle(running):
    mark, log = running.mark(), running.log_mark()
    at = running.type('do = "fault", fault = "cell_charge", cell = 2, ah = 80.2')
    opened = running.wait_text("atc commanded off", mark, "module")
    assert_within(opened, at, 2 * LOOK)
    ccl = running.wait_text("CCL 0 A", mark, "coordinator")
    assert_within(ccl, opened["time"], 0.2)
    assert_within(running.wait_status(stopped, "every charger stops", mark), ccl["time"], COORDINATOR_CYCLE + LOOK)
    line = running.wait_status(lambda line: line["atc"] == 0, "ATC is open", mark)
    assert line["atd"] == 1 and line["contactor"] == 1, "a high cell forbids charging only"
    running.wait_log("charge forbidden", log)
    running.type('do = "fault", fault = "cell_charge", cell = 2, ah = -80.2')
    wait_service(running, running.mark())


def test_monitor_unplugged(running):
    mark, log = running.mark(), running.log_mark()
    at = running.type("unplug monitor")
    assert_within(running.wait_text("atc commanded off", mark, "module"), at, 2 + 2 * LOOK)
    running.wait_text("atd commanded off", mark, "module")
    running.wait_log("raised V-B22", log)
    running.wait_log("raised V-B23", log)
    assert_within(running.wait_status(stopped, "chargers stop", mark), at, 2 + COORDINATOR_CYCLE + 2 * LOOK)
    opened = running.wait_text("contactor opened", mark)
    assert WITHDRAWN - 1 <= opened["time"] - at <= WITHDRAWN + LEAD + 3 * LOOK
    running.wait_text("no BMS", mark, "coordinator")
    running.type("plug monitor")
    wait_service(running, running.mark())
    running.wait_log("cleared V-B22", log)


@pytest.mark.parametrize(
    "verb, alarm, seen, healed",
    [("refuse", "V-B41", "refuses a command", None), ("pretend", "V-B42", None, "atc commanded off")])
def test_module_does_not_obey(running, verb, alarm, seen, healed):
    """It refuses a command, or acknowledges it and does not act."""
    mark, log = running.mark(), running.log_mark()
    running.type(f"{verb} atc")
    running.type("unplug cells")
    if seen:
        running.wait_text(seen, mark, "module")
    running.wait_log(f"raised {alarm}", log)
    assert running.wait_status(stopped, "DVCC stops the chargers all the same", mark)["atc"] == 1
    running.type("obey")
    if healed:
        running.wait_text(healed, mark, "module")
    running.type("plug cells")
    wait_service(running, running.mark())
    running.wait_log(f"cleared {alarm}", log)


def test_module_acts_unasked(running):
    mark, log = running.mark(), running.log_mark()
    running.type("move relay on")
    running.wait_log("raised V-B43", log)
    running.wait_text("relay commanded off", mark, "module")
    running.wait_log("cleared V-B43", log)
    wait_service(running, mark)


def test_contactor_opens_unasked(running):
    mark, log = running.mark(), running.log_mark()
    running.type("move contactor off")
    running.wait_text("contactor opened", mark)
    running.wait_log("raised V-B43", log)
    running.wait_status(lambda line: line["atc"] == 0 and line["atd"] == 0, "nothing is allowed", mark)
    running.wait_log("until switched off and on again", log)
    running.pass_time(60)
    told = [line for line in running.lines[mark:] if "contactor commanded on" in line["text"]]
    assert not told, "a contactor that opened by itself is not closed again by itself"


def test_module_vanishes_with_the_contactor_closed(running):
    mark, log = running.mark(), running.log_mark()
    running.type("unplug module")
    running.wait_log("raised V-B44", log)
    line = running.wait_status(lambda line: True, "how things stand", running.mark())
    assert line["contactor"] == 1 and line["atc"] == 1, "its contacts stay as they were"
    running.type("plug module")
    running.wait_log("cleared V-B44", log)
    wait_service(running, running.mark())


def test_two_monitors_of_one_instance(running):
    mark, log = running.mark(), running.log_mark()
    at = running.type("plug twin")
    running.wait_log("raised V-B45", log)
    running.wait_text("atc commanded off", mark, "module")
    assert_within(running.wait_status(stopped, "neither is believed", mark), at, 10 + COORDINATOR_CYCLE)
    running.type("unplug twin")
    wait_service(running, running.mark())
    running.wait_log("cleared V-B45", log)


def test_coordinator_gone(running):
    mark = running.mark()
    at = running.type("unplug coordinator")
    gone = running.wait_text("stops: no orders", mark, "solar", 120)
    assert ORDERS_FORGOTTEN - COORDINATOR_CYCLE <= gone["time"] - at <= ORDERS_FORGOTTEN + 2 * LOOK
    line = running.wait_status(stopped, "every charger stops by itself", mark)
    assert line["contactor"] == 1 and line["atc"] == 1, "the BMS goes on"
    running.type("plug coordinator")
    wait_service(running, running.mark())


def test_bms_gone(running):
    """Who leaves withdraws and opens first; chargers are not left with the last good limits."""
    mark = running.mark()
    running.stop_vecand()
    running.wait_text("contactor commanded off", mark, "module")
    running.wait_status(stopped, "every charger stops", mark)
    running.wait_text("no BMS", mark, "coordinator")


# ---------------------------------------------------------------------------------------------------------------------
# What a faster clock refuses


def test_a_follower_needs_a_leader(interface, temporary, evidence):
    import subprocess

    from simulation import REPOSITORY, program

    result = subprocess.run(
        [program("vecand"), "--config", str(REPOSITORY / "Config/simulator.toml"), "--interface", interface,
         "--state-directory", str(temporary), "--speed", "10"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "vecanctl simulate --speed" in result.stderr, result.stderr


def test_one_leader_on_a_bus(running, interface):
    import subprocess

    from simulation import program

    result = subprocess.run(
        [program("vecanctl"), "simulate", "--interface", interface, "--speed", "10"], capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL)
    assert result.returncode == 1 and "another program" in result.stderr, result.stderr
