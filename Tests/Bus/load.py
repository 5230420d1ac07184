"""How much of a bus a sender uses: the bits of its frames on the wire, from a candump -L log.

  python load.py [--source ADDRESS] [--bitrate 250000] LOG

A CAN frame is start, arbitration, control, data, CRC, delimiter, acknowledgement, end and the pause of three bits behind
it (ISO 11898-1). After five equal bits from the start to the end of the CRC a bit of the other kind is stuffed in: how
many depends on the content. "exact" counts them, "worst" is the most that a frame of this length can have.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TAIL = 1 + 2 + 7 + 3  # CRC delimiter, acknowledgement with its delimiter, end of frame, pause
LINE = re.compile(r"\((\d+\.\d+)\) \S+ ([0-9A-F]+)#([0-9A-F]*)$")
GOAL = 5.0  # percent of the bus, in normal operation


def crc15(bits: list[int]) -> list[int]:
    """The CRC of a classic frame, polynomial 0x4599."""
    register = 0
    for bit in bits:
        carry = bit ^ register >> 14 & 1
        register = register << 1 & 0x7FFF
        if carry:
            register ^= 0x4599
    return [register >> place & 1 for place in range(14, -1, -1)]


def stuffed_part(identifier: int, extended: bool, data: bytes) -> list[int]:
    """The bits from start of frame to the end of the CRC, before stuffing."""

    def field(value: int, width: int) -> list[int]:
        return [value >> place & 1 for place in range(width - 1, -1, -1)]

    if extended:  # start, 11 bits, SRR, IDE, 18 bits, RTR, two reserved
        bits = [0] + field(identifier >> 18, 11) + [1, 1] + field(identifier, 18) + [0, 0, 0]
    else:  # start, 11 bits, RTR, IDE, one reserved
        bits = [0] + field(identifier, 11) + [0, 0, 0]
    bits += field(len(data), 4)
    for byte in data:
        bits += field(byte, 8)
    return bits + crc15(bits)


def stuff_bits(bits: list[int]) -> int:
    """How many bits are stuffed in; a stuffed bit counts for the next five."""
    count, run, last = 0, 0, None
    for bit in bits:
        run = run + 1 if bit == last else 1
        last = bit
        if run == 5:
            count, run, last = count + 1, 1, 1 - bit
    return count


def exact_bits(identifier: int, extended: bool, data: bytes) -> int:
    bits = stuffed_part(identifier, extended, data)
    return len(bits) + stuff_bits(bits) + TAIL


def worst_bits(extended: bool, size: int) -> int:
    stuffed = (54 if extended else 34) + 8 * size
    return stuffed + (stuffed - 1) // 4 + TAIL


@dataclass
class Line:
    """The frames of one PGN, register or 11-bit identifier."""

    frames: int = 0
    exact: int = 0
    worst: int = 0


def name(identifier: int, extended: bool, data: bytes) -> str:
    if not extended:
        return f"0x{identifier:03X}"
    page_and_format = identifier >> 16 & 0x3FF
    pgn = page_and_format << 8 | (identifier >> 8 & 0xFF if page_and_format & 0xFF >= 240 else 0)
    if pgn == 61184 and data[:2] == b"\x66\x99":
        return f"61184 register 0x{int.from_bytes(data[2:4], 'little'):04X}"
    return str(pgn)


def of_log(text: str, source: int | None) -> tuple[dict[str, Line], float]:
    """The frames of `source`, and all 11-bit ones, by name, and the seconds that the whole log spans."""
    lines: dict[str, Line] = defaultdict(Line)
    times = []
    for row in text.splitlines():
        match = LINE.match(row)
        if not match:
            continue
        times.append(float(match[1]))
        extended, identifier, data = len(match[2]) == 8, int(match[2], 16), bytes.fromhex(match[3])
        if extended and source is not None and identifier & 0xFF != source:
            continue
        line = lines[name(identifier, extended, data)]
        line.frames += 1
        line.exact += exact_bits(identifier, extended, data)
        line.worst += worst_bits(extended, len(data))
    return dict(lines), times[-1] - times[0] if len(times) > 1 else 0.0


def summary(lines: dict[str, Line], seconds: float, bitrate: int = 250_000) -> dict[str, float]:
    exact, worst = (sum(getattr(line, kind) for line in lines.values()) for kind in ("exact", "worst"))
    return {
        "seconds": round(seconds, 1),
        "frames_per_second": round(sum(line.frames for line in lines.values()) / seconds, 2),
        "exact_percent": round(100 * exact / seconds / bitrate, 3),
        "worst_percent": round(100 * worst / seconds / bitrate, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--source", type=int, help="only this address, and all 11-bit frames")
    parser.add_argument("--bitrate", type=int, default=250_000)
    options = parser.parse_args()
    lines, seconds = of_log(options.log.read_text(), options.source)
    if seconds <= 0:
        print(f"{options.log}: fewer than two frames", file=sys.stderr)
        return 1
    for key, line in sorted(lines.items(), key=lambda item: -item[1].worst):
        share = 100 / seconds / options.bitrate
        print(
            f"{key:<28} {line.frames:>6} frames, each {seconds / line.frames:6.2f} s, "
            f"{share * line.exact:6.3f} %, at worst {share * line.worst:6.3f} %",
            file=sys.stderr,
        )
    print(json.dumps(summary(lines, seconds, options.bitrate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
