"""What the daemon itself adds to the bus, measured: at most 5 % of 250 kbit/s."""

from __future__ import annotations

import json
import time

import load


def test_the_bits_of_a_frame_are_those_of_the_standard():
    # Nothing to stuff but after five equal bits: an 11-bit frame without data has 47 bits and the stuffed ones.
    assert load.stuff_bits([0, 0, 0, 0, 0]) == 1
    assert load.stuff_bits([0, 0, 0, 0, 1]) == 0
    # The stuffed 1 begins the next five: 00000(1)1111(0).
    assert load.stuff_bits([0, 0, 0, 0, 0, 1, 1, 1, 1]) == 2
    assert len(load.stuffed_part(0x351, False, bytes(8))) + load.TAIL == 47 + 64
    assert len(load.stuffed_part(0x1CEFFF23, True, bytes(8))) + load.TAIL == 67 + 64
    assert load.worst_bits(True, 8) == 160
    assert load.worst_bits(False, 8) == 135
    for size in range(9):
        for extended in (False, True):
            for data in (bytes(size), b"\xff" * size, b"\x55" * size, bytes(range(size))):
                bits = load.exact_bits(0x1CEFFF23 if extended else 0x351, extended, data)
                assert (67 if extended else 47) + 8 * size <= bits <= load.worst_bits(extended, size)
    # CRC-15 of nothing but zeros is zero, of a single 1 the polynomial.
    assert load.crc15([0] * 20) == [0] * 15
    assert int("".join(map(str, load.crc15([1]))), 2) == 0x4599


def test_the_daemon_uses_at_most_5_percent_of_the_bus(fed_vecand, battery, evidence):
    time.sleep(9)  # with the beginning, in which everything is sent at once
    lines, seconds = load.of_log((evidence / "candump.log").read_text(), fed_vecand.address)
    figures = load.summary(lines, seconds)
    (evidence / "load.json").write_text(json.dumps({"total": figures} | {k: v.frames for k, v in lines.items()}))
    assert {"127508", "127506", "127501", "61184 register 0x0391", "0x351", "0x35A", "0x35E"} <= set(lines)
    assert 0.3 < figures["exact_percent"] <= figures["worst_percent"] <= load.GOAL, figures
