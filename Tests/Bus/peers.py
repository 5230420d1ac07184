"""The neighbours of the daemon on a test bus, and the witnesses of what it does.

Frames are recorded by a raw socket of python-can with the kernel's time stamps, so that times between frames are the
bus's and not this process's. Facts (fields, identifiers, address claim) are those of the NMEA 2000 notes: PGN numbers
and canboat's names. Two independent readings are `read_nmea2000` (canboat's lineage) and `read_n2k`
(ttlappalainen/NMEA2000's lineage).
"""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import can
import n2k.messages
from n2k.message import Message as N2kMessage
from nmea2000 import NMEA2000Decoder

# PGNs, by canboat's names.
ISO_ACKNOWLEDGEMENT = 59392
ISO_REQUEST = 59904
TP_DATA = 60160
TP_CONTROL = 60416
ADDRESS_CLAIM = 60928
PROPRIETARY = 61184
COMMANDED_ADDRESS = 65240
GROUP_FUNCTION = 126208
PGN_LIST = 126464
HEARTBEAT = 126993
PRODUCT_INFORMATION = 126996
CONFIGURATION_INFORMATION = 126998
SWITCH_BANK_STATUS = 127501
DC_DETAILED_STATUS = 127506
CHARGER_STATUS = 127507
BATTERY_STATUS = 127508

FAST_PGNS = {126208, 126464, 126720, 126996, 126998, 127506, 127507, 127509, 127513}

# Victron registers (PGN 61184), and what "not available" is for the limits.
CELL_VOLTAGE = 0x0381
CELL_EXTREMES = 0x0385
CVL, CCL, DVL, DCL = 0x0390, 0x0391, 0x0392, 0x0393
LIMITS = {CVL: "CVL", CCL: "CCL", DCL: "DCL"}
NOT_AVAILABLE_U32 = 0xFFFFFFFF

EVERYONE, NULL_ADDRESS = 255, 254

SO_RCVBUFFORCE = 33  # asm-generic/socket.h: not held to net.core.rmem_max
RECEIVE_BUFFER_BYTES = 16 << 20  # some 20,000 frames


# ---------------------------------------------------------------------------------------------------------------------
# Frames


@dataclass(frozen=True)
class Frame:
    """One frame as the kernel delivered it: `time` in seconds is the kernel's receive time stamp."""

    time: float
    identifier: int
    data: bytes
    extended: bool = True
    remote: bool = False
    error: bool = False

    @property
    def source(self) -> int:
        return self.identifier & 0xFF

    @property
    def priority(self) -> int:
        return self.identifier >> 26 & 7

    @property
    def pgn(self) -> int | None:
        """The PGN of a 29-bit data frame; None for anything else."""
        if not self.extended or self.remote or self.error:
            return None
        page_and_format = self.identifier >> 16 & 0x3FF
        if page_and_format & 0xFF < 240:
            return page_and_format << 8
        return page_and_format << 8 | self.identifier >> 8 & 0xFF

    @property
    def destination(self) -> int:
        return self.identifier >> 8 & 0xFF if self.identifier >> 16 & 0xFF < 240 else EVERYONE

    @property
    def register(self) -> int | None:
        """The register of a Victron frame of PGN 61184."""
        if self.pgn == PROPRIETARY and self.data[:2] == b"\x66\x99" and len(self.data) == 8:
            return struct.unpack_from("<H", self.data, 2)[0]
        return None

    @property
    def register_value(self) -> int:
        return struct.unpack_from("<I", self.data, 4)[0]

    def __str__(self) -> str:
        """A candump -L line with what it means."""
        identifier = f"{self.identifier:08X}" if self.extended else f"{self.identifier:03X}"
        body = f"R{len(self.data)}" if self.remote else self.data.hex().upper()
        return f"({self.time:.6f}) {identifier}#{body:<18} {self.meaning()}"

    def meaning(self) -> str:
        if self.error:
            return "error frame"
        if not self.extended:
            return f"11-bit {meaning_of_11_bit(self)}"
        if self.pgn is None:
            return "remote frame"
        text = f"{self.source}->{self.destination} PGN {self.pgn}"
        if self.register is not None:
            text += f" register 0x{self.register:04X} = {self.register_value}"
            if self.register in LIMITS:
                text += f" ({LIMITS[self.register]})"
        elif self.pgn == ADDRESS_CLAIM and len(self.data) == 8:
            text += f" claim NAME {int.from_bytes(self.data, 'little'):016X}"
        elif self.pgn == ISO_REQUEST and len(self.data) >= 3:
            text += f" request for {int.from_bytes(self.data[:3], 'little')}"
        elif self.pgn == ISO_ACKNOWLEDGEMENT and len(self.data) == 8:
            text += f" control {self.data[0]} for {int.from_bytes(self.data[5:8], 'little')}"
        elif self.pgn == BATTERY_STATUS and len(self.data) == 8:
            instance, voltage, current, temperature, sid = struct.unpack("<BhhHB", self.data)
            text += f" battery {instance} {voltage * 0.01:.2f} V {current * 0.1:.1f} A {temperature * 0.01:.2f} K"
        elif self.pgn == SWITCH_BANK_STATUS and len(self.data) == 8:
            text += " indicators " + " ".join(str(indicator(self, k)) for k in range(1, 6))
        return text


def meaning_of_11_bit(frame: Frame) -> str:
    if frame.identifier == 0x351 and len(frame.data) == 8:
        cvl, ccl, dcl, dvl = struct.unpack("<HhhH", frame.data)
        return f"CVL {cvl / 10} V CCL {ccl / 10} A DCL {dcl / 10} A low {dvl / 10} V"
    if frame.identifier == 0x35A and len(frame.data) == 8:
        return "alarms " + " ".join(f"{byte:08b}" for byte in frame.data[:4])
    return ""


def indicator(frame: Frame, number: int) -> int:
    """Indicator `number` (from 1) of a 127501: 0 off, 1 on, 2 error, 3 not available."""
    return int.from_bytes(frame.data, "little") >> (8 + 2 * (number - 1)) & 3


def alarm_pair(frame: Frame, number: int) -> int:
    """Pair `number` (from 0) of an 0x35A: 0 not supported, 1 active, 2 OK."""
    return int.from_bytes(frame.data, "little") >> (2 * number) & 3


HIGH_VOLTAGE_ALARM, LOW_VOLTAGE_ALARM = 1, 2  # pairs of 0x35A


def identifier(pgn: int, source: int, destination: int = EVERYONE, priority: int = 6) -> int:
    low = destination if pgn >> 8 & 0xFF < 240 else pgn & 0xFF
    return priority << 26 | (pgn >> 8) << 16 | low << 8 | source


def text(frames: Iterable[Frame], most: int = 40) -> str:
    """Frames as lines for a failure message, the newest `most` of them."""
    lines = [str(frame) for frame in frames]
    left_out = [f"... {len(lines) - most} earlier frames"] if len(lines) > most else []
    return "\n".join(left_out + lines[-most:]) or "(no frames)"


@dataclass(frozen=True)
class Assembled:
    """A whole message, with the time of its last frame."""

    time: float
    pgn: int
    source: int
    destination: int
    priority: int
    payload: bytes


def assemble(frames: Iterable[Frame], pgn: int, source: int | None = None) -> list[Assembled]:
    """Messages of `pgn`: single frames, and fast packets keyed by source and sequence."""
    messages, open_packets = [], {}
    for frame in frames:
        if frame.pgn != pgn or (source is not None and frame.source != source):
            continue
        if pgn not in FAST_PGNS:
            payload = frame.data
        else:
            if not frame.data:
                continue
            key, number = (frame.source, frame.data[0] >> 5), frame.data[0] & 31
            if number == 0:
                open_packets[key] = (frame.data[1], bytearray(frame.data[2:]), 1)
            elif key in open_packets and open_packets[key][2] == number:
                length, body, _ = open_packets[key]
                open_packets[key] = (length, body + frame.data[1:], number + 1)
            if key not in open_packets or len(open_packets[key][1]) < open_packets[key][0]:
                continue
            length, body, _ = open_packets.pop(key)
            payload = bytes(body[:length])
        messages.append(Assembled(frame.time, pgn, frame.source, frame.destination, frame.priority, payload))
    return messages


def fast_packet(payload: bytes, sequence: int, length: int | None = None) -> list[bytes]:
    """The frames of a fast packet. `length` overrides the length byte, for broken ones."""
    header = sequence << 5
    frames = [bytes([header, len(payload) if length is None else length]) + payload[:6].ljust(6, b"\xff")]
    for number, start in enumerate(range(6, len(payload), 7), start=1):
        frames.append(bytes([header | number]) + payload[start : start + 7].ljust(7, b"\xff"))
    return frames


# ---------------------------------------------------------------------------------------------------------------------
# Two independent readings


def read_nmea2000(frames: Iterable[Frame], pgn: int, source: int) -> list[dict[str, object]]:
    """Field values as PyPI nmea2000 reads them from the frames, reassembly included."""
    decoder = NMEA2000Decoder()
    readings = []
    for frame in frames:
        if frame.pgn != pgn or frame.source != source:
            continue
        message = decoder.decode(
            can.Message(
                timestamp=frame.time, arbitration_id=frame.identifier, is_extended_id=True, data=bytearray(frame.data)
            )
        )
        if message is not None:
            readings.append({field.id: field.raw_value for field in message.fields})
    return readings


N2K_PARSERS = {
    SWITCH_BANK_STATUS: n2k.messages.parse_n2k_binary_status_report,
    DC_DETAILED_STATUS: n2k.messages.parse_n2k_dc_detailed_status,
    BATTERY_STATUS: n2k.messages.parse_n2k_battery_status,
    PRODUCT_INFORMATION: n2k.messages.parse_n2k_pgn_product_information,
}


def read_n2k(frames: Iterable[Frame], pgn: int, source: int) -> list[object]:
    """Messages as PyPI n2k reads them."""
    return [
        N2K_PARSERS[pgn](
            N2kMessage(source=source, priority=message.priority, pgn=pgn, data=bytearray(message.payload))
        )
        for message in assemble(frames, pgn, source)
    ]


# ---------------------------------------------------------------------------------------------------------------------
# The bus and its witnesses


def ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", "link", *arguments], check=check, timeout=20)


def open_socket(interface: str, filters: list[dict[str, int]] | None = None) -> can.BusABC:
    bus = can.Bus(interface="socketcan", channel=interface, can_filters=filters, ignore_rx_error_frames=False)
    # The kernel's default holds some 270 frames, less than a burst has: a witness that is behind must not lose any.
    bus.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    return bus


Item = TypeVar("Item")


class Arrivals(Generic[Item]):
    """What arrives on a thread of its own, in its order, for a test that waits for something of it."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._news = threading.Condition()

    def append(self, item: Item) -> None:
        with self._news:
            self._items.append(item)
            self._news.notify_all()

    def paused(self) -> threading.Condition:
        """While this context is held nothing arrives, like on a machine without time."""
        return self._news

    def mark(self) -> int:
        """A place in the order, to be used as `since`."""
        with self._news:
            return len(self._items)

    def since(self, mark: int) -> list[Item]:
        with self._news:
            return self._items[mark:]

    def first(
        self,
        predicate: Callable[[Item], bool],
        timeout: float,
        since: int = 0,
        hopeless: Callable[[], bool] = lambda: False,
    ) -> Item | None:
        """The first from `since` on that `predicate` accepts; None when it did not come in time.

        `hopeless` says that nothing more can come, so that a test need not wait for its time to pass.
        """
        deadline = time.monotonic() + timeout
        while True:
            # Looked at without the lock: more may arrive meanwhile.
            for item in self.since(since):
                since += 1
                if predicate(item):
                    return item
            with self._news:
                if len(self._items) > since:
                    continue
                remaining = deadline - time.monotonic()
                if remaining <= 0 or hopeless():
                    return None
                self._news.wait(min(remaining, 0.25))


def is_readable(bus: can.BusABC, timeout: float = 0) -> bool:
    return bool(select.select([bus.socket], [], [], timeout)[0])


def recorded(message: can.Message) -> Frame:
    return Frame(
        message.timestamp,
        message.arbitration_id,
        bytes(message.data) if not message.is_remote_frame else bytes(message.dlc),
        message.is_extended_id,
        message.is_remote_frame,
        message.is_error_frame,
    )


class Recorder:
    """Keeps every frame of a bus. Survives the interface going down, vanishing and coming back."""

    def __init__(self, interface: str, filters: list[dict[str, int]] | None = None):
        self.interface = interface
        self._filters = filters
        self._frames = Arrivals[Frame]()
        self._stop = False
        self._bus: can.BusABC | None = open_socket(interface, filters)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop:
            try:
                if self._bus is None:
                    self._bus = open_socket(self.interface, self._filters)
                if not is_readable(self._bus, 0.2):
                    continue
                # Read and kept in one: who looks meanwhile finds a frame in the socket or in the recording.
                with self._frames.paused():
                    message = self._bus.recv(0)
                    if message is not None:
                        self._frames.append(recorded(message))
            except (can.CanError, OSError, ValueError) as error:
                gone = getattr(error, "error_code", getattr(error, "errno", None)) != errno.ENETDOWN
                with self._frames.paused():
                    if gone and self._bus is not None:
                        self._bus.shutdown()
                        self._bus = None
                time.sleep(0.005)

    def paused(self) -> threading.Condition:
        """While this context is held the recorder reads nothing from its socket, like on a machine without time."""
        return self._frames.paused()

    def _catch_up(self, until: float) -> None:
        """Waits until all is recorded that was on the bus until then, in kernel time.

        On a busy machine the recorder is seconds behind a flood. Nothing of that is the daemon's doing.
        """
        patience = time.monotonic() + 60
        while time.monotonic() < patience:
            with self._frames.paused():
                last = self._frames.since(-1)
                if last and last[0].time > until or self._bus is None or not is_readable(self._bus):
                    return
            time.sleep(0.002)

    @property
    def frames(self) -> list[Frame]:
        return self.since(0)

    def mark(self) -> int:
        """A place in the recording, to be used as `since`: what was sent until now is before it."""
        self._catch_up(time.time())
        return self._frames.mark()

    def since(self, mark: int) -> list[Frame]:
        """All frames from there until now."""
        self._catch_up(time.time())
        return self._frames.since(mark)

    def kept(self, mark: int) -> list[Frame]:
        """Those of them that are recorded already."""
        return self._frames.since(mark)

    def wait_for(
        self,
        predicate: Callable[[Frame], bool],
        timeout: float,
        since: int = 0,
        what: str = "the expected frame",
        hopeless: Callable[[], bool] = lambda: False,
    ) -> Frame:
        """The first frame from `since` on that `predicate` accepts; fails with what was seen instead.

        `timeout` counts on the bus: a recorder or a reader that is behind then may catch up.
        """
        end = time.time() + timeout

        def in_time(frame: Frame) -> bool:
            return frame.time <= end and predicate(frame)

        frame = self._frames.first(in_time, timeout, since, hopeless)
        if frame is None:
            self._catch_up(end)
            frame = self._frames.first(in_time, 0, since)
        assert frame is not None, f"expected within {timeout} s: {what}\nseen:\n{text(self.since(since))}"
        return frame

    def expect_none(
        self, predicate: Callable[[Frame], bool], seconds: float, since: int = 0, what: str = "such a frame"
    ) -> None:
        """Passes when no frame from `since` until `seconds` from now is accepted by `predicate`."""
        time.sleep(seconds)
        wrong = [frame for frame in self.since(since) if predicate(frame)]
        assert not wrong, f"expected no {what}, but saw:\n{text(wrong)}"

    def stop(self) -> None:
        self._stop = True
        self._thread.join(2)
        if self._bus is not None:
            self._bus.shutdown()
            self._bus = None


class Candump:
    """A real candump -L beside the recorder: its file is the evidence that stays."""

    def __init__(self, interface: str, path: Path, buffered: bool = False):
        self.path = path
        self._file = path.open("w")
        self._process = subprocess.Popen(
            [*([] if buffered else ["stdbuf", "-oL"]), "candump", "-r", str(RECEIVE_BUFFER_BYTES), "-D", "-L", f"{interface},0:0,#FFFFFFFF"],
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )
        # The kernel's list of listeners says when it hears.
        deadline = time.monotonic() + 10
        while interface not in Path("/proc/net/can/rcvlist_all").read_text().split():
            assert time.monotonic() < deadline, "candump did not start"
            time.sleep(0.01)

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def stop(self) -> None:
        end(self._process)
        self._file.close()


def end(process: subprocess.Popen, timeout: float = 5) -> int:
    """SIGTERM, then SIGKILL if that is not enough."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout)
    return process.returncode


# ---------------------------------------------------------------------------------------------------------------------
# NAMEs and nodes


def iso_name(
    unique_number: int, manufacturer: int = 358, function: int = 170, device_class: int = 35, device_instance: int = 0
) -> int:
    """The 64-bit NAME of an arbitrary-address-capable marine device."""
    return (
        unique_number
        | manufacturer << 21
        | device_instance << 32
        | function << 40
        | device_class << 49
        | 4 << 60
        | 1 << 63
    )


class Sender:
    """Sends raw frames from a socket of its own."""

    def __init__(self, interface: str, address: int = NULL_ADDRESS):
        self.interface = interface
        self.address = address
        self._bus = open_socket(interface, [{"can_id": 0x7FF, "can_mask": 0x7FF, "extended": False}])
        self._lock = threading.Lock()

    def raw(
        self, can_id: int, data: bytes = b"", extended: bool = True, remote: bool = False, length: int | None = None
    ) -> None:
        message = can.Message(
            arbitration_id=can_id,
            is_extended_id=extended,
            is_remote_frame=remote,
            dlc=len(data) if length is None else length,
            data=None if remote else bytearray(data),
            check=True,
        )
        with self._lock:
            try:
                self._bus.send(message)
            except can.CanOperationError:
                # A socket keeps the ENETDOWN of an interface that was down and reports it once, on its next use.
                self._bus.send(message)

    def send(self, pgn: int, data: bytes, destination: int = EVERYONE, priority: int = 6, source: int | None = None):
        self.raw(identifier(pgn, self.address if source is None else source, destination, priority), data)

    def fast(
        self, pgn: int, payload: bytes, sequence: int = 0, destination: int = EVERYONE, source: int | None = None
    ) -> None:
        for data in fast_packet(payload, sequence):
            self.send(pgn, data, destination, source=source)

    def request(self, pgn: int, destination: int = EVERYONE, source: int | None = None) -> None:
        self.send(ISO_REQUEST, pgn.to_bytes(3, "little"), destination, source=source)

    def claim(self, name: int, source: int | None = None) -> None:
        self.send(ADDRESS_CLAIM, name.to_bytes(8, "little"), source=source)

    def register(self, number: int, value: bytes, destination: int = EVERYONE) -> None:
        self.send(
            PROPRIETARY, b"\x66\x99" + struct.pack("<H", number) + value.ljust(4, b"\0"), destination, priority=7
        )

    def stop(self) -> None:
        self._bus.shutdown()


@dataclass
class BatteryValues:
    """What the battery monitor measures. None is sent as not available."""

    voltage: float | None = 13.20
    current: float | None = 10.0
    temperature: float | None = 293.15
    state_of_charge: int | None = 80
    state_of_health: int | None = 99
    time_remaining: int | None = None
    capacity: int | None = 160
    lowest_cell: float | None = 3.29
    highest_cell: float | None = 3.31


@dataclass
class Sends:
    """Which of its messages the battery still sends: tests silence them one by one."""

    status: bool = True
    detailed: bool = True
    cells: bool = True


class Battery:
    """A battery monitor on the bus: claims and defends an address, answers requests, sends its measurements.

    Every period is 0.5 s unless told otherwise, faster than the 1.5 s of NMEA 2000, so that OD-20's two seconds for a
    current sensor can be met with a lost frame.
    """

    def __init__(
        self,
        interface: str,
        unique_number: int = 1001,
        manufacturer: int = 358,
        address: int = 70,
        instance: int = 0,
        period: float = 0.5,
    ):
        self.name = iso_name(unique_number, manufacturer)
        self.address = address
        self.instance = instance
        self.period = period
        self.values = BatteryValues()
        self.sends = Sends()
        self._sid = 0
        self._sequence = 0
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._sender = Sender(interface, address)
        # The kernel hands over only claims and requests, so that a flood does not drown this process.
        self._bus = open_socket(
            interface,
            [
                {"can_id": ADDRESS_CLAIM << 8, "can_mask": 0x1FF0000, "extended": True},
                {"can_id": ISO_REQUEST << 8, "can_mask": 0x1FF0000, "extended": True},
            ],
        )
        self._claim()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._measure)]
        for thread in self._threads:
            thread.start()

    def _claim(self) -> None:
        self._sender.address = self.address
        self._sender.claim(self.name)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                message = self._bus.recv(0.2)
            except (can.CanError, OSError):
                time.sleep(0.05)
                continue
            if message is None or message.is_remote_frame or message.is_error_frame:
                continue
            frame = Frame(message.timestamp, message.arbitration_id, bytes(message.data))
            with self._lock:
                if frame.pgn == ISO_REQUEST and frame.destination in (self.address, EVERYONE) and len(frame.data) >= 3:
                    self._answer(int.from_bytes(frame.data[:3], "little"))
                elif frame.pgn == ADDRESS_CLAIM and frame.source == self.address and len(frame.data) == 8:
                    other = int.from_bytes(frame.data, "little")
                    if other < self.name:
                        self.address = (self.address + 1) % 252
                    if other != self.name:
                        self._claim()

    def _answer(self, pgn: int) -> None:
        if pgn == ADDRESS_CLAIM:
            self._claim()
        elif pgn == PRODUCT_INFORMATION:
            strings = b"".join(s.ljust(32, b"\xff") for s in (b"Test battery", b"1.0", b"A", b"0001"))
            self._sender.fast(pgn, struct.pack("<HH", 2100, 1) + strings + bytes([0, 1]), self._next_sequence())

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % 8
        return self._sequence

    def _measure(self) -> None:
        while not self._stop.wait(self.period):
            with self._lock:
                self._sid = (self._sid + 1) % 253
                try:
                    if self.sends.status:
                        self.send_status()
                    if self.sends.detailed:
                        self.send_detailed()
                    if self.sends.cells:
                        self.send_cells()
                except (can.CanError, OSError):
                    pass  # the interface is down: that is what some tests do

    def send_status(self) -> None:
        v = self.values
        self._sender.send(
            BATTERY_STATUS,
            struct.pack(
                "<BhhHB",
                self.instance,
                scaled(v.voltage, 0.01, 0x7FFF),
                scaled(v.current, 0.1, 0x7FFF),
                scaled(v.temperature, 0.01, 0xFFFF),
                self._sid,
            ),
        )

    def send_detailed(self) -> None:
        v = self.values
        self._sender.fast(
            DC_DETAILED_STATUS,
            struct.pack(
                "<BBBBBHHH",
                self._sid,
                self.instance,
                0,
                scaled(v.state_of_charge, 1, 0xFF),
                scaled(v.state_of_health, 1, 0xFF),
                scaled(v.time_remaining, 1, 0xFFFF),
                0xFFFF,
                scaled(v.capacity, 1, 0xFFFF),
            ),
            self._next_sequence(),
        )

    def send_cells(self) -> None:
        v = self.values
        value = struct.pack("<HH", scaled(v.lowest_cell, 0.01, 0xFFFF), scaled(v.highest_cell, 0.01, 0xFFFF))
        self._sender.register(CELL_EXTREMES, value)

    def set_cells(self, lowest: float, highest: float) -> bytes:
        """Sends new cell extremes at once. Returns the frame's data, to find its time stamp in a recording."""
        with self._lock:
            self.values.lowest_cell, self.values.highest_cell = lowest, highest
            self.send_cells()
            return b"\x66\x99\x85\x03" + struct.pack("<HH", round(lowest * 100), round(highest * 100))

    def silence(self) -> None:
        with self._lock:
            self.sends = Sends(False, False, False)

    def speak(self) -> None:
        with self._lock:
            self.sends = Sends()

    def reopen(self, interface: str) -> None:
        """Opens new sockets after the interface was deleted and made again."""
        with self._lock:
            self._sender.stop()
            self._sender = Sender(interface, self.address)
            old, self._bus = self._bus, open_socket(interface, self._bus.filters)
            old.shutdown()
            self._claim()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        self._sender.stop()
        self._bus.shutdown()


def scaled(value: float | None, step: float, not_available: int) -> int:
    return not_available if value is None else round(value / step)


class J1939acd:
    """can-utils' address claim daemon, over the kernel's J1939."""

    def __init__(self, interface: str, name: int, ranges: str, log: Path, start: int | None = None):
        self._log = log.open("w")
        arguments = ["j1939acd", "-v", "-r", ranges]
        if start is not None:
            arguments += ["-a", str(start)]
        self._process = subprocess.Popen(
            [*arguments, f"{name:016X}", interface], stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )

    def stop(self) -> None:
        end(self._process)
        self._log.close()


def j1939cat(interface: str, source: int, destination: int, pgn: int, payload: bytes, scratch: Path) -> None:
    """Sends `payload` by the kernel's transport protocol: BAM to everyone, RTS/CTS to one address."""
    file = scratch / "j1939cat.in"
    file.write_bytes(payload)
    done = subprocess.run(
        ["j1939cat", "-B", "-i", str(file), f"{interface}:0x{source:x}", f":0x{destination:x},0x{pgn:x}"],
        timeout=20,
        capture_output=True,
        text=True,
    )
    # can-utils 2020.11 stumbles over its own error queue once the message is out; anything else is a failure.
    harmless = "recvmsg error notification" in done.stderr
    assert done.returncode == 0 or harmless, f"j1939cat ended with {done.returncode}: {done.stderr}"


# ---------------------------------------------------------------------------------------------------------------------
# The daemon


CONFIGURATION = """\
[bus]
interface = "{interface}"

[identity]
unique_number = 4711
device_instance = 0
preferred_address = 35

[battery]
nominal_voltage = 12
battery_capacity = 200
"""

INPUTS = """
[inputs.monitor]
manufacturer = 358
unique_number = 1001
instance = 0

[inputs.cells]
manufacturer = 358
unique_number = 1001
"""

PREFERRED_ADDRESS = 35
UNIQUE_NUMBER = 4711


class Vecand:
    """The daemon under test with files of its own."""

    def __init__(self, binary: str, interface: str, recorder: Recorder, folder: Path, temporary: Path, inputs: str):
        self.interface = interface
        self.recorder = recorder
        self.log_path = folder / "vecand.log"
        self.state = temporary / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "vecand.toml"
        self.configuration.write_text(CONFIGURATION.format(interface=interface) + inputs)
        self._command = [
            binary,
            "--config",
            str(self.configuration),
            "--interface",
            interface,
            "--state-directory",
            str(self.state),
        ]
        # Outside contract, but no part of the first daemon: given as soon as the daemon knows it.
        options = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=30).stdout
        if "--control-socket" in options:
            self._command += ["--control-socket", str(temporary / "control.sock")]
        # A program that takes rights away and becomes the daemon.
        self.by: list[str] = []
        self._log = self.log_path.open("a")
        self.started_mark = 0
        self.started_at = 0.0
        self.process: subprocess.Popen | None = None

    def log_to(self, descriptor: int) -> None:
        """From the next start on; closes the file, and later the descriptor."""
        self._log.close()
        self._log = open(descriptor, "a")

    def start(self) -> Vecand:
        self.started_mark = self._looked = self.recorder.mark()
        self._latest_claim = None
        self.started_at = time.time()
        # A crash must end at once: Swift's report of all threads takes 20 s in user-mode Linux.
        environment = {"SWIFT_BACKTRACE": "enable=no", **os.environ}
        self.process = subprocess.Popen(
            [*self.by, *self._command],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        return self

    # What it says on the bus

    def own_claim(self, frame: Frame) -> bool:
        """A claim with the configured unique number, class and function, whatever the manufacturer."""
        if frame.pgn != ADDRESS_CLAIM or len(frame.data) != 8:
            return False
        name = int.from_bytes(frame.data, "little")
        return name & 0x1FFFFF == UNIQUE_NUMBER and name >> 40 & 0xFF == 170 and name >> 49 & 0x7F == 35

    def claims(self, since: int = 0) -> list[Frame]:
        return [frame for frame in self.recorder.since(since) if self.own_claim(frame)]

    @property
    def latest_claim(self) -> Frame:
        """Its latest claim that is recorded. Each frame is looked at once: who sent it is asked of every frame."""
        news = self.recorder.kept(self._looked)
        self._looked += len(news)
        self._latest_claim = next(filter(self.own_claim, reversed(news)), self._latest_claim)
        assert self._latest_claim, f"the daemon never claimed an address; log:\n{self.log_tail()}"
        return self._latest_claim

    @property
    def address(self) -> int:
        return self.latest_claim.source

    @property
    def name(self) -> int:
        return int.from_bytes(self.latest_claim.data, "little")

    def sent(self, frame: Frame) -> bool:
        return frame.extended and not frame.remote and frame.source == self.address

    def wait_claimed(self, timeout: float = 10) -> Frame:
        return self._wait(self.own_claim, timeout, self.started_mark, "an address claim of the daemon")

    def wait_running(self, timeout: float = 15) -> None:
        """Claimed and publishing battery status."""
        self.wait_claimed(timeout)
        self.wait_pgn(BATTERY_STATUS, timeout, self.started_mark)

    def wait_pgn(self, pgn: int, timeout: float = 5, since: int = 0, destination: int | None = None) -> Frame:
        return self._wait(
            lambda f: f.pgn == pgn and self.sent(f) and (destination is None or f.destination == destination),
            timeout,
            since,
            f"PGN {pgn} from the daemon" + ("" if destination is None else f" to {destination}"),
        )

    def wait_register(
        self, register: int, accept: Callable[[int], bool], timeout: float = 5, since: int = 0, what: str = ""
    ) -> Frame:
        return self._wait(
            lambda f: f.register == register and self.sent(f) and accept(f.register_value),
            timeout,
            since,
            f"register 0x{register:04X} {LIMITS.get(register, '')} {what}",
        )

    def wait_11_bit(self, can_id: int, accept: Callable[[Frame], bool], timeout: float, since: int, what: str) -> Frame:
        return self._wait(
            lambda f: not f.extended and not f.remote and f.identifier == can_id and accept(f),
            timeout,
            since,
            f"0x{can_id:03X} {what}",
        )

    def wait_limits_given(self, timeout: float = 20, since: int | None = None) -> None:
        since = self.started_mark if since is None else since
        given = {CVL: lambda v: 0 < v < NOT_AVAILABLE_U32, CCL: positive, DCL: positive}
        for register, accept in given.items():
            self.wait_register(register, accept, timeout, since, "with a limit that allows")

    def _wait(self, predicate: Callable[[Frame], bool], timeout: float, since: int, what: str) -> Frame:
        try:
            return self.recorder.wait_for(
                predicate, timeout, since, what, lambda: self.process is None or self.process.poll() is not None
            )
        except AssertionError as error:
            code = None if self.process is None else self.process.poll()
            ended = "" if code is None else f"\nthe daemon has ended with {code}"
            raise AssertionError(f"{error}{ended}\nend of its log:\n{self.log_tail()}") from None

    # The process

    def log_lines(self) -> list[str]:
        return self.log_path.read_text(errors="replace").splitlines()

    def wait_said(self, text: str, timeout: float = 30) -> None:
        """Until the log has a line with this text."""
        deadline = time.monotonic() + timeout
        while not any(text in line for line in self.log_lines()):
            self.assert_alive()
            assert time.monotonic() < deadline, f'no "{text}" within {timeout} s, the log ends:\n{self.log_tail()}'
            time.sleep(0.1)

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log_lines()[-lines:]) or "(empty)"

    def resident_bytes(self, key: str = "VmRSS") -> int:
        """VmRSS of /proc/PID/status, or RssAnon."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{key}:\s+(\d+) kB", status)
        assert found, "the daemon is gone"
        return int(found.group(1)) * 1024

    def cpu_seconds(self) -> float:
        assert self.process is not None
        return cpu_seconds(self.process.pid)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait_catching(self, number: signal.Signals, timeout: float = 20) -> None:
        """Until this signal would no longer end the process (SigCgt of proc(5))."""
        assert self.process is not None
        end = time.monotonic() + timeout
        while True:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            caught = int(re.search(r"SigCgt:\s+([0-9a-f]+)", status).group(1), 16)
            if caught >> (number - 1) & 1:
                return
            self.assert_alive()
            assert time.monotonic() < end, f"{number.name} is not caught {timeout} s after the start"
            time.sleep(0.001)

    def assert_alive(self) -> None:
        assert self.process is not None and self.process.poll() is None, f"the daemon ended:\n{self.log_tail()}"

    def stop(self) -> int | None:
        return None if self.process is None else end(self.process)

    def close(self) -> None:
        self.stop()
        self._log.close()


def cpu_seconds(pid: int) -> float:
    """utime + stime of /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def positive(value: int) -> bool:
    """A current limit that allows something."""
    return 0 < value < NOT_AVAILABLE_U32


def limit_values(frames: Iterable[Frame], source: int | None = None) -> dict[str, set[int]]:
    """Every value that CVL, CCL and DCL took in the registers of these frames."""
    values: dict[str, set[int]] = {name: set() for name in LIMITS.values()}
    for frame in frames:
        if frame.register in LIMITS and (source is None or frame.source == source):
            values[LIMITS[frame.register]].add(frame.register_value)
    return values


def assert_cvl_never_zero(frames: Iterable[Frame]) -> None:
    """CVL 0 makes systems discharge a battery on purpose: it must be on no frame at all."""
    wrong = [
        f
        for f in frames
        if (f.register == CVL and f.register_value == 0)
        or (not f.extended and f.identifier == 0x351 and not f.remote and f.data[:2] == b"\0\0")
    ]
    assert not wrong, f"CVL 0 was sent:\n{text(wrong)}"
