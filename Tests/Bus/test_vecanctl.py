"""The operator's tool on a real kernel: monitor, devices and send, beside a vecand and can-utils."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import peers
from peers import ADDRESS_CLAIM, NULL_ADDRESS

REQUEST = 59904


@pytest.fixture(scope="module")
def tool() -> str:
    """VECANCTL_BIN, or the program beside the daemon under test."""
    beside = Path(os.environ["VECAND_BIN"]).with_name("vecanctl")
    path = os.environ.get("VECANCTL_BIN", str(beside))
    if not os.access(path, os.X_OK):
        pytest.fail(f"no vecanctl at {path}: build it (swift build) or set VECANCTL_BIN", pytrace=False)
    return path


def run(tool: str, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([tool, *arguments], input=text, capture_output=True, text=True, timeout=30)


class Monitor:
    """A running `vecanctl monitor` whose lines are in a file."""

    def __init__(self, tool: str, interface: str, path: Path, *arguments: str):
        self.path = path
        with path.open("w") as file:
            self.process = subprocess.Popen(
                [tool, "monitor", "--interface", interface, *arguments], stdout=file, stderr=subprocess.PIPE, text=True
            )
        time.sleep(1)

    def wait_for(self, text: str, timeout: float = 5) -> str:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for line in self.path.read_text().splitlines():
                if text in line:
                    return line
            time.sleep(0.05)
        pytest.fail(f"no line with {text!r}; the monitor wrote:\n{self.path.read_text()}")

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=5)
        return self.process.returncode, errors


@pytest.mark.parametrize("command", [["monitor"], ["devices"], ["send", "351#8E00"]])
def test_missing_interface_is_told(tool, command):
    done = run(tool, *command, "--interface", "nocan7")
    assert done.returncode == 1
    assert "nocan7: there is no CAN interface of this name" in done.stderr


def test_monitor_shows_what_others_send_and_sends_nothing(tool, interface, recorder, evidence):
    monitor = Monitor(tool, interface, evidence / "monitor.txt")
    mark = recorder.mark()
    for frame in ("19F21450#002F05A3FD777400", "351#8E00D00770176800", "123#R4"):
        subprocess.run(["cansend", interface, frame], check=True)
    line = monitor.wait_for("Battery Status")
    assert line.endswith(
        "127508 Battery Status: Instance: 0, Voltage: 13.27 V, Current: -60.5 A, Temperature: 25.00 °C, SID: 0"
    )
    assert " 80 " in line
    monitor.wait_for("351 Battery limits: CVL: 14.2 V, CCL: 200.0 A, DCL: 600.0 A, Discharge voltage: 10.4 V")
    monitor.wait_for("123 remote frame, asks for 4 bytes")
    assert monitor.stop() == (0, "")
    assert len(recorder.since(mark)) == 3, peers.text(recorder.since(mark))


def test_monitor_puts_transports_of_the_kernel_together(tool, interface, evidence, temporary):
    """300 bytes by the kernel's own J1939 stack: to everyone (BAM), and to one who listens (RTS and CTS)."""
    monitor = Monitor(tool, interface, evidence / "monitor.txt")
    payload = bytes(range(100)) * 3
    digits = "Data: " + " ".join(f"{byte:02X}" for byte in payload)
    peers.j1939cat(interface, 0x50, 0xFF, 0xFEB0, payload, temporary)
    assert monitor.wait_for(" 65200 ", timeout=10).endswith(digits)
    receiver = subprocess.Popen(["j1939cat", f"{interface}:0x51", "-r"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        peers.j1939cat(interface, 0x50, 0x51, 0xEF00, payload, temporary)
        line = monitor.wait_for(" 61184 ", timeout=10)
        assert " 80>81 " in line and line.endswith(digits)
    finally:
        peers.end(receiver)
    assert monitor.stop() == (0, "")


def test_monitor_names_the_daemon_and_its_registers(tool, vecand, sender, interface, evidence):
    monitor = Monitor(tool, interface, evidence / "monitor.txt")
    sender.request(126996, vecand.address)
    monitor.wait_for("126996 Product Information")
    line = monitor.wait_for("vecand battery monitor 127508 Battery Status")
    assert f" {vecand.address} " in line
    monitor.wait_for("61184 0x0390 Charge Voltage Limit: not available")
    assert monitor.stop(signal.SIGTERM) == (0, "")


def test_monitor_json_is_an_object_a_line(tool, vecand, interface):
    done = run(tool, "monitor", "--interface", interface, "--json", "--count", "12")
    assert done.returncode == 0, done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(objects) == 12
    assert all("pgn" in message or "id" in message for message in objects)
    assert {message["src"] for message in objects if "pgn" in message} == {vecand.address}


def test_monitor_follows_the_interface(tool, interface, evidence):
    monitor = Monitor(tool, interface, evidence / "monitor.txt")
    peers.ip("set", interface, "down")
    monitor.wait_for("the interface is down")
    peers.ip("set", interface, "up")
    monitor.wait_for("the link is up")
    subprocess.run(["cansend", interface, "351#8E00D00770176800"], check=True)
    monitor.wait_for("351 Battery limits")
    assert monitor.stop()[0] == 0


def test_monitor_ends_with_its_reader(tool, vecand, interface):
    monitor = subprocess.Popen(
        [tool, "monitor", "--interface", interface], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    monitor.stdout.readline()
    monitor.stdout.close()
    assert monitor.wait(timeout=10) == 0
    assert monitor.stderr.read() == b""


def test_devices_lists_the_daemon_and_asks_no_more_than_it_must(tool, vecand, recorder, interface):
    mark = recorder.mark()
    done = run(tool, "devices", "--interface", interface, "--json", "--listen", "4")
    assert done.returncode == 0, done.stderr
    (device,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (device["address"], int(device["name"], 16)) == (vecand.address, vecand.name)
    assert device["product"]["model"] == "vecand battery monitor"
    sends = {entry["pgn"]: entry for entry in device["sends"]}
    # 1.5 s where the machine keeps time; on any machine what the kernel's stamps say.
    for pgn in (127508, 127506):
        times = [message.time for message in peers.assemble(recorder.since(mark), pgn, vecand.address)]
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        assert min(gaps) - 0.05 < sends[pgn]["intervalSeconds"] < max(gaps) + 0.05, f"PGN {pgn}: {gaps}"
    asked = [frame for frame in recorder.since(mark) if frame.source == NULL_ADDRESS and frame.extended]
    assert [(frame.pgn, frame.destination, frame.data.hex()) for frame in asked] == [
        (REQUEST, 255, "00ee00"),
        (REQUEST, vecand.address, "14f001"),
    ]
    known = (NULL_ADDRESS, vecand.address)
    strangers = [frame for frame in recorder.since(mark) if frame.extended and frame.source not in known]
    assert not strangers, peers.text(strangers)


def test_devices_passive_sends_nothing(tool, vecand, recorder, interface):
    mark = recorder.mark()
    done = run(tool, "devices", "--interface", interface, "--passive", "--listen", "2")
    assert done.returncode == 0, done.stderr
    assert f"Address {vecand.address}\n" in done.stdout
    assert not [f for f in recorder.since(mark) if f.source == NULL_ADDRESS or f.pgn in (REQUEST, ADDRESS_CLAIM)]


def test_send_sends_what_it_is_given_in_its_order(tool, recorder, interface):
    done = run(tool, "send", "--interface", interface, "19F21450#00150116F001FF01", "351#8E00", "123#R4", "7FF#")
    assert (done.returncode, done.stderr) == (0, f"vecanctl: 4 frames sent on {interface}\n")
    recorder.wait_for(lambda frame: frame.identifier == 0x7FF, 2)
    assert [(f.identifier, f.data.hex(), f.remote) for f in recorder.frames if not f.remote] == [
        (0x19F21450, "00150116f001ff01", False),
        (0x351, "8e00", False),
        (0x7FF, "", False),
    ]
    assert [f.identifier for f in recorder.frames if f.remote] == [0x123]


def test_send_keeps_the_times_of_a_log(tool, recorder, interface):
    log = "(100.000000) can9 351#01\n# a comment\n(100.300000) can9 352#02\n(100.800000) can9 353#03\n"
    tries = []
    for _ in range(5):  # one that a busy machine does not disturb is enough
        mark = recorder.mark()
        done = run(tool, "send", "--interface", interface, "--timing", "-", text=log)
        assert done.returncode == 0, done.stderr
        recorder.wait_for(lambda frame: frame.identifier == 0x353, 2, mark)
        times = [frame.time for frame in recorder.since(mark)]
        assert len(times) == 3
        tries.append((times[1] - times[0], times[2] - times[0]))
        if abs(tries[-1][0] - 0.3) < 0.05 and abs(tries[-1][1] - 0.8) < 0.05:
            return
    raise AssertionError(f"wanted 0.3 s and 0.8 s after the first frame, got {tries}")


def test_send_refuses_in_words(tool, recorder, interface):
    done = run(tool, "send", "--interface", interface, "123##011")
    assert done.returncode == 64 and "CAN FD" in done.stderr
    done = run(tool, "send", "--interface", interface, "-", text="(1.0) c 351#8E\n(1.0) c 351##18E\n")
    assert done.returncode == 1 and "line 2 is a CAN FD frame" in done.stderr and "1 frame sent" in done.stderr
    peers.ip("set", interface, "down")
    done = run(tool, "send", "--interface", interface, "351#8E00")
    assert done.returncode == 1 and "the interface is down" in done.stderr and "0 frames sent" in done.stderr


def register(tool: str, interface: str, *arguments: str) -> subprocess.CompletedProcess:
    return run(tool, "register", *arguments[:1], "--interface", interface, *arguments[1:])


def test_register_reads_by_address_name_and_mask(tool, vecand, interface):
    done = register(tool, interface, "read", "--device", str(vecand.address), "device-mode", "0x010B")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "0x0200 Device Mode: on",
        '0x010B Model Name: "vecand battery monitor"',
    ]
    done = register(tool, interface, "read", "--device", f"{vecand.name:016X}", "--json", "0x1000")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "src": vecand.address,
        "register": 0x1000,
        "name": "Battery Capacity",
        "value": 200,
        "unit": "Ah",
    }
    done = register(tool, interface, "read", "--device", "all", "--mask", "0xFF00", "--json", "0x2100")
    assert done.returncode == 0, done.stderr
    block = {json.loads(line)["register"] for line in done.stdout.splitlines()}
    assert {0x2100, 0x2101, 0x2102, 0x2107, 0x2108, 0x2110, 0x2150, 0x2152, 0x2160, 0x216F} <= block
    assert all(number & 0xFF00 == 0x2100 for number in block)


def test_register_writes_and_the_daemon_keeps_it(tool, vecand, interface):
    device = str(vecand.address)
    done = register(tool, interface, "write", "--device", device, "battery-capacity", "300")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0x1000 Battery Capacity: 300 Ah\n", "")
    done = register(tool, interface, "write", "--device", device, "battery-capacity", "0")
    assert done.returncode == 1 and "out of range (0x8100)" in done.stderr
    done = register(tool, interface, "read", "--device", device, "0x1000")
    assert done.stdout == "0x1000 Battery Capacity: 300 Ah\n"
    done = register(tool, interface, "write", "--device", device, "fuse-name-a1", "Bow thruster")
    assert done.returncode == 0, done.stderr


def test_register_refusals_and_silence_are_told(tool, vecand, interface):
    device = str(vecand.address)
    done = register(tool, interface, "read", "--device", device, "0x7000")
    assert done.returncode == 1 and f"device {device} refuses 0x7000" in done.stderr
    done = register(tool, interface, "write", "--device", device, "device-mode", "off")
    assert done.returncode == 1 and "invalid (0x8300)" in done.stderr
    done = register(tool, interface, "read", "--device", "99", "--timeout", "0.5", "0x0390")
    assert done.returncode == 1 and "device 99 did not answer" in done.stderr
    done = register(tool, interface, "write", "--device", device, "0x2102", "9")
    assert done.returncode == 64 and "only to be read" in done.stderr


def test_register_list_needs_no_bus(tool):
    done = run(tool, "register", "list", "--json")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["register"] for row in rows] == sorted(row["register"] for row in rows)
    assert {"charge-voltage-limit", "device-mode"} <= {row["key"] for row in rows}
