"""A CAN adapter for the machine's USB: what the kernel's driver usb_8dev takes for an 8devices USB2CAN. The test is its bus.

QEMU's SJA1000 completes every frame, whether anybody hears it or not, and knows no errors. This controller is in the state
that the test puts it in, tells the driver so, and is started again by the kernel. QEMU passes the machine's transfers on
by the usbredir protocol (usbredirproto.h); the messages inside them are those of drivers/net/can/usb/usb_8dev.c.
"""

from __future__ import annotations

import collections
import pathlib
import socket
import struct
import threading

from machine import SLOWEST

# Types of usbredir's packets.
HELLO, CONNECT, INTERFACES, ENDPOINTS, CANCEL = 0, 1, 4, 5, 21
SET_CONFIGURATION, GET_CONFIGURATION, CONFIGURATION, SET_INTERFACE, INTERFACE = 6, 7, 8, 9, 11
CONTROL, BULK = 100, 101
# Sizes of endpoints, numbers of 64 bits, lengths of 32 bits: what QEMU's xHCI asks for.
CAPABILITIES = 1 << 4 | 1 << 5 | 1 << 6
SUCCESS, CANCELLED, STALL = 0, 1, 4
FULL_SPEED = 1

VENDOR, PRODUCT = 0x0483, 0x1234
PACKET_SIZE = 64
DATA_IN, DATA_OUT, COMMAND_IN, COMMAND_OUT = 0x81, 0x02, 0x83, 0x04
BULK_ENDPOINT = 2


def descriptor(kind: int, rest: bytes) -> bytes:
    return bytes([2 + len(rest), kind]) + rest


DEVICE = descriptor(1, struct.pack("<HBBBBHHHBBBB", 0x200, 255, 0, 0, PACKET_SIZE, VENDOR, PRODUCT, 0x100, 0, 1, 0, 1))
_parts = descriptor(4, bytes([0, 0, 4, 255, 0, 0, 0])) + b"".join(
    descriptor(5, struct.pack("<BBHB", endpoint, BULK_ENDPOINT, PACKET_SIZE, 0))
    for endpoint in (DATA_IN, DATA_OUT, COMMAND_IN, COMMAND_OUT)
)
CONFIGURATIONS = descriptor(2, struct.pack("<HBBBBB", 9 + len(_parts), 1, 1, 0, 0x80, 50)) + _parts
DESCRIPTORS = {
    0x100: DEVICE,
    0x200: CONFIGURATIONS,
    0x300: descriptor(3, struct.pack("<H", 0x0409)),
    # The driver asks for it by this name.
    0x301: descriptor(3, "USB2CAN converter".encode("utf-16-le")),
}

CLOCK = 32_000_000  # Hz
OPEN, VERSION = 2, 12
ERROR_ACTIVE, ERROR_PASSIVE, BUS_OFF = 0, 3, 4


class Adapter:
    """Plugged in until it is unplugged."""

    def __init__(self, path: pathlib.Path):
        self._changed = threading.Condition()
        # Transfers that wait for data, and data that wait for a transfer.
        self._asked: dict[int, collections.deque] = {DATA_IN: collections.deque(), COMMAND_IN: collections.deque()}
        self._ready: dict[int, collections.deque] = {DATA_IN: collections.deque(), COMMAND_IN: collections.deque()}
        # Bit rates, one for each time that the kernel started the controller.
        self.starts: list[float] = []
        # Identifier and data of what was sent while the controller took part in the bus.
        self.frames: list[tuple[int, bytes]] = []
        self._is_bus_off = False
        self._failure: Exception | None = None
        self._stream = socket.socket(socket.AF_UNIX)
        self._stream.connect(str(path))
        self._connect()
        threading.Thread(target=self._serve, daemon=True).start()

    # For the test

    def tell(self, state: int, receive_errors: int, transmit_errors: int) -> None:
        with self._changed:
            self._is_bus_off = state == BUS_OFF
            self._tell(state, receive_errors, transmit_errors)

    def wait(self, is_so, seconds: float, what: str) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: self._failure or is_so(self), SLOWEST * seconds)
        if self._failure:
            raise self._failure
        assert came, f"{what}: not within {seconds} s"

    def unplug(self) -> None:
        self._stream.shutdown(socket.SHUT_RDWR)

    # The controller

    def _tell(self, state: int, receive_errors: int, transmit_errors: int) -> None:
        status = bytes([state, receive_errors, transmit_errors, 0]) + bytes(4)
        self._give(DATA_IN, struct.pack(">BBBIB8sIB", 0x55, 3, 4, 0, 8, status, 0, 0xAA))

    def _take(self, endpoint: int, message: bytes) -> None:
        if endpoint == DATA_OUT:
            _, _, identifier, length, data, _ = struct.unpack(">BBIB8sB", message)
            if not self._is_bus_off:
                self.frames.append((identifier, data[:length]))
            return
        command = message[2]
        if command == OPEN:
            first, second, _, prescaler = struct.unpack(">BBBH", message[5:10])
            self.starts.append(CLOCK / prescaler / (1 + first + second))
            self._is_bus_off = False
        answer = bytes([0x11, 0, command, 0, 0]) + struct.pack(">HH6x", 0x0100, 0x0100) + b"\x22"
        self._give(COMMAND_IN, answer)
        if command == OPEN:
            self._tell(ERROR_ACTIVE, 0, 0)

    # Transfers

    def _give(self, endpoint: int, data: bytes) -> None:
        self._ready[endpoint].append(data)
        self._match(endpoint)

    def _match(self, endpoint: int) -> None:
        asked, ready = self._asked[endpoint], self._ready[endpoint]
        while asked and ready:
            self._bulk(asked.popleft(), endpoint, SUCCESS, ready.popleft())

    def _bulk(self, number: int, endpoint: int, status: int, data: bytes = b"", taken: int = 0) -> None:
        self._send(BULK, struct.pack("<BBHIH", endpoint, status, taken or len(data), 0, 0) + data, number)

    def _control(self, number: int, head: tuple, data: bytes) -> None:
        endpoint, request, kind, _, value, index, length = head
        status, answer = SUCCESS, b""
        if kind & 0x80:
            # GET_STATUS is two zeros; what else is there are the descriptors.
            known = bytes(2) if request == 0 else DESCRIPTORS.get(value) if request == 6 else None
            status, answer = (STALL, b"") if known is None else (SUCCESS, known[:length])
        taken = len(answer) if kind & 0x80 else len(data)
        self._send(CONTROL, struct.pack("<BBBBHHH", endpoint, request, kind, status, value, index, taken) + answer, number)

    def _cancel(self, number: int) -> None:
        for endpoint, asked in self._asked.items():
            if number in asked:
                asked.remove(number)
                self._bulk(number, endpoint, CANCELLED)

    # The protocol

    def _connect(self) -> None:
        # Only this has a short head.
        hello = b"a CAN adapter".ljust(64, b"\0") + struct.pack("<I", CAPABILITIES)
        self._stream.sendall(struct.pack("<III", HELLO, len(hello), 0) + hello)
        one = bytes(32)
        self._send(INTERFACES, struct.pack("<I", 1) + one + b"\xff" + one[1:] + one + one)
        kinds, sizes = bytearray(b"\xff" * 32), [0] * 32
        for endpoint in (0, 0x80, DATA_IN, DATA_OUT, COMMAND_IN, COMMAND_OUT):
            place = (endpoint & 0x80) >> 3 | endpoint & 15
            kinds[place] = BULK_ENDPOINT if endpoint & 15 else 0
            sizes[place] = PACKET_SIZE
        self._send(ENDPOINTS, bytes(kinds) + one + one + struct.pack("<32H", *sizes))
        self._send(CONNECT, struct.pack("<BBBBHH", FULL_SPEED, 255, 0, 0, VENDOR, PRODUCT))

    def _send(self, kind: int, body: bytes, number: int = 0) -> None:
        self._stream.sendall(struct.pack("<IIQ", kind, len(body), number) + body)

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            news = self._stream.recv(length - len(data))
            if not news:
                raise EOFError
            data += news
        return data

    def _serve(self) -> None:
        try:
            _, length, _ = struct.unpack("<III", self._receive(12))
            self._receive(length)
            while True:
                kind, length, number = struct.unpack("<IIQ", self._receive(16))
                body = self._receive(length)
                with self._changed:
                    self._answer(kind, number, body)
                    self._changed.notify_all()
        except EOFError:
            pass
        except Exception as error:  # noqa: BLE001 - told to the test
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _answer(self, kind: int, number: int, body: bytes) -> None:
        if kind == CONTROL:
            self._control(number, struct.unpack("<BBBBHHH", body[:10]), body[10:])
        elif kind == BULK:
            endpoint, data = body[0], body[10:]
            if endpoint in self._asked:
                self._asked[endpoint].append(number)
                self._match(endpoint)
            else:
                self._bulk(number, endpoint, SUCCESS, taken=len(data))
                self._take(endpoint, data)
        elif kind == CANCEL:
            self._cancel(number)
        elif kind in (SET_CONFIGURATION, GET_CONFIGURATION):
            self._send(CONFIGURATION, bytes([SUCCESS, 1]), number)
        elif kind == SET_INTERFACE:
            self._send(INTERFACE, bytes([SUCCESS, *body]), number)
