"""1,000 requests for registers in one burst: each is answered or refused, and a limit goes out between them."""

from __future__ import annotations

import time

import peers
from peers import CCL, Frame

AT_ONCE = 0.020
ASKER = 80  # the address of the fixture `sender`
COUNT = 1000
OVERFLOW = bytes.fromhex("6699020002000085")  # one refusal for all that found no room


def request(number: int) -> tuple[bytes, bytes]:
    """The bytes of request `number`, and how what answers it begins."""
    distinct = number.to_bytes(2, "little")
    header = b"\x66\x99"
    kinds = [
        (b"\x01\x00\x8d\xed\xff\xff", b"\x8d\xed"),  # the voltage
        (b"\x01\x00" + distinct[:1] + bytes([0x70 | distinct[1]]) + b"\xff\xff", None),  # a register that is not there
        (b"\x02\x10" + bytes([10 + number % 90, 0, 0, 0]), b"\x02\x10"),  # a setting in range
        (b"\x00\x10\x00\x00\x00\x00", b"\x02\x00\x00\x10\x00\x81"),  # and out of it
        (b"\x90\x03\x01\x00\x00\x00", b"\x02\x00\x90\x03\x00\x81"),  # read-only
        (b"\x01\x00\x90\x03\xfc\xff", b"\x92\x03"),  # a block
        (b"\x01\x00\x8d\xed", b"\x02\x00\x01\x00\x00\x83"),  # cut
        (b"\x03\x00" + distinct + b"\x01\x02", b"\x03\x00" + distinct + b"\x01\x02"),  # is echoed
    ]
    data, answer = kinds[number % len(kinds)]
    if answer is None:
        answer = b"\x02\x00" + data[2:4] + b"\x00\x80"
    return header + data, header + answer


def burst(sender: peers.Sender, battery: peers.Battery, vecand: peers.Vecand, recorder: peers.Recorder) -> float:
    """Sends the burst with a high cell in its middle; the time from that frame to the last of the two CCL 0."""
    mark = recorder.mark()
    high = b""
    for number in range(COUNT):
        sender.send(peers.PROPRIETARY, request(number)[0], vecand.address, 7)
        if number == COUNT // 2:
            high = battery.set_cells(3.40, 3.76)
    # The daemon answers 800 times a second; what waits at most is 64 refusals and each register once.
    time.sleep(2)
    frames = recorder.since(mark)
    cause = next(f for f in frames if f.data == high)
    said = [f for f in frames if vecand.sent(f) and f.pgn == peers.PROPRIETARY]
    asked = [f for f in frames if f.pgn == peers.PROPRIETARY and f.source == ASKER]
    assert len(asked) == COUNT, f"the recorder heard {len(asked)} requests"

    overflows = [f.time for f in said if f.data == OVERFLOW]
    silent = []
    for number, frame in enumerate(asked):
        answer = request(number)[1]
        answered = any(f.time >= frame.time and f.data.startswith(answer) for f in said)
        if not answered and not (overflows and overflows[-1] >= frame.time):
            silent.append(frame)
    assert not silent, f"{len(silent)} requests in silence:\n{peers.text(silent)}"
    # Addressed refusals are for one request each: fewer of them must have been told by 0x8500.
    wanted = sum(request(number)[1][2:4] == b"\x02\x00" for number in range(COUNT))
    refused = sum(f.data[2:4] == b"\x02\x00" and f.destination == ASKER for f in said)
    assert refused <= wanted and (refused == wanted or overflows), f"{refused} of {wanted} refusals, no 0x8500"

    def first(accept) -> Frame:
        found = [f for f in frames if f.time >= cause.time and accept(f)]
        assert found, f"no CCL 0 after the high cell:\n{peers.text(said)}"
        return found[0]

    register = first(lambda f: f.register == CCL and f.register_value == 0 and vecand.sent(f))
    limits = first(lambda f: not f.extended and f.identifier == 0x351 and f.data[2:4] == b"\0\0")
    return max(register.time, limits.time) - cause.time


def test_1000_requests_are_answered_or_refused_while_a_high_cell_stops_charging(sender, battery, fed_vecand, recorder):
    reactions = []
    for _ in range(4):  # one that a busy machine does not disturb is enough for the time; silence is never allowed
        reactions.append(burst(sender, battery, fed_vecand, recorder))
        if reactions[-1] <= AT_ONCE:
            break
        mark = recorder.mark()
        battery.set_cells(3.29, 3.31)
        fed_vecand.wait_register(CCL, peers.positive, 5, mark, "given back")
    assert reactions[-1] <= AT_ONCE, f"CCL 0 after {[f'{1000 * r:.1f} ms' for r in reactions]}, allowed 20 ms"
    fed_vecand.assert_alive()
