"""A switching module as a peer on the bus: a 127501 bank that is commanded by 126208, with a contactor and its pre-charge
circuit behind it. It is no code of ours that decides what a frame means here, but python-can and struct."""

from __future__ import annotations

import struct
import threading
import time

import can

import peers
from peers import ADDRESS_CLAIM, BATTERY_STATUS, EVERYONE, GROUP_FUNCTION, ISO_REQUEST, SWITCH_BANK_STATUS

CONTACTOR, PRECHARGE, ATC, ATD = 1, 2, 3, 4
BANK = 3

WIRING = """
[inputs.system_voltage]
manufacturer = 137
unique_number = 2001
instance = 1

[outputs.contactor]
manufacturer = 137
unique_number = 2001
bank = 3
indicator = 1

[outputs.precharge]
manufacturer = 137
unique_number = 2001
bank = 3
indicator = 2

[outputs.atc]
manufacturer = 137
unique_number = 2001
bank = 3
indicator = 3

[outputs.atd]
manufacturer = 137
unique_number = 2001
bank = 3
indicator = 4
"""


class SwitchModule:
    """Obeys, unless it is told to refuse or to pretend. Measures the system side and sends it each 100 ms."""

    def __init__(self, interface: str, battery_voltage: float = 13.2):
        self.name = peers.iso_name(2001, manufacturer=137, function=140, device_class=30)
        self.address = 50
        self.on = {number: False for number in range(1, 9)}
        self.refuses: set[int] = set()
        self.pretends: set[int] = set()
        self.commands: list[tuple[float, int, bool]] = []
        self.is_silent = False
        self.system = 0.0
        self._battery = battery_voltage
        self._first: dict[int, bytes] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._sender = peers.Sender(interface, self.address)
        self._bus = peers.open_socket(
            interface,
            [
                {"can_id": pgn << 8, "can_mask": 0x1FF0000, "extended": True}
                for pgn in (ISO_REQUEST, GROUP_FUNCTION)
            ],
        )
        self._sender.claim(self.name)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._measure)]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                message = self._bus.recv(0.2)
            except (can.CanError, OSError):
                time.sleep(0.05)
                continue
            if message is None or message.is_error_frame or self.is_silent:
                continue
            frame = peers.Frame(message.timestamp, message.arbitration_id, bytes(message.data))
            if frame.destination not in (self.address, EVERYONE):
                continue
            with self._lock:
                if frame.pgn == ISO_REQUEST and len(frame.data) >= 3:
                    self._answer(int.from_bytes(frame.data[:3], "little"))
                elif frame.pgn == GROUP_FUNCTION and frame.destination == self.address:
                    self._assemble(frame)

    def _answer(self, pgn: int) -> None:
        if pgn == ADDRESS_CLAIM:
            self._sender.claim(self.name)
        elif pgn == SWITCH_BANK_STATUS:
            self.send_bank()

    def _assemble(self, frame: peers.Frame) -> None:
        """A command on two fields has ten bytes: two frames."""
        if frame.data[0] & 0x1F == 0:
            self._first[frame.source] = frame.data[2:]
        elif frame.data[0] & 0x1F == 1 and frame.source in self._first:
            self._command(frame.source, frame.time, self._first.pop(frame.source) + frame.data[1:5])

    def _command(self, source: int, stamp: float, payload: bytes) -> None:
        # 01, PGN, priority, count 2, then field 1 (the bank) and the indicator's field.
        if payload[0] != 1 or int.from_bytes(payload[1:4], "little") != SWITCH_BANK_STATUS:
            return
        assert payload[5] == 2 and payload[6] == 1 and payload[7] == BANK, payload.hex()
        number, wanted = payload[8] - 1, payload[9] == 1
        self.commands.append((stamp, number, wanted))
        refused = number in self.refuses
        answer = bytes([2]) + payload[1:4] + bytes([3 if refused else 0, 2, 0])
        self._sender.fast(GROUP_FUNCTION, answer, 0, destination=source)
        if not refused and number not in self.pretends:
            self.on[number] = wanted
            self.send_bank()

    def send_bank(self) -> None:
        bits = (1 << 56) - 1
        for number, is_on in self.on.items():
            bits &= ~(3 << 2 * (number - 1))
            bits |= int(is_on) << 2 * (number - 1)
        self._sender.send(SWITCH_BANK_STATUS, bytes([BANK]) + bits.to_bytes(7, "little"), priority=3)

    def _measure(self) -> None:
        beat = 0
        while not self._stop.wait(0.1):
            with self._lock:
                if self.is_silent:
                    continue
                if self.on[CONTACTOR]:
                    self.system = self._battery
                elif self.on[PRECHARGE]:
                    self.system += (self._battery - self.system) * 0.4
                else:
                    self.system *= 0.9
                volts = struct.pack("<h", round(self.system * 100))
                try:
                    self._sender.send(BATTERY_STATUS, b"\x01" + volts + b"\xff\x7f\xff\xff\xff")
                    if beat % 10 == 0:
                        self.send_bank()
                except (can.CanError, OSError):
                    pass
                beat += 1

    def wait(self, number: int, wanted: bool, timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.on[number] == wanted:
                return
            time.sleep(0.02)
        raise AssertionError(f"{what}: not within {timeout} s; commands {self.commands[-12:]}")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        self._sender.stop()
        self._bus.shutdown()
