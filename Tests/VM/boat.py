"""The boat in the machine: vecand on can0, and on can1 the simulated battery system and a log of the bus."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import zlib
from collections.abc import Callable

from machine import Machine

# Fixed, so that a reset finds it where it was.
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

[[load]]
name = "boat"
power_w = 60
"""
ADDRESS = 35
# As Config/vecand.toml names it.
READING_SOCKET = "/run/vecand/status.sock"
# Tests/VM/run --long
IS_LONG = bool(os.environ.get("VM_LONG"))


def configure(vm: Machine) -> None:
    """The shipped wiring of the simulated system, on can0, with the state of a service and a socket for everybody."""
    vm.run(
        "sed -e 's/^interface = .*/interface = \"can0\"/' -e 's#^directory = .*#directory = \"/var/lib/vecand\"#'"
        " /usr/share/doc/vecand/examples/simulator.toml >/etc/vecand/vecand.toml"
        f" && printf '\\n[control]\\nreading_socket = \"{READING_SOCKET}\"\\n' >>/etc/vecand/vecand.toml"
        " && vecand --check-config /etc/vecand/vecand.toml"
    )
    vm.run(f"cat >/etc/scenario.toml <<'SCENARIO'\n{SCENARIO}\nSCENARIO")


def start_plant(vm: Machine) -> None:
    """Devices on can1, from now on and at each boot: neighbours on a bus speak before a BMS that boots."""
    vm.run(
        "cat >/etc/systemd/system/plant.service <<'UNIT'\n"
        "[Unit]\nDescription=The rest of the boat\nBefore=vecand.service\n"
        "[Service]\nRestart=always\nRestartSec=0.5\nExecStartPre=-mkfifo /run/plant.in\n"
        "ExecStart=bash -c 'exec vecanctl simulate --interface can1 --json --status 0.5 --scenario /etc/scenario.toml"
        " <>/run/plant.in >>/run/plant.jsonl'\n"
        "[Install]\nWantedBy=multi-user.target\nUNIT\n"
        "systemctl daemon-reload && systemctl enable -q --now plant && sync"
    )


def give_bit_times(vm: Machine) -> None:
    """The emulated bus hands over a burst at once, more than a controller's receive buffer of 64 bytes holds. A queue
    discipline lets the frames go as at 250 kbit/s: it counts 16 bytes a frame, about what one takes on the wire."""
    for name in ("can0", "can1"):
        vm.run(f"tc qdisc replace dev {name} root tbf rate 250kbit burst 16 limit 16000")


def start_recording(vm: Machine) -> None:
    vm.run("systemd-run -q --unit=record bash -c 'exec candump -L can1 >/run/candump.log'")
    vm.wait("grep -q can1 /proc/net/can/rcvlist_all", 10, "candump listens")


def write_register(vm: Machine, register: str, value: int) -> None:
    """As a GX device does: until it is answered."""
    vm.wait(f"vecanctl register write --interface can1 --device {ADDRESS} {register} {value}", 30)


def plant_lines(vm: Machine) -> list[dict]:
    lines = []
    for line in vm.run("cat /run/plant.jsonl").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            # The line that is being written.
            continue
    return lines


def mark(vm: Machine) -> int:
    return len(plant_lines(vm))


def contactor(line: dict) -> bool:
    return line["contactor"] == 1


def told(vm: Machine, since: int = 0) -> list[str]:
    """What happened in the plant: contacts that moved, commands that came."""
    return [f"{line.get('source', '')}: {line['text']}" for line in plant_lines(vm)[since:] if "contactor" not in line]


def assert_stays_closed(vm: Machine, since: int) -> None:
    """Not one status line of the plant, two a second, has the contactor open."""
    lines = [line for line in plant_lines(vm)[since:] if "contactor" in line]
    assert lines, "the plant says nothing"
    opened = [line for line in lines if not contactor(line)]
    assert not opened, f"{opened[0]}\n{told(vm, since)}"


def wait_contactor(vm: Machine, closed: bool, seconds: float) -> None:
    vm.wait(f"tail -n 3 /run/plant.jsonl | grep -q '\"contactor\":{int(closed)}[.,}}]'", seconds,
            f"the contactor is {'closed' if closed else 'open'}")  # fmt: skip


def wait_closed(vm: Machine, seconds: float) -> None:
    """As vecand closes it by itself, at the first try."""
    wait_contactor(vm, True, seconds)
    journal = vm.run("journalctl -b -u vecand --no-pager -o cat _PID=$(systemctl show -p MainPID --value vecand)")
    assert not re.search("raised E-B(11|25|26|35)", journal), journal


def pid(vm: Machine) -> int:
    return int(vm.run("systemctl show -p MainPID --value vecand"))


def wait_new_process(vm: Machine, before: int, seconds: float) -> None:
    vm.wait(
        "facts=$(systemctl show -p ActiveState -p MainPID vecand); grep -qx ActiveState=active <<<\"$facts\""
        f" && ! grep -qx -e MainPID=0 -e MainPID={before} <<<\"$facts\"", seconds, "vecand is back")  # fmt: skip


def stored(vm: Machine, record: str, folder: str = "/var/lib/vecand") -> dict:
    """What vecand has stored under a name; its checksum must be right."""
    # A copy, for vecand keeps the lock, and with the journal that a cut left.
    vm.run(f"rm -f /exchange/state.db*; cp {folder}/state.db* /exchange", 30)
    connection = sqlite3.connect(vm.exchange / "state.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        text, checksum = connection.execute("SELECT value, crc32 FROM record WHERE name = ?", (record,)).fetchone()
    finally:
        connection.close()
    assert zlib.crc32(f"{record}\n{text}".encode()) == checksum, f"the checksum of {record}"
    return json.loads(text)


def wait_stored(vm: Machine, record: str, is_there: Callable[[dict], bool], seconds: float) -> dict:
    end = vm.uptime() + seconds
    while True:
        try:
            found = stored(vm, record)
            if is_there(found):
                return found
        except (AssertionError, sqlite3.DatabaseError) as error:
            found = error
        assert vm.uptime() < end, f"{record} is still {found}"
        vm.run("sleep 0.5")
