"""What a run leaves to the next (R24, R29, R50), and what the daemon says of its decisions."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import peers
from switching import CONTACTOR, PRECHARGE, SwitchModule

BATTERY_CAPACITY = 0x1000
RESTORE_DEFAULTS = 0x0004


def reset(sender: peers.Sender, vecand: peers.Vecand) -> None:
    """Settings back to what the configuration says (R323), by register."""
    sender.register(RESTORE_DEFAULTS, b"", vecand.address)


def write_capacity(sender: peers.Sender, vecand: peers.Vecand, ampere_hours: int) -> None:
    """Sets it by register and waits for the answer."""
    mark = vecand.recorder.mark()
    sender.register(BATTERY_CAPACITY, struct.pack("<I", ampere_hours), vecand.address)
    vecand.wait_register(BATTERY_CAPACITY, lambda value: value == ampere_hours, 5, mark, f"of {ampere_hours} Ah")


def stored(database: Path, temporary: Path) -> tuple[dict[str, dict], list[tuple[str, str]]]:
    """The records and the events (kind, code) of a copy of the database, which its own checks find sound; each record with
    the checksum that zlib finds."""
    copy = temporary / "copy.db"
    shutil.copy(database, copy)
    journal = database.with_name("state.db-journal")
    if journal.exists():
        shutil.copy(journal, temporary / "copy.db-journal")
    connection = sqlite3.connect(copy)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    records = {}
    for name, value, checksum in connection.execute("SELECT name, value, crc32 FROM record"):
        assert zlib.crc32(f"{name}\n{value}".encode()) == checksum, name
        records[name] = json.loads(value)
    events = connection.execute("SELECT kind, code FROM event ORDER BY id").fetchall()
    connection.close()
    assert sorted(records) == ["core", "node", "settings"]
    return records, events


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2], ids=lambda number: number.name)
def test_a_signal_while_it_starts_does_not_end_it(vecand: peers.Vecand, number: signal.Signals):
    vecand.stop()
    vecand.start()
    vecand.wait_catching(number)
    vecand.signal(number)
    if number == signal.SIGUSR2:  # the hand-over itself ends it, in order
        assert vecand.process.wait(20) == 0, vecand.log_tail()
    else:
        vecand.wait_running()
        vecand.wait_said("SIGHUP: " if number == signal.SIGHUP else "why: charge", 10)


def kill(vecand: peers.Vecand) -> None:
    vecand.signal(signal.SIGKILL)
    vecand.process.wait(5)


def test_a_stop_while_it_starts_opens_what_a_crash_left_closed(closed: peers.Vecand, module: SwitchModule):
    vecand = closed
    kill(vecand)
    assert module.on[CONTACTOR]
    vecand.start()
    vecand.wait_catching(signal.SIGTERM)
    vecand.signal(signal.SIGTERM)
    assert vecand.process.wait(20) == 0, vecand.log_tail()
    assert not module.on[CONTACTOR], vecand.log_tail()


def test_a_killed_daemon_comes_back_to_a_contactor_that_stays_closed(
    closed: peers.Vecand, module: SwitchModule, sender: peers.Sender
):
    vecand = closed
    vecand.wait_said("charge and discharge allowed", 10)
    time.sleep(2.5)  # a decision is stored within a second
    kill(vecand)
    commands = len(module.commands)
    vecand.start()
    vecand.wait_said("restored, contactor closed", 10)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        assert module.on[CONTACTOR], f"opened: {module.commands[commands:]}"
        time.sleep(0.02)
    news = module.commands[commands:]
    assert not [c for c in news if c[1] == CONTACTOR or (c[1] == PRECHARGE and c[2])], news

    # What was damaged forbids and is not replaced by a new state.
    kill(vecand)
    database = vecand.state / "state.db"
    damaged = database.read_bytes().replace(b'"mode":3', b'"mode":4')
    assert damaged != database.read_bytes()
    database.write_bytes(damaged)
    vecand.start()
    vecand.wait_said("state.db is damaged: the checksum of core is wrong", 10)
    vecand.wait_said("raised E-B119", 10)
    module.wait(CONTACTOR, False, 15, "the contactor opens")
    assert database.read_bytes() == damaged

    # A reset of the settings begins a new one, and what was damaged stays beside it.
    vecand.wait_pgn(peers.BATTERY_STATUS, 10, vecand.started_mark)
    reset(sender, vecand)
    vecand.wait_said("cleared E-B119", 10)
    vecand.wait_said("is kept as", 10)
    assert (vecand.state / "state.db.kept-1").read_bytes() == damaged
    module.wait(CONTACTOR, True, 20, "the contactor closes again")


def test_each_protective_change_is_in_the_log_once_with_its_reason(fed_vecand: peers.Vecand, battery: peers.Battery):
    vecand = fed_vecand
    vecand.wait_said("charge and discharge allowed: nothing forbids it", 10)
    battery.set_cells(3.30, 3.76)
    vecand.wait_said("warning: charge forbidden", 5)
    vecand.signal(signal.SIGUSR1)
    vecand.wait_said("why: check ", 5)
    time.sleep(1)
    lines = vecand.log_lines()
    forbidden = [line for line in lines if "charge forbidden: highest cell at 3.76 V, until every cell is below 3.6 V" in line]
    assert len(forbidden) == 2, forbidden  # the change, and the answer to the question
    assert " since " in forbidden[1] and "why: " in forbidden[1]
    for word in ("why: discharge allowed", "why: CVL", "why: CCL 0 A", "why: mode On", "why: state", "why: contactor"):
        assert [line for line in lines if word in line], f"no {word} in the answer"
    battery.set_cells(3.30, 3.40)
    vecand.wait_said("notice: charge allowed: nothing forbids it", 5)


KILLS = 200 if os.environ.get("BUS_LONG") else 4


@pytest.mark.timeout(120 + 10 * KILLS)
def test_a_kill_at_a_random_moment_loses_no_setting_and_ten_seconds_of_counting(
    battery: peers.Battery, sender: peers.Sender, vecand: peers.Vecand, temporary: Path
):
    numbers = random.Random(6)
    for kill in range(KILLS):
        vecand.wait_limits_given()
        write_capacity(sender, vecand, 300 + kill)
        # A setting is on the disk within a second of its answer; the state is written at any moment.
        time.sleep(numbers.uniform(1.5, 4))
        vecand.signal(signal.SIGKILL)
        killed = time.clock_gettime(time.CLOCK_BOOTTIME)
        vecand.process.wait(5)
        found, events = stored(vecand.state / "state.db", temporary)
        assert found["settings"]["settings"] == {"battery_capacity": 300 + kill}
        assert found["node"]["address"] == vecand.address
        assert killed - found["core"]["moment"]["sinceBoot"] < 10.5
        assert {("link", "up"), ("decided", "charge")} <= set(events)
        vecand.start()
    vecand.wait_limits_given()
    assert not [line for line in vecand.log_lines() if "E-B119" in line]


def wait_contains(database: Path, text: bytes) -> None:
    deadline = time.monotonic() + 15
    while text not in database.read_bytes():
        assert time.monotonic() < deadline, f"no {text!r} in {database}"
        time.sleep(0.1)


def truncated(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5000])


def flipped(database: Path) -> None:
    contents = bytearray(database.read_bytes())
    place = contents.index(b'"battery_capacity"')
    contents[place + 3] ^= 1
    database.write_bytes(contents)


def of_a_newer_version(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 2")
    connection.close()


def in_use_by_another_program(database: Path) -> None:
    code = """if True:
        import sqlite3, sys, time
        connection = sqlite3.connect(sys.argv[1])
        connection.execute("BEGIN EXCLUSIVE")
        print(flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", code, database], stdout=subprocess.PIPE)
    process.stdout.readline()
    HOLDERS.append(process)


def a_directory(database: Path) -> None:
    database.rename(database.with_name("moved.db"))
    database.mkdir()


HOLDERS: list[subprocess.Popen] = []


@pytest.fixture
def holders() -> Iterator[None]:
    yield
    while HOLDERS:
        peers.end(HOLDERS.pop())


@pytest.mark.parametrize(
    ("damage", "says", "is_kept"),
    [
        (truncated, "state.db is damaged", True),
        (flipped, "state.db is damaged: the checksum of settings is wrong", True),
        (of_a_newer_version, "state.db was left by a newer version: its layout is 2; install that version again", True),
        (a_directory, "state.db can't be read: Is a directory", True),
        (in_use_by_another_program, "state.db is in use: another program has it open", False),
    ],
)
def test_a_state_that_cannot_be_used_forbids_until_a_reset_and_is_kept(
    battery: peers.Battery, sender: peers.Sender, vecand: peers.Vecand, holders, damage, says: str, is_kept: bool
):
    vecand.wait_limits_given()
    write_capacity(sender, vecand, 321)
    vecand.stop()
    damage(vecand.state / "state.db")
    vecand.start()
    vecand.wait_said(says, 10)
    vecand.wait_said("raised E-B119", 10)
    # It does not take part silently either: its limits are there, and forbid.
    for register in (peers.CCL, peers.DCL):
        vecand.wait_register(register, lambda value: value == 0, 10, vecand.started_mark, "that forbids")
    battery.set_cells(3.29, 3.32)
    time.sleep(2)  # more than a period, in which nothing may be allowed
    given = peers.limit_values(vecand.recorder.since(vecand.started_mark), vecand.address)
    assert not [value for name in ("CCL", "DCL") for value in given[name] if peers.positive(value)], given
    mark = vecand.recorder.mark()
    reset(sender, vecand)
    vecand.wait_limits_given(20, mark)
    if is_kept:
        vecand.wait_said("is kept as", 10)
        assert (vecand.state / "state.db.kept-1").exists()
        vecand.stop()
        vecand.start()
        vecand.wait_limits_given()
        assert len([line for line in vecand.log_lines() if "raised E-B119" in line]) == 1
    else:
        vecand.wait_said("What changes now does not survive a restart", 10)
        assert not (vecand.state / "state.db.kept-1").exists()


def test_a_full_disk_delays_no_protection_and_is_said_once(
    battery: peers.Battery, sender: peers.Sender, temporary: Path, make_vecand
):
    state = temporary / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", state], check=True)
    vecand = None
    try:
        filler = state / "filler"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
                while True:
                    file.write(bytes(4096))

        fill()
        vecand = make_vecand()
        vecand.wait_limits_given()
        vecand.wait_said("state.db can't be written: database or disk is full; make room", 10)
        vecand.wait_said("raised V-B49 State or events not stored", 10)
        battery.set_cells(3.30, 3.76)
        vecand.wait_register(peers.CCL, lambda value: value == 0, 1, vecand.started_mark, "that forbids")
        filler.unlink()
        vecand.wait_said("state.db is written again", 15)
        vecand.wait_said("cleared V-B49", 5)
        # Now there is a database, and the disk is full again: the state goes where it was.
        fill()
        battery.set_cells(3.30, 3.40)
        vecand.wait_said("notice: charge allowed", 10)
        mark = vecand.recorder.mark()
        battery.set_cells(3.30, 3.76)
        vecand.wait_register(peers.CCL, lambda value: value == 0, 1, mark, "that forbids")
        # Written together with the state as it is then.
        write_capacity(sender, vecand, 321)
        wait_contains(state / "state.db", b'"battery_capacity":321')
        kill(vecand)
        filler.unlink()
        records, _ = stored(state / "state.db", temporary)
        assert records["core"]["snapshot"]["highCell"] is True
        assert records["settings"]["settings"] == {"battery_capacity": 321}
        lines = vecand.log_lines()
        assert len([line for line in lines if "can't be written" in line]) == 1, lines
        vecand.start()
        vecand.wait_said("restored", 10)
    finally:
        if vecand:
            vecand.stop()
        subprocess.run(["umount", state], check=True)
