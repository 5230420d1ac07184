"""Hard resets under load: what was stored opens, is whole, and nothing closes that was open.

The disk keeps what the kernel had handed to it; a disk that loses what it had confirmed is not emulated."""

from __future__ import annotations

import json
import random

import boat
from machine import Machine

RESETS = 50 if boat.IS_LONG else 2
# Written each ten seconds (StateSchedule), and what a write takes on this machine.
COUNTING = 10.0
WRITE = 2.0
ON, STANDBY = 3, 252


def prepare(vm: Machine) -> None:
    """Keeps what vecand finds at its start, and something to do for the disk."""
    vm.run(
        "mkdir -p /etc/systemd/system/vecand.service.d && cat >/etc/systemd/system/vecand.service.d/test.conf <<'UNIT'\n"
        "[Service]\n"
        "ExecStartPre=+/bin/sh -c '[ -e /run/left ] || cp -r /var/lib/vecand /run/left'\n"
        "UNIT\n"
        "systemctl daemon-reload; sync"
    )


def begin(vm: Machine) -> None:
    vm.wait("systemctl is-active vecand plant", 60, "vecand is up after a boot")
    boat.give_bit_times(vm)
    vm.run(
        "systemd-run -q --unit=load bash -c 'while :; do dd if=/dev/zero of=/var/tmp/load bs=64k count=64 conv=fsync"
        " 2>/dev/null; sleep 0.1; done'"
    )


def set_mode(vm: Machine, mode: int) -> None:
    boat.write_register(vm, "device-mode", mode)


def test_hard_resets_lose_no_setting_ten_seconds_of_counting_and_close_nothing(vm: Machine):
    prepare(vm)
    chance = random.Random(6)
    begin(vm)
    for number in range(RESETS):
        capacity, mode = 150 + number % 100, (ON, STANDBY)[number % 2]
        boat.write_register(vm, "battery-capacity", capacity)
        set_mode(vm, mode)
        boat.wait_contactor(vm, mode == ON, 60)
        vm.wait(f"grep -q '\"battery_capacity\" : {capacity}' /var/lib/vecand/settings.json", 10)
        # At any moment of the ten seconds between two writes.
        moment = chance.uniform(0, COUNTING)
        uptime = float(vm.run(f"sleep {moment:.2f}; cut -d' ' -f1 /proc/uptime"))
        vm.reset()

        vm.wait("systemctl is-active vecand", 90, "vecand is up after a reset")
        left = json.loads(vm.run("sed -n 2p /run/left/state.json"))
        settings = json.loads(vm.run("cat /run/left/settings.json"))["settings"]
        journal = vm.run("journalctl -b -u vecand --no-pager -o cat")
        where = f"reset {number}, {moment:.2f} s after a decision"
        assert "damaged" not in journal and "E-B119" not in journal, f"{where}: {journal}"
        assert " restored" in journal, f"{where}: {journal}"
        assert settings["battery_capacity"] == capacity, f"{where}: {settings}"
        lost = uptime - left["moment"]["sinceBoot"]
        assert lost < COUNTING + WRITE, f"{where}: the newest state is {lost:.1f} s older than the reset"
        assert left["snapshot"]["isContactorClosed"] is (mode == ON), where
        begin(vm)
        if mode == STANDBY:
            # Standby stays Standby: with data of battery and cells there, nothing is closed.
            vm.wait("systemctl show -p StatusText --value vecand | grep -q 'V, '", 30, "the battery is heard")
            vm.run("sleep 10")
            closing = [line for line in boat.told(vm) if "commanded on" in line and ("contactor" in line or "pre" in line)]
            assert not closing, f"{where}: {closing}"


def test_a_stop_on_purpose_opens_atc_first_and_the_contactor_two_seconds_later(vm: Machine):
    vm.run("systemctl stop load || true")
    set_mode(vm, ON)
    boat.wait_contactor(vm, True, 60)
    vm.wait("systemctl show -p StatusText --value vecand | grep -q 'charge allowed'", 20)
    since = boat.mark(vm)
    vm.run("systemctl stop vecand", 30)
    boat.wait_contactor(vm, False, 1)
    events = boat.plant_lines(vm)[since:]
    times = {}
    for line in events:
        if "commanded off" in line["text"]:
            times.setdefault(line["text"].split()[0], line["time"])
    assert times["contactor"] - times["atc"] >= 2.0, times
    assert vm.run("systemctl show -p Result --value vecand") == "success\n"


def test_a_removal_keeps_state_and_configuration_and_a_purge_leaves_nothing(vm: Machine):
    vm.run("rm -r /etc/systemd/system/vecand.service.d; systemctl start vecand", 60)
    boat.wait_contactor(vm, True, 60)
    vm.run("dpkg --remove vecand", 60)
    boat.wait_contactor(vm, False, 1)
    vm.run("test -s /var/lib/vecand/state.json && test -s /etc/vecand/vecand.toml && ! test -e /usr/bin/vecand")
    vm.run("dpkg --purge vecand", 60)
    left = vm.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /var/log -o -path /var/lib/dpkg -o -path /exchange \\) -prune"
        " -o -name '*vecand*' -print; getent passwd vecand; getent group vecand; systemctl list-unit-files | grep vecand; true")
    assert left.strip() == "", left
