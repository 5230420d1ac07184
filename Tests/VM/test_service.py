"""The package and the service on a machine with systemd and CAN controllers."""

from __future__ import annotations

import json
import re

import pytest

import boat
from adapter import BUS_OFF, ERROR_ACTIVE, ERROR_PASSIVE, Adapter
from boat import ADDRESS
from machine import Machine


def test_the_package_installs_and_starts_nothing_by_itself(vm: Machine, packages):
    vm.run(f"dpkg -i --force-unsafe-io /exchange/{packages[0].name}", 120)
    assert vm.run("vecand --version") == packages[0].name.split("_")[1].split("-")[0] + "\n"
    assert vm.try_run("systemctl is-active vecand")[1] == "inactive\n"
    assert vm.try_run("systemctl is-enabled vecand")[1] == "disabled\n"
    assert vm.run("id -gn vecand; stat -c '%U %a' /etc/vecand/vecand.toml") == "vecand\nroot 644\n"
    vm.run("vecand --check-config /etc/vecand/vecand.toml")
    boat.configure(vm)


def test_the_shipped_network_file_sets_250_kbit_and_the_restart(vm: Machine):
    examples = "/usr/share/doc/vecand/examples"
    vm.run(
        f"cp {examples}/80-vecan.network /etc/systemd/network/"
        f" && sed 's/can0/can1/' {examples}/80-vecan.network >/etc/systemd/network/81-other.network && networkctl reload"
    )
    for name in ("can0", "can1"):
        link = vm.wait(f"ip -d link show {name} | grep -A9 'state UP'", 20, f"{name} is up")
        assert "bitrate 250000" in link and "restart-ms 100" in link and "state ERROR-ACTIVE" in link, link


def test_it_claims_an_address_that_the_other_controller_sees(vm: Machine):
    boat.give_bit_times(vm)
    boat.start_recording(vm)
    begin = vm.uptime()
    vm.run("systemctl enable --now vecand", 60)
    assert vm.uptime() - begin < 20, "systemctl start returns when the address is claimed"
    # 60928 to everybody, priority 6 (nmea2000.md 1.4).
    vm.wait(f"grep -qi 'can1 18EEFF{ADDRESS:02X}#' /run/candump.log", 5, "the claim on can1")
    listed = vm.run("vecanctl devices --interface can1 --json", 30)
    assert f'"address":{ADDRESS}' in listed.replace(" ", ""), listed
    assert vm.run("systemctl show -p StatusText --value vecand").startswith(f"address {ADDRESS}, ")


def test_it_has_no_rights_and_an_exposure_of_at_most_1_5(vm: Machine):
    report = vm.run("systemd-analyze security --no-pager vecand | tail -1")
    assert float(re.search(r"vecand.service: ([\d.]+)", report)[1]) <= 1.5, report
    status = vm.run(f"grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/{boat.pid(vm)}/status")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert fields["Uid"].split()[0] != "0"
    assert int(fields["CapEff"], 16) == 0 and int(fields["CapBnd"], 16) == 0
    assert "Failed to set" not in vm.run("journalctl -b -u vecand --no-pager -o cat"), "nothing that it does is refused"
    assert fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"
    # Fields 40 and 41 of proc(5), priority and policy: SCHED_FIFO is 1. A thread may end while it is looked at.
    threads = vm.run(
        f"cd /proc/{boat.pid(vm)}/task; for id in *; do"
        " echo $(cat $id/comm 2>/dev/null) $(cut -d' ' -f40,41 $id/stat 2>/dev/null); done"
    )
    first = [line for line in threads.splitlines() if line.strip() and not line.endswith(" 0 0")]
    assert first == ["vecand-engine 1 1"], f"the engine, and nothing else, goes before the rest: {threads}"


def test_it_closes_the_contactor_of_a_simulated_boat(vm: Machine):
    boat.start_plant(vm)
    boat.wait_closed(vm, 40)
    vm.wait("systemctl show -p StatusText --value vecand | grep -q 'charge allowed, discharge allowed'", 20)
    commands = [line for line in boat.told(vm) if "commanded on" in line]
    precharge = next(index for index, line in enumerate(commands) if "precharge" in line)
    assert precharge < next(index for index, line in enumerate(commands) if "contactor" in line), commands


def test_vecanctl_status_answers(vm: Machine):
    told = vm.run("vecanctl status", 30)
    assert re.search(r"^Charging +allowed", told, re.MULTILINE), told
    assert re.search(r"^Contactor +closed, commanded closed", told, re.MULTILINE), told
    assert f"address {ADDRESS}" in told, told


def test_everybody_may_ask_on_the_reading_socket_and_only_the_group_on_the_control_socket(vm: Machine):
    """README, "Control socket", under the shipped unit."""
    nobody, member = (f"setpriv --reuid=nobody --regid={group} --clear-groups vecanctl" for group in ("nogroup", "vecand"))
    reading = f"--control-socket {boat.READING_SOCKET}"
    modes = vm.run("cd /run/vecand && stat -c '%n %U %G %a' . control.sock status.sock")
    assert modes == ". vecand vecand 755\ncontrol.sock vecand vecand 660\nstatus.sock vecand vecand 666\n"
    assert re.search(r"^Charging +allowed", vm.run(f"{nobody} status {reading}", 30), re.MULTILINE)
    status, said = vm.try_run(f"{nobody} mode standby {reading}", 30)
    assert status != 0 and "this socket is for reading" in said, said
    status, said = vm.try_run(f"{nobody} status", 30)
    assert status != 0 and "/run/vecand/control.sock: no right to ask" in said, said
    assert re.search(r"^Charging +allowed", vm.run(f"{member} status", 30), re.MULTILINE)
    # Between the making of the control socket and its mode.
    assert re.search(r"^Umask:\s+0077$", vm.run(f"cat /proc/{boat.pid(vm)}/status"), re.MULTILINE)


def test_an_upgrade_keeps_state_and_outputs(vm: Machine, packages):
    boat.write_register(vm, "battery-capacity", 210)
    boat.wait_stored(vm, "settings", lambda settings: "210" in str(settings), 10)
    old, since = boat.pid(vm), boat.mark(vm)
    counted, begin = boat.wait_stored(vm, "core", lambda _: True, 10)["snapshot"], vm.uptime()
    output = vm.run(f"dpkg -i --force-unsafe-io /exchange/{packages[1].name}", 120)
    assert boat.pid(vm) != old, output
    assert vm.run("systemctl is-active vecand; systemctl is-enabled vecand") == "active\nenabled\n"
    journal = vm.run("journalctl -b -u vecand --no-pager -o cat")
    assert "handed over" in journal and "it was left by version" in journal, journal
    assert "restored, contactor closed" in journal, journal
    # The fields of systemd/man/vecand.8, in the successor's lines.
    fields = vm.run(
        f"journalctl -b -u vecand --no-pager -o json _PID={boat.pid(vm)} MESSAGE_ID=f93b75d363144b20a04aa39b678ce6a1")
    lines = [json.loads(line) for line in fields.splitlines()]
    assert lines and all(line["VECAND_LINK"] == "up" and line["SYSLOG_IDENTIFIER"] == "vecand" for line in lines), fields
    vm.run("sleep 5")  # longer than the self-test and pre-charge of a start would take
    boat.assert_stays_closed(vm, since)
    moved = [line for line in boat.told(vm, since) if re.search("(contactor|precharge) commanded", line)]
    assert not moved, moved
    # R24 wants ATC and ATD as they were, too.
    forbidden = [line for line in boat.plant_lines(vm)[since:] if "contactor" in line and not (line["atc"] and line["atd"])]
    assert not forbidden, forbidden
    after = boat.wait_stored(vm, "core", lambda _: True, 10)
    assert after["snapshot"]["isContactorClosed"] is True
    # The sun charges with 35 to 40 A. Ampere-hours since the state before, of which 10 s were not stored then.
    flowed = after["snapshot"]["consumed"] - counted["consumed"]
    assert 0 < flowed <= 40 * (vm.uptime() - begin + 12) / 3600, flowed
    left = float(re.findall(r"state of ([\d.]+) s ago restored", journal)[-1])
    assert left < 10, "the hand-over wrote what was counted until then"
    assert "210" in vm.run(f"vecanctl register read --interface can1 --device {ADDRESS} battery-capacity", 30)


def test_a_new_version_that_rejects_the_configuration_leaves_the_old_one_running(vm: Machine, packages):
    old, since = boat.pid(vm), boat.mark(vm)
    vm.run("cp /etc/vecand/vecand.toml /root/kept && echo 'unknown = 1' >>/etc/vecand/vecand.toml")
    status, output = vm.try_run(f"dpkg -i --force-unsafe-io --force-confold /exchange/{packages[1].name}", 120)
    assert status != 0 and "unknown" in output and "dpkg --configure vecand" in output, output
    assert boat.pid(vm) == old
    boat.assert_stays_closed(vm, since)
    vm.run("mv /root/kept /etc/vecand/vecand.toml && dpkg --configure vecand", 60)
    assert boat.pid(vm) != old
    boat.assert_stays_closed(vm, since)


@pytest.mark.skipif(not boat.IS_LONG, reason="takes three minutes: Tests/VM/run --long")
def test_a_new_version_that_does_not_start_is_replaced_by_the_one_before(vm: Machine, packages):
    old, since = boat.pid(vm), boat.mark(vm)
    version = vm.run("vecand --version")
    left = boat.wait_stored(vm, "core", lambda _: True, 10)["snapshot"]
    state = "/var/lib/vecand/state.db"
    rights = vm.run(f"stat -c '%U %G %a' {state}")
    # Of an earlier upgrade: it must neither come back nor be in the way.
    vm.run(f"echo other >{state}.before-upgrade; chown vecand: {state}.before-upgrade")
    # The same package with a program that checks the configuration, runs as another version until it has written, leaves a
    # newer layout (SQLite's user version) and never becomes ready.
    vm.run(
        f"cd /root && dpkg-deb -R /exchange/{packages[0].name} broken && mv broken/usr/bin/vecand broken/usr/bin/real"
        " && cat >broken/usr/bin/vecand <<'BROKEN'\n"
        "#!/bin/sh\n"
        "case $1 in --config) ;; *) exec /usr/bin/real \"$@\" ;; esac\n"
        "env -u NOTIFY_SOCKET timeout -s KILL 20 /usr/bin/real \"$@\"\n"
        f"printf '\\0\\0\\0\\11' | dd of={state} bs=1 seek=60 conv=notrunc 2>/dev/null && echo wrote layout 9\n"
        "exec sleep 1000\n"
        "BROKEN\n"
        "chmod 755 broken/usr/bin/vecand"
        " && sed -i 's/^Version: .*/Version: 9-1/' broken/DEBIAN/control && dpkg-deb -Znone -b broken broken.deb", 60)
    status, output = vm.try_run("dpkg -i --force-unsafe-io --force-confold /root/broken.deb", 150)
    assert status != 0 and "back to the version before" in output and "to the state that it left" in output, output
    boat.wait_new_process(vm, old, 30)
    assert vm.run("vecand --version") == version
    journal = vm.run("journalctl -b -u vecand --no-pager -o cat")
    assert f"what another version left is kept as {state}.before-upgrade" in journal and "wrote layout 9" in journal, journal
    said = vm.run("journalctl -b -u vecand --no-pager -o cat _PID=$(systemctl show -p MainPID --value vecand)")
    assert "restored, contactor closed" in said and "E-B119" not in said, said
    vm.run("sleep 5")
    boat.assert_stays_closed(vm, since)
    assert vm.run(f"stat -c '%U %G %a' {state}; ls {state}*") == f"{rights}{state}\n{state}-journal\n"
    assert boat.stored(vm, "core")["snapshot"]["history"]["chargedEnergy"] >= left["history"]["chargedEnergy"]
    assert "210" in str(boat.stored(vm, "settings"))
    vm.run(f"rm -rf /root/broken*; dpkg -i --force-unsafe-io --force-confold --force-downgrade /exchange/{packages[1].name}", 120)
    boat.assert_stays_closed(vm, since)


def test_a_killed_daemon_comes_back_and_the_contactor_stays_closed(vm: Machine):
    since = boat.mark(vm)
    for _ in range(20 if boat.IS_LONG else 1):
        before = boat.pid(vm)
        vm.run("systemctl kill --kill-who=main -s SIGKILL vecand")
        boat.wait_new_process(vm, before, 20)
    vm.run("sleep 5")
    boat.assert_stays_closed(vm, since)


def test_a_stopped_engine_is_killed_by_the_watchdog_and_comes_back(vm: Machine):
    before, since = boat.pid(vm), boat.mark(vm)
    begin = vm.uptime()
    vm.run(f"kill -STOP {before}")
    # 10 s of watchdog, 2 s for SIGABRT, 1 s until the restart.
    boat.wait_new_process(vm, before, 40)
    assert vm.uptime() - begin > 8, "not before the watchdog's time"
    assert "Watchdog timeout" in vm.run("journalctl -b -u vecand --no-pager -o cat")
    vm.run("sleep 5")
    boat.assert_stays_closed(vm, since)


def test_a_state_that_belongs_to_somebody_else_forbids_and_says_what_to_do(vm: Machine):
    state = "/var/lib/vecand/state.db"
    vm.run(f"systemctl stop vecand; chown root:root {state}; chmod 600 {state}; sha256sum {state} >/run/sum", 60)
    vm.run("systemctl start vecand", 60)
    said = vm.wait("journalctl -b -u vecand --no-pager -o cat -n 40 | grep -B40 'raised E-B119'", 20, "E-B119")
    assert f"{state} can't be read" in said and "let the service's user read and write it" in said, said
    vm.run("sleep 5")  # a battery and its cells are heard by then, and nothing is closed
    boat.wait_contactor(vm, False, 2)
    vm.run("systemctl stop vecand; sha256sum -c /run/sum", 60)
    vm.run(f"chown vecand:vecand {state}; systemctl start vecand", 60)
    boat.wait_closed(vm, 60)


def test_a_controller_that_is_unbound_is_named_and_comes_back_by_itself(vm: Machine):
    before = boat.pid(vm)
    device = vm.run("basename $(readlink -f /sys/class/net/can0/device)").strip()
    since = vm.run("date +%s.%N").strip()
    vm.run(f"echo {device} >/sys/bus/pci/drivers/kvaser_pci/unbind")
    vm.wait("systemctl show -p StatusText --value vecand | grep -q 'the link is'", 10, "it says that the link is gone")
    said = vm.run("systemctl show -p StatusText --value vecand") + vm.run(
        f"journalctl -b -u vecand --no-pager -o cat --since @{since}")
    assert "can0" in said or "gone" in said or "absent" in said, said
    vm.run(f": >/run/candump.log; echo {device} >/sys/bus/pci/drivers/kvaser_pci/bind")
    # systemd-networkd sets the bitrate anew, nobody tells vecand.
    vm.wait("ip -d link show can0 | grep -q 'bitrate 250000'", 20, "can0 is back")
    boat.give_bit_times(vm)
    vm.wait(f"grep -qi 'can1 18EEFF{ADDRESS:02X}#' /run/candump.log", 10, "the claim after it")
    vm.wait(f"systemctl show -p StatusText --value vecand | grep -q '^address {ADDRESS},'", 5)
    assert boat.pid(vm) == before, "the same process"


def test_error_passive_and_bus_off_are_named_and_the_bus_is_joined_again(vm: Machine):
    """On a USB adapter that a test can bring into these states; the shipped file sets it up and has it restarted."""
    vm.run(
        "sed 's/can0/can2/' /usr/share/doc/vecand/examples/80-vecan.network >/etc/systemd/network/82-usb.network"
        " && networkctl reload")
    adapter = Adapter(vm.folder / "usb")
    vm.wait("ip -d link show can2 | grep -q 'state UP'", 30, "can2 is up")
    assert adapter.starts == [250_000]
    vm.run(
        "mkdir -p /run/usb; printf '[bus]\\ninterface = \"can2\"\\n' >/run/usb/vecand.toml;"
        " systemd-run -q --unit=usb vecand --config /run/usb/vecand.toml --state-directory /run/usb")
    journal = "journalctl -b -u usb --no-pager -o cat"

    def wait_claim(since: int) -> None:
        # 60928 to everybody, priority 6 (nmea2000.md 1.4).
        adapter.wait(lambda it: any(f[0] & 0xFFFFFF00 == 0x18EEFF00 for f in it.frames[since:]), 20, "a claim on can2")

    read = 0

    def wait_said(text: str) -> None:
        """In a line after the one that was waited for before."""
        nonlocal read
        find = f"NR > {read} && /{text}/ {{print NR; found = 1; exit}} END {{exit !found}}"
        read = int(vm.wait(f"{journal} | awk '{find}'", 10, text))

    wait_claim(0)
    # 128 errors are error-passive (ISO 11898-1).
    adapter.tell(ERROR_PASSIVE, 0, 128)
    wait_said("can2: the controller is error passive")
    assert "state ERROR-PASSIVE" in vm.run("ip -d link show can2")
    adapter.tell(ERROR_ACTIVE, 0, 0)
    wait_said("can2: the link is up")
    before = len(adapter.frames)
    adapter.tell(BUS_OFF, 0, 255)
    wait_said("can2: the controller is bus-off")
    # Nobody does anything: the kernel starts it again after restart-ms.
    adapter.wait(lambda it: it.starts == [250_000] * 2, 10, "a restart")
    wait_claim(before)
    wait_said("can2: the link is up")
    counts = vm.run("ip -d -s link show can2 | grep -A1 re-started | tail -1").split()
    assert (counts[0], counts[5]) == ("1", "1"), f"restarts and bus-off of {counts}"
    # Unplugged, it is named as absent, by the same process.
    adapter.unplug()
    wait_said("can2: no such interface")
    assert vm.run("systemctl show -p NRestarts --value usb") == "0\n", "the same process all the time"
    vm.run("systemctl stop usb")
