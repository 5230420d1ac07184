"""The harness itself: the fixtures and peers do what the other tests rely on. Needs no daemon."""

from __future__ import annotations

import subprocess
import threading
import time

import can
import j1939
import pytest

import peers
from peers import ADDRESS_CLAIM, BATTERY_STATUS, DC_DETAILED_STATUS, PRODUCT_INFORMATION, SWITCH_BANK_STATUS


def test_worked_example_of_a_name():
    # unique 9, maker 2046, function 170, class 35: NAME C046AA00FFC00009 (checked with five peers).
    assert peers.iso_name(9, manufacturer=2046) == 0xC046AA00FFC00009


def test_identifiers_are_split_by_pdu_format():
    addressed = peers.Frame(0, peers.identifier(peers.ISO_REQUEST, 254, 35), b"")
    assert (addressed.pgn, addressed.source, addressed.destination, addressed.priority) == (59904, 254, 35, 6)
    to_all = peers.Frame(0, peers.identifier(PRODUCT_INFORMATION, 35, 80), b"")
    assert (to_all.pgn, to_all.destination) == (126996, 255)


def test_recorder_has_kernel_time_stamps_in_order(recorder, sender):
    before = time.time()
    for number in range(50):
        sender.raw(0x18FF0000 + number, bytes([number]))
    recorder.wait_for(lambda f: f.identifier == 0x18FF0000 + 49, 2)
    times = [frame.time for frame in recorder.frames]
    assert times == sorted(times) and len(times) == 50
    assert before - 0.01 <= times[0] <= times[-1] <= time.time() + 0.01


def test_recorder_that_is_behind_loses_nothing(recorder, sender):
    with recorder.paused():
        for number in range(3000):
            sender.raw(0x18FF0000 + number, bytes([number & 0xFF]))
    recorder.wait_for(lambda f: f.identifier == 0x18FF0000 + 2999, 20)
    assert [frame.identifier - 0x18FF0000 for frame in recorder.frames] == list(range(3000))


def test_a_frame_that_was_sent_in_time_counts_in_a_recorder_that_is_behind(recorder, sender):
    held = threading.Event()

    def hold() -> None:
        with recorder.paused():
            held.set()
            time.sleep(1)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    sender.raw(0x18FF0001)
    recorder.wait_for(lambda f: f.identifier == 0x18FF0001, 0.4)
    holder.join()


def test_a_frame_that_was_sent_late_does_not_count_for_a_reader_that_is_behind(recorder, sender):
    sender.raw(0x18FF0001)

    def slow(frame: peers.Frame) -> bool:
        if frame.identifier == 0x18FF0001:
            time.sleep(0.5)
            sender.raw(0x18FF0002)
            while not any(f.identifier == 0x18FF0002 for f in recorder.kept(0)):
                time.sleep(0.01)
        return frame.identifier == 0x18FF0002

    with pytest.raises(AssertionError, match="expected within 0.4 s"):
        recorder.wait_for(slow, 0.4)


def test_recorder_keeps_kinds_apart(recorder, sender, interface):
    sender.raw(0x123, b"\x01", extended=False)
    sender.raw(0x19F21410, remote=True, length=8)
    subprocess.run(["cansend", interface, "20000040#0000000000000000"], check=True)
    recorder.wait_for(lambda f: f.error, 2, what="the error frame")
    kinds = [(f.extended, f.remote, f.error, f.pgn) for f in recorder.frames]
    assert kinds[:2] == [(False, False, False, None), (True, True, False, None)]
    assert kinds[2][2:] == (True, None)


def test_candump_keeps_what_the_recorder_saw(recorder, sender, evidence):
    sender.send(BATTERY_STATUS, bytes.fromhex("002805640083721c"), source=70)
    recorder.wait_for(lambda f: f.pgn == BATTERY_STATUS, 2)
    time.sleep(0.3)
    log = (evidence / "candump.log").read_text()
    assert "19F21446#002805640083721C" in log


def test_recorder_survives_down_up_delete_add(recorder, sender, interface):
    peers.ip("set", interface, "down")
    time.sleep(0.3)
    peers.ip("set", interface, "up")
    sender.raw(0x18FF0001)
    recorder.wait_for(lambda f: f.identifier == 0x18FF0001, 2, what="a frame after down and up")
    peers.ip("delete", interface)
    time.sleep(0.3)
    peers.ip("add", interface, "type", "vcan")
    peers.ip("set", interface, "up")
    time.sleep(0.3)
    again = peers.Sender(interface)
    again.raw(0x18FF0002)
    again.stop()
    recorder.wait_for(lambda f: f.identifier == 0x18FF0002, 2, what="a frame after delete and add")


def test_a_missing_frame_is_reported_with_what_was_seen(recorder, sender):
    sender.request(PRODUCT_INFORMATION)
    with pytest.raises(AssertionError, match=r"expected within 0.3 s: a claim\nseen:\n.*request for 126996"):
        recorder.wait_for(lambda f: f.pgn == ADDRESS_CLAIM, 0.3, what="a claim")


def test_fast_packets_are_cut_and_joined():
    payload = bytes(range(134))
    frames = [
        peers.Frame(0, peers.identifier(PRODUCT_INFORMATION, 70), data) for data in peers.fast_packet(payload, 3)
    ]
    assert len(frames) == 20 and frames[0].data[:2] == bytes([0x60, 134])
    assert [m.payload for m in peers.assemble(frames, PRODUCT_INFORMATION)] == [payload]
    assert peers.assemble(frames[:-1], PRODUCT_INFORMATION) == []


def test_battery_is_read_alike_by_both_lineages(recorder, battery):
    recorder.wait_for(lambda f: f.pgn == BATTERY_STATUS, 3)
    time.sleep(0.3)
    frames = recorder.frames
    reading = peers.read_nmea2000(frames, BATTERY_STATUS, 70)[0]
    assert reading["voltage"] == pytest.approx(13.20) and reading["current"] == pytest.approx(10.0)
    assert reading["temperature"] == pytest.approx(293.15)
    status = peers.read_n2k(frames, BATTERY_STATUS, 70)[0]
    assert status.battery_voltage == pytest.approx(13.20) and status.battery_current == pytest.approx(10.0)
    assert status.battery_temperature == pytest.approx(293.15)
    assert status.sid == reading["sid"] and status.battery_instance == reading["instance"] == 0
    detailed = peers.read_nmea2000(frames, DC_DETAILED_STATUS, 70)[0]
    assert detailed["stateOfCharge"] == 80 and detailed["stateOfHealth"] == 99, detailed
    other = peers.read_n2k(frames, DC_DETAILED_STATUS, 70)[0]
    assert other.state_of_charge == 80 and other.capacity == 160 * 3600


def test_switch_bank_is_read_alike_by_both_lineages(recorder, sender):
    sender.send(SWITCH_BANK_STATUS, bytes.fromhex("0005ffffffffffff"), source=70)
    frame = recorder.wait_for(lambda f: f.pgn == SWITCH_BANK_STATUS, 2)
    ours = [peers.indicator(frame, k) for k in range(1, 29)]
    assert ours == [1, 1, 0, 0] + [3] * 24
    reading = peers.read_nmea2000([frame], SWITCH_BANK_STATUS, 70)[0]
    assert [reading[f"indicator{k}"] for k in range(1, 29)] == ours
    bank = peers.read_n2k([frame], SWITCH_BANK_STATUS, 70)[0].bank_status
    assert [bank >> 2 * k & 3 for k in range(28)] == ours


def test_battery_answers_and_defends(recorder, battery, sender):
    mark = recorder.mark()
    sender.request(ADDRESS_CLAIM, source=254)
    recorder.wait_for(lambda f: f.pgn == ADDRESS_CLAIM and f.source == 70, 2, mark, "the battery's claim")
    sender.request(PRODUCT_INFORMATION, destination=70)
    recorder.wait_for(lambda f: f.pgn == PRODUCT_INFORMATION and f.data[0] & 31 == 19, 2, mark)
    assert len(peers.assemble(recorder.since(mark), PRODUCT_INFORMATION)[0].payload) == 134
    mark = recorder.mark()
    sender.claim(battery.name + 1, source=70)
    answer = recorder.wait_for(lambda f: f.pgn == ADDRESS_CLAIM and f.data == battery.name.to_bytes(8, "little"), 2, mark)
    assert answer.source == 70
    mark = recorder.mark()
    sender.claim(battery.name - 1, source=70)
    answer = recorder.wait_for(lambda f: f.pgn == ADDRESS_CLAIM and f.data == battery.name.to_bytes(8, "little"), 2, mark)
    assert answer.source == 71


def test_cell_frame_is_found_with_its_time(recorder, battery):
    mark = recorder.mark()
    data = battery.set_cells(3.29, 3.76)
    frame = recorder.wait_for(lambda f: f.data == data, 2, mark)
    assert frame.register == peers.CELL_EXTREMES
    assert frame.data.hex() == "669985034901" + "7801"


def test_j1939acd_takes_an_address_from_a_higher_name(recorder, sender, interface, evidence):
    victim = peers.iso_name(2000)
    lower = peers.iso_name(100)
    sender.claim(victim, source=35)
    mark = recorder.mark()
    adversary = peers.J1939acd(interface, lower, "35", evidence / "j1939acd.log", start=35)
    try:
        request = recorder.wait_for(lambda f: f.pgn == peers.ISO_REQUEST, 3, mark, "j1939acd's request for claims")
        sender.claim(victim, source=35)
        claim = recorder.wait_for(
            lambda f: f.pgn == ADDRESS_CLAIM and f.data == lower.to_bytes(8, "little") and f.source == 35,
            5,
            mark,
            "j1939acd's claim of 35",
        )
        assert request.source == 254 and request.time < claim.time
    finally:
        adversary.stop()


def test_j1939cat_sends_bam(recorder, interface, temporary):
    payload = peers.iso_name(4711).to_bytes(8, "little") + bytes([66])
    peers.j1939cat(interface, 0x50, 0xFF, peers.COMMANDED_ADDRESS, payload, temporary)
    announcement = recorder.wait_for(lambda f: f.pgn == peers.TP_CONTROL, 2, what="the BAM")
    assert announcement.data == bytes([32, 9, 0, 2, 0xFF, 0xD8, 0xFE, 0])
    recorder.wait_for(lambda f: f.pgn == peers.TP_DATA and f.data[0] == 2, 2, what="its second packet")
    packets = [f.data[1:] for f in recorder.frames if f.pgn == peers.TP_DATA]
    assert b"".join(packets)[:9] == payload


def test_can_j1939_claims_and_sends_bam(recorder, interface):
    name = j1939.Name(value=peers.iso_name(77))
    ecu = j1939.ElectronicControlUnit()
    ecu.connect(interface="socketcan", channel=interface)
    try:
        application = ecu.add_ca(name=name, device_address=60)
        application.start()
        recorder.wait_for(lambda f: f.pgn == ADDRESS_CLAIM and f.source == 60, 3, what="can-j1939's claim")
        time.sleep(0.5)
        application.send_pgn(0, 0xFE, 0xD8, 6, list(peers.iso_name(4711).to_bytes(8, "little") + bytes([67])))
        announcement = recorder.wait_for(lambda f: f.pgn == peers.TP_CONTROL, 3, what="can-j1939's BAM")
        assert announcement.data[0] == 32 and announcement.data[5:8] == b"\xd8\xfe\x00"
    finally:
        ecu.disconnect()
        ecu.stop()


def test_cangen_floods(recorder, interface):
    subprocess.run(["cangen", interface, "-g", "0", "-n", "2000", "-e"], check=True, timeout=60)
    time.sleep(0.3)
    assert recorder.mark() > 100


def test_fd_frames_do_not_reach_classic_sockets(recorder, sender, interface):
    subprocess.run(["cansend", interface, "1234ABCD##100112233445566778899AABB"], check=True)
    sender.raw(0x18FF0003)
    recorder.wait_for(lambda f: f.identifier == 0x18FF0003, 2)
    assert [f.identifier for f in recorder.frames] == [0x18FF0003]
    assert isinstance(recorder.frames[0].time, float) and can.__version__
