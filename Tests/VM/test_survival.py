"""Hard resets, a stop, the removal of the package, and a new beginning."""

from __future__ import annotations

import random
import re

import pytest

import boat
from machine import Machine

RESETS = 50 if boat.IS_LONG else 1
# Counters are written each ten seconds (StateSchedule); a write and the asking take their time on this machine.
COUNTING = 10.0
WRITE = 3.0
ON, STANDBY = 3, 252


def keep_what_a_boot_finds(vm: Machine) -> None:
    """In /run/left, before the first vecand of a boot opens it."""
    vm.run(
        "mkdir -p /etc/systemd/system/vecand.service.d && cat >/etc/systemd/system/vecand.service.d/test.conf <<'UNIT'\n"
        "[Service]\n"
        "ExecStartPre=+/bin/sh -c '[ -e /run/left ] || cp -r /var/lib/vecand /run/left'\n"
        "UNIT\n"
        "systemctl daemon-reload; sync"
    )


def give_the_disk_work(vm: Machine) -> None:
    """Not while a contactor closes: in an emulated machine its feedback is then 0.4 s late, an error of its own."""
    vm.run(
        "systemd-run -q --unit=load --nice=19 bash -c 'while :; do dd if=/dev/zero of=/var/tmp/load bs=64k count=16"
        " conv=fsync 2>/dev/null; sleep 0.2; done'"
    )


def set_mode(vm: Machine, mode: int) -> None:
    boat.write_register(vm, "device-mode", mode)
    if mode == ON:
        boat.wait_closed(vm, 30)
    else:
        boat.wait_contactor(vm, False, 30)


# A reset with its boot takes a minute here, and more on a busy host.
@pytest.mark.timeout(600 + 300 * RESETS)
def test_hard_resets_lose_no_setting_ten_seconds_of_counting_and_close_nothing(vm: Machine):
    """The disk keeps what the kernel had handed to it; one that loses what it had confirmed is not emulated."""
    keep_what_a_boot_finds(vm)
    chance = random.Random(6)
    for number in range(RESETS):
        capacity, mode = 150 + number, (STANDBY, ON)[number % 2]
        boat.write_register(vm, "battery-capacity", capacity)
        set_mode(vm, mode)
        give_the_disk_work(vm)
        boat.wait_stored(vm, "settings", lambda settings: str(capacity) in str(settings), 10)
        boat.wait_stored(vm, "core", lambda core: core["snapshot"]["isContactorClosed"] is (mode == ON), 10)
        # At any moment of the ten seconds between two writes.
        moment = chance.uniform(0, COUNTING)
        vm.run(f"sleep {moment:.2f}")
        uptime = vm.uptime()
        vm.reset()

        where = f"reset {number}, {moment:.2f} s after a decision"
        vm.wait("systemctl is-active vecand && systemctl is-active plant", 120, "vecand is up after a reset")
        core, settings = (boat.stored(vm, record, "/run/left") for record in ("core", "settings"))
        journal = vm.run("journalctl -b -u vecand --no-pager -o cat")
        assert "damaged" not in journal and "E-B119" not in journal, f"{where}: {journal}"
        assert " restored" in journal, f"{where}: {journal}"
        assert str(capacity) in str(settings), f"{where}: {settings}"
        lost = uptime - core["moment"]["sinceBoot"]
        assert lost < COUNTING + WRITE, f"{where}: the newest state is {lost:.1f} s older than the reset"
        assert core["snapshot"]["isContactorClosed"] is (mode == ON), where
        boat.give_bit_times(vm)
        if mode == STANDBY:
            # Standby stays Standby: with battery and cells heard, nothing is closed.
            vm.wait("systemctl show -p StatusText --value vecand | grep -q 'V, '", 30, "the battery is heard")
            vm.run("sleep 10")
            closing = [line for line in boat.told(vm) if "commanded on" in line and ("contactor" in line or "pre" in line)]
            assert not closing, f"{where}: {closing}"


def test_a_stop_on_purpose_opens_atc_first_and_the_contactor_two_seconds_later(vm: Machine):
    set_mode(vm, ON)
    vm.wait("systemctl show -p StatusText --value vecand | grep -q 'charge allowed'", 30)
    since = boat.mark(vm)
    vm.run("systemctl stop vecand", 30)
    boat.wait_contactor(vm, False, 2)
    times: dict[str, float] = {}
    for line in boat.plant_lines(vm)[since:]:
        if "commanded off" in line.get("text", ""):
            times.setdefault(line["text"].split()[0], line["time"])
    # By the plant's clock, in milliseconds, read when it takes a frame: the first can have waited for the wire.
    assert times["contactor"] - times["atc"] >= 1.99, times
    assert vm.run("systemctl show -p Result --value vecand") == "success\n"


def test_a_removal_keeps_state_and_configuration_and_a_purge_leaves_nothing(vm: Machine):
    vm.run("rm -rf /etc/systemd/system/vecand.service.d; systemctl daemon-reload; systemctl start vecand", 60)
    boat.wait_closed(vm, 60)
    vm.run("dpkg --remove vecand", 60)
    boat.wait_contactor(vm, False, 2)
    vm.run("test -s /var/lib/vecand/state.db && test -s /etc/vecand/vecand.toml && ! test -e /usr/bin/vecand")
    vm.run("systemctl disable -q --now plant; dpkg --purge vecand", 60)
    left = vm.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /var/log -o -path /var/lib/dpkg -o -path /exchange"
        " -o -path /tmp -o -path /run \\) -prune -o -name '*vecand*' -print; getent passwd vecand; getent group vecand;"
        " systemctl list-unit-files | grep vecand; true")  # fmt: skip
    assert left.strip() == "", left


def test_from_the_package_to_a_status_screen_as_the_readme_says(vm: Machine, packages):
    """The five commands of README's "Install", without sudo; dpkg because the machine has no network."""
    vm.run(f"dpkg -i --force-unsafe-io /exchange/{packages[0].name}", 120)
    vm.run("modprobe vcan && ip link add vcan0 type vcan && ip link set vcan0 up")
    vm.run("cp /usr/share/doc/vecand/examples/simulator.toml /etc/vecand/vecand.toml && systemctl start vecand", 60)
    # A person's second terminal: its standard input stays open.
    vm.run("mkfifo /run/terminal && systemd-run -q --unit=boat"
           " bash -c 'exec vecanctl simulate --interface vcan0 <>/run/terminal >/run/boat.log'")  # fmt: skip
    told = vm.wait("vecanctl status | grep -A99 '^All right'", 60, "all right")
    assert re.search(r"^Charging +allowed", told, re.MULTILINE), told
    assert re.search(r"^Contactor +closed", told, re.MULTILINE), told
    assert re.search(r"^Charge +[\d.]+ %", told, re.MULTILINE), told
    vm.run("systemctl stop boat vecand", 60)
