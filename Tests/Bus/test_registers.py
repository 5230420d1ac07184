"""Registers over a real bus, byte by byte: what python-can asks and the daemon answers (Victron's VREG, PGN 61184).

The bytes are written out from the notes on VE.Can and the manual's ranges; nothing here knows the daemon's tables.
"""

from __future__ import annotations

import pytest

import peers
from peers import Frame

ASKER = 80  # the address of the fixture `sender`
PRIORITY = 7
SINGLE, FAST = 0xEF00, 0x1EF00  # 61184 and 126720

# What a bank of 12 V and 200 Ah at 13.20 V, 10.0 A, 293.15 K with cells of 3.29 and 3.31 V says.
VALUES = {
    0x0102: "00010000",  # version 0.1
    0x0200: "03000000",  # on
    0x0207: "00000000",
    0x0380: "FFFF01FF",  # one in parallel, the rest nobody told
    0x0385: "49014B01",
    0x0386: "83728372",
    0x0390: "8C050000",  # 14.20 V
    0x0391: "D0070000",  # 200.0 A: 1 C
    0x0392: "10040000",  # 10.40 V
    0x0393: "70170000",  # 600.0 A: the peak of a Lynx 500
    0x0394: "A76C0000",  # 5 degC
    0x1000: "C8000000",  # 200 Ah
    0x1001: "8C000000",  # 14.0 V
    0x1002: "28000000",  # 4.0 %
    0x1003: "03000000",
    0x1004: "63000000",
    0x1005: "69000000",
    0x1008: "64000000",  # 10.0 %
    0x2100: "10000006",  # charging, ATC, ATD
    0x2101: "00000000",
    0x2102: "09000000",  # running
    0x2103: "17000000",
    0x2107: "05150100",
    0x2108: "94000000",  # ATC and ATD yes, relay no
    0x2150: "00000000",
    0xEA15: "00000000",
    0xED8C: "10270000",  # 10.000 A
    0xED8D: "28050000",  # 13.20 V
    0xED8E: "84000000",  # 132 W
    0xED8F: "64000000",  # 10.0 A
    0xEDEA: "0C000000",
    0xEDEC: "83720000",  # 293.15 K
}

# Register, a value it takes, values that it does not (the manual's ranges).
SETTINGS = [
    (0x1000, 12_000, (0, 12_001)),  # R326
    (0x1001, 146, (129, 147)),  # R335
    (0x1002, 5, (4, 101)),  # R336
    (0x1003, 50, (0, 51)),  # R337
    (0x1008, 150, (151,)),  # R338
    (0x2104, 1, (2,)),  # R329
    (0x0394, 26_315, (26_314, 29_316)),  # R344
]
READ_ONLY = (0x0102, 0x0120, 0x0390, 0x2100, 0x2101, 0x2102, 0x2108, 0x210A, 0x2110, 0x2152, 0xED8D, 0x0FFF)


def little(number: int, size: int = 2) -> bytes:
    return number.to_bytes(size, "little")


class Asker:
    """Speaks raw bytes to the daemon and waits for what they bring."""

    def __init__(self, sender: peers.Sender, vecand: peers.Vecand, recorder: peers.Recorder):
        self.sender, self.recorder, self.me = sender, recorder, vecand.address
        self.mark = 0

    def say(self, data: bytes, destination: int | None = None) -> None:
        self.mark = self.recorder.mark()
        self.sender.send(SINGLE, data, self.me if destination is None else destination, PRIORITY)

    def say_fast(self, payload: bytes, sequence: int = 1) -> None:
        self.mark = self.recorder.mark()
        for data in peers.fast_packet(payload, sequence):
            self.sender.send(FAST, data, self.me, PRIORITY)

    def wait(self, can_id: int, data: bytes) -> Frame:
        """The frame of this identifier with exactly these bytes."""
        return self.recorder.wait_for(
            lambda f: f.extended and f.identifier == can_id and f.data == data,
            5,
            self.mark,
            f"{can_id:08X}#{data.hex().upper()}",
        )

    def report(self, register: int, value: bytes) -> Frame:
        """The register to all, with priority 7, in eight bytes."""
        return self.wait(0x1CEFFF00 | self.me, b"\x66\x99" + little(register) + value)

    def refusal(self, register: int, code: int) -> Frame:
        """The refusal to who asked."""
        return self.wait(0x1CEF0000 | ASKER << 8 | self.me, b"\x66\x99\x02\x00" + little(register) + little(code))

    def read(self, register: int, mask: int = 0xFFFF) -> None:
        self.say(b"\x66\x99\x01\x00" + little(register) + little(mask))

    def write(self, register: int, value: int) -> None:
        self.say(b"\x66\x99" + little(register) + little(value, 4))

    def silence(self) -> None:
        """Nothing came of what was said: a ping behind it is echoed, and before it neither a report nor a refusal."""
        self.sender.send(SINGLE, bytes.fromhex("6699030001020304"), self.me, PRIORITY)
        echo = self.wait(0x1CEFFF00 | self.me, bytes.fromhex("6699030001020304"))
        between = [f for f in self.recorder.since(self.mark) if f.time < echo.time and f.source == self.me]
        answers = [f for f in between if f.destination == ASKER and f.pgn == SINGLE]
        assert not answers, peers.text(answers)


@pytest.fixture
def asker(sender, fed_vecand, recorder) -> Asker:
    return Asker(sender, fed_vecand, recorder)


def test_each_register_is_read_with_the_bytes_of_the_notes(asker):
    for register, value in VALUES.items():
        asker.read(register)
        asker.report(register, bytes.fromhex(value))


def test_a_masked_read_brings_the_block_once(asker, recorder):
    asker.read(0x2100, 0xFF00)
    last = asker.mark
    recorder.wait_for(lambda f: f.register == 0x2159 or f.register == 0x2155, 5, last, "the last of the short ones")
    recorder.wait_for(
        lambda f: f.pgn == FAST and f.source == asker.me and f.data[2:6] == bytes.fromhex("66996F21"),
        5,
        last,
        "the name of the last fuse",
    )
    asker.silence()
    frames = [f for f in recorder.since(last) if f.source == asker.me and f.destination == 255]
    told = [f.register for f in frames if f.register is not None and f.register & 0xFF00 == 0x2100]
    wanted = {0x2100, 0x2101, 0x2102, 0x2103, 0x2104, 0x2107, 0x2108, 0x2109, 0x210A, 0x210B, 0x2150}
    wanted |= set(range(0x2110, 0x2119)) | set(range(0x2152, 0x2156))
    assert set(told) == wanted
    # Those that are also sent by themselves may come once more meanwhile.
    unasked = {0x2100, 0x2101, 0x2102, 0x2107, 0x2108}
    assert not [r for r in set(told) - unasked if told.count(r) != 1], told
    texts = [int.from_bytes(f.data[4:6], "little") for f in frames if f.pgn == FAST and f.data[0] & 31 == 0]
    assert texts == list(range(0x2160, 0x2170))


def test_settings_in_range_are_told_to_all_and_out_of_range_are_refused(asker):
    for register, value, refused in SETTINGS:
        for wrong in refused:
            asker.write(register, wrong)
            asker.refusal(register, 0x8100)
        asker.write(register, value)
        asker.report(register, little(value, 4))
        asker.read(register)
        asker.report(register, little(value, 4))


def test_what_cannot_be_written_or_is_unknown_is_refused_to_who_asked(asker):
    for register in READ_ONLY:
        asker.write(register, 1)
        asker.refusal(register, 0x8100)
    for register in (0x1234, 0x0005, 0x20FF, 0x7000, 0xFFFF):
        asker.read(register)
        asker.refusal(register, 0x8000)
        asker.write(register, 1)
        asker.refusal(register, 0x8100)
    # The documented example of a mode command (off): a GX cannot switch a Lynx off.
    asker.say(bytes.fromhex("6699000204000000"))
    asker.refusal(0x0200, 0x8300)


def test_cut_frames_are_refused_or_nobodys(asker, recorder):
    read = bytes.fromhex("669901009003FFFF")
    for count in range(4, 8):
        asker.say(read[:count])
        asker.refusal(0x0001, 0x8300)
    for count in range(4):
        asker.say(read[:count])
        asker.silence()
    for count in (4, 5):
        asker.say(bytes.fromhex("6699001064000000")[:count])
        asker.refusal(0x1000, 0x8300)
    asker.read(0x1000)
    asker.report(0x1000, little(200, 4))


def test_what_goes_to_all_is_no_order(asker):
    asker.say(bytes.fromhex("66990002FC000000"), destination=255)
    asker.silence()
    asker.say(bytes.fromhex("6699341200000000"), destination=255)
    asker.silence()
    asker.read(0x0200)
    asker.report(0x0200, bytes.fromhex("03000000"))


def test_a_text_goes_by_fast_packet_both_ways(asker, recorder):
    def told(text: bytes) -> None:
        payload = bytes.fromhex("66996021") + text + b"\0"
        recorder.wait_for(
            lambda _: any(m.payload == payload for m in peers.assemble(recorder.since(asker.mark), FAST, asker.me)),
            5,
            asker.mark,
            f"fuse 1 as {text!r}",
        )

    asker.read(0x2160)
    told(b"Fuse_1")
    asker.say_fast(bytes.fromhex("66996021") + b"Bow thruster 24V\0")
    told(b"Bow thruster 24V")
    asker.say_fast(bytes.fromhex("66996021") + b"Bow thruster 24Vx\0", 2)
    asker.refusal(0x2160, 0x8300)
    asker.read(0x2160)
    told(b"Bow thruster 24V")
