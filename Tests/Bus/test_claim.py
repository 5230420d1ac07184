"""Address claim, requests and the other duties of a node on the bus (NMEA 2000 notes, sections 1.4, 1.5 and 1.7)."""

from __future__ import annotations

import struct
import time

import j1939
import pytest

import peers
from peers import (
    ADDRESS_CLAIM,
    BATTERY_STATUS,
    COMMANDED_ADDRESS,
    CONFIGURATION_INFORMATION,
    DC_DETAILED_STATUS,
    GROUP_FUNCTION,
    HEARTBEAT,
    ISO_ACKNOWLEDGEMENT,
    PGN_LIST,
    PREFERRED_ADDRESS,
    PRODUCT_INFORMATION,
    SWITCH_BANK_STATUS,
    TP_CONTROL,
    TP_DATA,
)

LOWER_NAME = 0x8000000000000001  # below any NAME of class 35, function 170, industry 4
HIGHER_NAME = 0xFFFFFFFFFFFF0001


def settled(recorder, quiet=0.6):
    """Lets what is already on its way arrive."""
    time.sleep(quiet)
    return recorder.mark()


# Start


def test_claims_its_preferred_address_then_waits_250_ms(make_vecand, recorder):
    vecand = make_vecand()
    claim = vecand.wait_claimed()
    assert claim.source == PREFERRED_ADDRESS and claim.destination == 255 and claim.priority == 6
    name = vecand.name
    assert name >> 60 & 7 == 4, "industry group is marine"
    assert name >> 63 == 1, "arbitrary address capable"
    assert name >> 48 & 1 == 0, "the spare bit is zero"
    first = recorder.wait_for(
        lambda f: f.source == PREFERRED_ADDRESS and f.extended and f.pgn != ADDRESS_CLAIM, 5, what="its first message"
    )
    assert first.time - claim.time >= 0.250, f"spoke {1000 * (first.time - claim.time):.1f} ms after its claim"
    early = [f for f in recorder.frames if f.time < claim.time and f.pgn != peers.ISO_REQUEST]
    assert not early, f"said more than a request for claims before its claim:\n{peers.text(early)}"
    eleven_bit = [f for f in recorder.frames if not f.extended and f.time < claim.time + 0.25]
    assert not eleven_bit, f"11-bit frames during the claim:\n{peers.text(eleven_bit)}"


def test_request_before_the_claim_comes_from_the_null_address(make_vecand, recorder):
    vecand = make_vecand()
    claim = vecand.wait_claimed()
    for frame in recorder.frames:
        if frame.time < claim.time:
            assert frame.source == 254 and frame.pgn == peers.ISO_REQUEST, str(frame)


def test_takes_another_address_where_its_own_is_held_by_a_lower_name(make_vecand, recorder, sender):
    vecand = make_vecand()
    first = recorder.wait_for(lambda f: vecand.own_claim(f) and f.source == PREFERRED_ADDRESS, 10)
    sender.claim(LOWER_NAME, source=PREFERRED_ADDRESS)
    second = recorder.wait_for(
        lambda f: vecand.own_claim(f) and f.source not in (PREFERRED_ADDRESS, 254), 3, what="a claim elsewhere"
    )
    assert second.time - first.time < 2 and second.source <= 251
    vecand.wait_pgn(BATTERY_STATUS, 5, recorder.mark())
    from_lost = [
        f for f in recorder.frames if f.time > second.time and f.source == PREFERRED_ADDRESS and f.pgn == BATTERY_STATUS
    ]
    assert not from_lost, peers.text(from_lost)


def test_keeps_address_and_name_over_a_restart(vecand, recorder, sender):
    name = vecand.name
    sender.claim(LOWER_NAME, source=PREFERRED_ADDRESS)
    moved = recorder.wait_for(lambda f: vecand.own_claim(f) and f.source not in (PREFERRED_ADDRESS, 254), 3).source
    time.sleep(1)
    vecand.stop()
    time.sleep(0.3)
    vecand.start()
    assert vecand.wait_claimed().source == moved
    assert vecand.name == name


def test_publishes_at_its_periods(vecand, recorder):
    mark = recorder.mark()
    time.sleep(9.3)
    for pgn in (BATTERY_STATUS, DC_DETAILED_STATUS):
        messages = peers.assemble(recorder.since(mark), pgn, vecand.address)
        assert 5 <= len(messages) <= 7, f"PGN {pgn}: {len(messages)} in 9.3 s, 1.5 s apart is 6"
        gaps = [b.time - a.time for a, b in zip(messages, messages[1:])]
        assert all(abs(gap - 1.5) < 0.25 for gap in gaps), f"PGN {pgn} gaps {gaps}"
    assert peers.assemble(recorder.since(mark), SWITCH_BANK_STATUS, vecand.address)


# Requests


@pytest.mark.parametrize("asker", [80, 254, 0])
@pytest.mark.parametrize("addressed", [True, False])
def test_answers_a_request_for_its_claim_to_everyone(vecand, recorder, sender, asker, addressed):
    mark = settled(recorder)
    sender.request(ADDRESS_CLAIM, vecand.address if addressed else 255, source=asker)
    answer = recorder.wait_for(lambda f: vecand.own_claim(f), 1, mark, "its claim")
    assert answer.destination == 255 and answer.source == PREFERRED_ADDRESS


def test_answers_the_information_requests(vecand, recorder, sender):
    address = vecand.address
    for asker in (80, 254, 0):
        mark = settled(recorder)
        for pgn in (PRODUCT_INFORMATION, CONFIGURATION_INFORMATION):
            sender.request(pgn, address, source=asker)
            vecand.wait_pgn(pgn, 2, mark)
        time.sleep(0.3)
        product = peers.assemble(recorder.since(mark), PRODUCT_INFORMATION, address)
        assert product and len(product[0].payload) == 134
        information = peers.assemble(recorder.since(mark), CONFIGURATION_INFORMATION, address)
        assert information, f"no 126998 for {asker}"
        body, strings = information[0].payload, 0
        while body:
            assert body[0] >= 2 and body[1] in (0, 1), f"not a string: {body.hex()}"
            body, strings = body[body[0] :], strings + 1
        assert strings == 3


def test_broadcast_request_for_product_information_is_met(vecand, recorder, sender):
    mark = settled(recorder)
    sender.request(PRODUCT_INFORMATION, 255)
    vecand.wait_pgn(PRODUCT_INFORMATION, 2, mark)


def test_pgn_list_sends_both_lists_to_the_asker(vecand, recorder, sender):
    mark = settled(recorder)
    sender.request(PGN_LIST, vecand.address)
    vecand.wait_pgn(PGN_LIST, 2, mark)
    time.sleep(0.5)
    lists = peers.assemble(recorder.since(mark), PGN_LIST, vecand.address)
    assert [m.payload[0] for m in lists] == [0, 1], "one list of what it sends, one of what it receives"
    assert all(m.destination == 80 for m in lists)
    sent = {int.from_bytes(lists[0].payload[i : i + 3], "little") for i in range(1, len(lists[0].payload), 3)}
    wanted = {60928, 126464, 126993, 126996, 126998, 127501, 127506, 127508}
    assert wanted <= sent, f"not in its list: {wanted - sent}"


def test_unknown_pgn_is_refused_to_the_asker_alone(vecand, recorder, sender):
    mark = settled(recorder)
    sender.request(130306, vecand.address)
    answer = vecand.wait_pgn(ISO_ACKNOWLEDGEMENT, 1, mark, destination=80)
    assert answer.data == bytes([1, 0xFF, 0xFF, 0xFF, 0xFF]) + (130306).to_bytes(3, "little")
    mark = settled(recorder)
    sender.request(130306, 255)
    recorder.expect_none(
        lambda f: f.pgn == ISO_ACKNOWLEDGEMENT and vecand.sent(f), 1, mark, "acknowledgement of a broadcast request"
    )


def test_heartbeat_cannot_be_asked_for_by_a_plain_request(vecand, recorder, sender):
    mark = settled(recorder)
    sender.request(HEARTBEAT, vecand.address)
    answer = vecand.wait_pgn(ISO_ACKNOWLEDGEMENT, 1, mark, destination=80)
    assert answer.data[0] == 1


@pytest.mark.parametrize("data", [b"", b"\x14", b"\x14\xf0"])
def test_short_request_is_ignored(vecand, recorder, sender, data):
    mark = settled(recorder)
    sender.send(peers.ISO_REQUEST, data, vecand.address)
    recorder.expect_none(
        lambda f: vecand.sent(f) and f.pgn in (ISO_ACKNOWLEDGEMENT, PRODUCT_INFORMATION, ADDRESS_CLAIM),
        1,
        mark,
        "answer to a request that names no PGN",
    )


def test_request_padded_to_eight_bytes_is_met(vecand, recorder, sender):
    mark = settled(recorder)
    sender.send(peers.ISO_REQUEST, PRODUCT_INFORMATION.to_bytes(3, "little") + b"\xff" * 5, vecand.address)
    vecand.wait_pgn(PRODUCT_INFORMATION, 2, mark)


# Contention


def moves(vecand, recorder, since):
    """Waits for the claim elsewhere and for battery status from there."""
    old = PREFERRED_ADDRESS
    claim = recorder.wait_for(
        lambda f: vecand.own_claim(f) and f.source not in (old, 254), 5, since, "a claim of another address"
    )
    status = recorder.wait_for(
        lambda f: f.pgn == BATTERY_STATUS and f.source == claim.source, 5, since, "127508 from the new address"
    )
    assert status.time - claim.time >= 0.25
    late = [
        f
        for f in recorder.since(since)
        if f.source == old and f.time > claim.time and f.pgn in (BATTERY_STATUS, DC_DETAILED_STATUS)
    ]
    assert not late, f"still speaks from the lost address:\n{peers.text(late)}"
    return claim


def test_j1939acd_with_a_lower_name_takes_its_address(vecand, recorder, interface, evidence):
    mark = recorder.mark()
    adversary = peers.J1939acd(interface, LOWER_NAME, str(PREFERRED_ADDRESS), evidence / "j1939acd.log", PREFERRED_ADDRESS)
    try:
        moves(vecand, recorder, mark)
    finally:
        adversary.stop()


def test_j1939acd_with_a_higher_name_does_not_move_it(vecand, recorder, interface, evidence):
    mark = recorder.mark()
    adversary = peers.J1939acd(interface, HIGHER_NAME, "35-36", evidence / "j1939acd.log", PREFERRED_ADDRESS)
    try:
        recorder.wait_for(
            lambda f: f.pgn == ADDRESS_CLAIM and f.data == HIGHER_NAME.to_bytes(8, "little"), 5, mark, "j1939acd's claim"
        )
        time.sleep(2)
        assert {c.source for c in vecand.claims(mark)} <= {PREFERRED_ADDRESS}
        assert vecand.wait_pgn(BATTERY_STATUS, 3, recorder.mark()).source == PREFERRED_ADDRESS
    finally:
        adversary.stop()


def test_can_j1939_with_a_lower_name_takes_its_address(vecand, recorder, interface):
    mark = recorder.mark()
    ecu = j1939.ElectronicControlUnit()
    ecu.connect(interface="socketcan", channel=interface)
    try:
        ecu.add_ca(name=j1939.Name(value=LOWER_NAME), device_address=PREFERRED_ADDRESS).start()
        moves(vecand, recorder, mark)
    finally:
        ecu.disconnect()
        ecu.stop()


def test_raw_lower_name_moves_it_and_several_losses_in_a_row(vecand, recorder, sender):
    taken = set()
    for _ in range(5):
        mark = recorder.mark()
        lost = vecand.address
        taken.add(lost)
        sender.claim(LOWER_NAME, source=lost)
        claim = recorder.wait_for(
            lambda f: vecand.own_claim(f) and f.source not in taken | {254}, 3, mark, "a claim of a free address"
        )
        assert claim.source <= 251
    vecand.wait_pgn(BATTERY_STATUS, 5, recorder.mark())


def test_raw_higher_name_is_answered_with_its_claim(vecand, recorder, sender):
    mark = settled(recorder)
    sender.claim(HIGHER_NAME, source=PREFERRED_ADDRESS)
    answer = recorder.wait_for(vecand.own_claim, 1, mark, "its defending claim")
    assert answer.source == PREFERRED_ADDRESS
    recorder.expect_none(
        lambda f: vecand.own_claim(f) and f.source != PREFERRED_ADDRESS, 1, mark, "claim of another address"
    )


def test_its_own_claim_echoed_is_no_conflict(vecand, recorder, sender):
    mark = settled(recorder)
    for _ in range(20):
        sender.claim(vecand.name, source=PREFERRED_ADDRESS)
    time.sleep(2)
    answers = len(vecand.claims(mark)) - 20
    assert answers <= 2, f"{answers} answers to 20 echoes make a storm:\n{peers.text(vecand.claims(mark))}"
    assert vecand.wait_pgn(BATTERY_STATUS, 3, recorder.mark()).source == PREFERRED_ADDRESS


# Commanded address and the transport protocol


def test_commanded_address_by_j1939cat_moves_it(vecand, recorder, interface, temporary):
    payload = vecand.name.to_bytes(8, "little") + bytes([66])
    mark = recorder.mark()
    peers.j1939cat(interface, 0x50, 0xFF, COMMANDED_ADDRESS, payload, temporary)
    assert moves(vecand, recorder, mark).source == 66


def test_commanded_address_by_can_j1939_moves_it(vecand, recorder, interface):
    mark = recorder.mark()
    ecu = j1939.ElectronicControlUnit()
    ecu.connect(interface="socketcan", channel=interface)
    try:
        application = ecu.add_ca(name=j1939.Name(value=peers.iso_name(77)), device_address=60)
        application.start()
        deadline = time.monotonic() + 5
        while application.state != j1939.ControllerApplication.State.NORMAL and time.monotonic() < deadline:
            time.sleep(0.05)
        application.send_pgn(0, 0xFE, 0xD8, 6, list(vecand.name.to_bytes(8, "little") + bytes([67])))
        assert moves(vecand, recorder, mark).source == 67
    finally:
        ecu.disconnect()
        ecu.stop()


@pytest.mark.parametrize("case", ["another NAME", "address 252", "address 255", "fast packet", "single frame"])
def test_commanded_address_that_does_not_move_it(vecand, recorder, sender, interface, temporary, case):
    name = vecand.name.to_bytes(8, "little")
    mark = settled(recorder)
    if case == "another NAME":
        peers.j1939cat(interface, 0x50, 0xFF, COMMANDED_ADDRESS, peers.iso_name(1).to_bytes(8, "little") + b"\x42", temporary)
    elif case.startswith("address"):
        new = int(case.split()[1])
        peers.j1939cat(interface, 0x50, 0xFF, COMMANDED_ADDRESS, name + bytes([new]), temporary)
    elif case == "fast packet":
        sender.fast(COMMANDED_ADDRESS, name + b"\x42")
    else:
        sender.send(COMMANDED_ADDRESS, name)
    time.sleep(1.5)
    assert {c.source for c in vecand.claims(mark)} <= {PREFERRED_ADDRESS}
    assert vecand.wait_pgn(BATTERY_STATUS, 3, recorder.mark()).source == PREFERRED_ADDRESS


def test_group_function_request_by_rts_cts(vecand, recorder, interface, temporary):
    # 126208 request of 126996, "send now": 11 bytes, which the kernel sends by RTS/CTS.
    request = b"\x00" + PRODUCT_INFORMATION.to_bytes(3, "little") + b"\xff\xff\xff\xff\xff\xff\x00"
    mark = settled(recorder)
    peers.j1939cat(interface, 0x50, vecand.address, GROUP_FUNCTION, request, temporary)
    from_it = [f.data[0] for f in recorder.since(mark) if f.pgn == TP_CONTROL and vecand.sent(f)]
    assert from_it[:1] == [17] and 19 in from_it, f"expected CTS (17) and end (19), saw {from_it}"
    recorder.wait_for(
        lambda f: vecand.sent(f) and f.pgn in (PRODUCT_INFORMATION, TP_CONTROL) and f.data[:1] != b"\x11",
        2,
        mark,
        "product information",
    )


def test_transport_that_never_completes_is_given_up(vecand, recorder, sender):
    mark = settled(recorder)
    rts = struct.pack("<BHBB", 16, 20, 3, 0xFF) + GROUP_FUNCTION.to_bytes(3, "little")
    sender.send(TP_CONTROL, rts, vecand.address, priority=7)
    vecand.wait_pgn(TP_CONTROL, 1, mark, destination=80)
    sender.send(TP_DATA, bytes([1]) + b"\0" * 7, vecand.address, priority=7)
    abort = recorder.wait_for(
        lambda f: f.pgn == TP_CONTROL and vecand.sent(f) and f.data[0] == 255, 4, mark, "an abort after 1.25 s"
    )
    assert abort.data[1] == 3, "reason 3: time-out"


# Group function


def test_command_of_unknown_pgn_is_acknowledged_with_an_error(vecand, recorder, sender):
    mark = settled(recorder)
    command = b"\x01" + (130306).to_bytes(3, "little") + bytes([0xF8, 1, 1, 0])
    sender.fast(GROUP_FUNCTION, command, 1, vecand.address)
    vecand.wait_pgn(GROUP_FUNCTION, 2, mark, destination=80)
    time.sleep(0.2)
    answer = peers.assemble(recorder.since(mark), GROUP_FUNCTION, vecand.address)[0].payload
    assert answer[:5] == b"\x02" + (130306).to_bytes(3, "little") + b"\x01", answer.hex()
    assert answer[5] == 1 and answer[6] == 0xF0, "one parameter, error 0"


def test_group_functions_to_everyone_are_never_refused(vecand, recorder, sender):
    mark = settled(recorder)
    for code in (0, 1, 3, 5):
        payload = bytes([code]) + (130306).to_bytes(3, "little") + bytes([0xF8, 1, 1, 0, 0, 0, 0])
        sender.fast(GROUP_FUNCTION, payload, code)
    recorder.expect_none(lambda f: f.pgn == GROUP_FUNCTION and vecand.sent(f), 1, mark, "answer to a broadcast")
