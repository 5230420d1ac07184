"""The interface goes away and comes back; the daemon ends on purpose."""

from __future__ import annotations

import signal
import time

import peers
from peers import BATTERY_STATUS, CCL, CVL, DCL, NOT_AVAILABLE_U32


def is_back(vecand, recorder, mark, name, address):
    claim = recorder.wait_for(vecand.own_claim, 10, mark, "its claim after the interface came back")
    assert (int.from_bytes(claim.data, "little"), claim.source) == (name, address)
    recorder.wait_for(
        lambda f: f.pgn == BATTERY_STATUS and f.source == address, 5, mark, "127508 after the interface came back"
    )


def test_down_up_delete_add(vecand, recorder, interface):
    name, address = vecand.name, vecand.address
    pid = vecand.process.pid
    # The alarms of the battery that is not there come once, some seconds after the start: not to be counted below.
    vecand.wait_said("Battery current lost")
    vecand.wait_said("discharge forbidden: waiting for the first complete data")

    for leave, come in (
        ([("set", interface, "down")], [("set", interface, "up")]),
        ([("delete", interface)], [("add", interface, "type", "vcan"), ("set", interface, "up")]),
    ):
        before = len(vecand.log_lines())
        cpu = vecand.cpu_seconds()
        for command in leave:
            peers.ip(*command)
        time.sleep(4)
        vecand.assert_alive()
        assert vecand.cpu_seconds() - cpu < 0.4, "spins while there is no bus"
        said = [line for line in vecand.log_lines()[before:] if f" {interface}: " in line]
        assert len(said) == len(leave) + (leave[0][0] == "delete"), f"expected one report of {leave}, the log says:\n" + "\n".join(said)
        mark = recorder.mark()
        before = len(vecand.log_lines())
        for command in come:
            peers.ip(*command)
        is_back(vecand, recorder, mark, name, address)
        said = vecand.log_lines()[before:]
        assert 1 <= len(said) <= 6, f"expected one report of {come}, the log says:\n" + "\n".join(said)
    assert vecand.process.pid == pid


def test_limits_come_back_with_the_interface(fed_vecand, battery, recorder, interface):
    battery.silence()
    peers.ip("set", interface, "down")
    time.sleep(7)
    mark = recorder.mark()
    peers.ip("set", interface, "up")
    first = recorder.wait_for(lambda f: f.register == CCL, 5, mark, "a CCL after the gap")
    assert first.register_value == 0, f"limits from before the gap are repeated: {first}"
    battery.speak()
    fed_vecand.wait_limits_given(15, recorder.mark())


def test_starts_while_the_interface_is_down(make_vecand, recorder, interface):
    peers.ip("set", interface, "down")
    vecand = make_vecand()
    time.sleep(2)
    vecand.assert_alive()
    peers.ip("set", interface, "up")
    vecand.wait_running()


def test_sigterm_withdraws_limits_and_leaves(fed_vecand, recorder):
    address = fed_vecand.address
    mark = recorder.mark()
    fed_vecand.signal(signal.SIGTERM)
    assert fed_vecand.process.wait(5) == 0
    time.sleep(0.3)
    frames = recorder.since(mark)
    for register, wanted in ((CCL, 0), (DCL, 0), (CVL, NOT_AVAILABLE_U32)):
        last = [f for f in frames if f.register == register and f.source == address]
        assert last and last[-1].register_value == wanted, f"last {peers.LIMITS[register]}:\n{peers.text(last)}"
    withdrawn = max(f.time for f in frames if f.register in (CCL, DCL, CVL) and f.source == address)
    allowing = [
        f
        for f in frames
        if f.time > withdrawn and ((not f.extended and f.identifier == 0x351) or f.pgn == BATTERY_STATUS)
        and f.source in (address, 0x51)
    ]
    assert not allowing, f"sent after it withdrew its limits:\n{peers.text(allowing)}"
    claims = [f for f in frames if fed_vecand.own_claim(f) and f.time > withdrawn]
    assert all(f.source == 254 for f in claims), f"a claim at the end must be cannot-claim:\n{peers.text(claims)}"
    recorder.expect_none(lambda f: f.source == address and f.extended, 3, recorder.mark(), "frame of a daemon that left")


def test_second_sigterm_does_not_hurt_and_a_start_follows(fed_vecand, recorder):
    fed_vecand.signal(signal.SIGTERM)
    fed_vecand.signal(signal.SIGTERM)
    fed_vecand.process.wait(5)
    fed_vecand.start()
    fed_vecand.wait_running()
    fed_vecand.wait_limits_given()
