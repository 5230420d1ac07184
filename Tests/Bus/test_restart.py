"""What a run leaves to the next (R24, R29, R50), and what the daemon says of its decisions."""

from __future__ import annotations

import signal
import time

import peers
from switching import CONTACTOR, PRECHARGE, WIRING, SwitchModule


def test_a_killed_daemon_comes_back_to_a_contactor_that_stays_closed(
    battery: peers.Battery, interface: str, recorder: peers.Recorder, make_vecand
):
    module = SwitchModule(interface)
    try:
        vecand = make_vecand(peers.INPUTS + WIRING)
        module.wait(CONTACTOR, True, 20, "the contactor closes")
        vecand.wait_said("charge and discharge allowed", 10)
        time.sleep(2.5)  # a decision is stored within a second
        vecand.signal(signal.SIGKILL)
        vecand.process.wait(5)
        commands = len(module.commands)
        vecand.start()
        vecand.wait_said("restored, contactor closed", 10)
        end = time.monotonic() + 8
        while time.monotonic() < end:
            assert module.on[CONTACTOR], f"opened: {module.commands[commands:]}"
            time.sleep(0.02)
        news = module.commands[commands:]
        assert not [c for c in news if c[1] == CONTACTOR or (c[1] == PRECHARGE and c[2])], news

        # What was damaged forbids and is not replaced by a new state.
        vecand.signal(signal.SIGKILL)
        vecand.process.wait(5)
        state = vecand.state / "state.json"
        damaged = state.read_bytes().replace(b'"mode":3', b'"mode":4')
        assert damaged != state.read_bytes()
        state.write_bytes(damaged)
        vecand.start()
        vecand.wait_said("state.json is damaged: its checksum is wrong", 10)
        vecand.wait_said("raised E-B119", 10)
        module.wait(CONTACTOR, False, 15, "the contactor opens")
        assert state.read_bytes() == damaged
    finally:
        module.stop()


def test_each_protective_change_is_in_the_log_once_with_its_reason(fed_vecand: peers.Vecand, battery: peers.Battery):
    vecand = fed_vecand
    vecand.wait_said("charge and discharge allowed: nothing forbids it", 10)
    battery.set_cells(3.30, 3.76)
    vecand.wait_said("warning: charge forbidden", 5)
    vecand.signal(signal.SIGUSR1)
    vecand.wait_said("why: check ", 5)
    time.sleep(1)
    lines = vecand.log_lines()
    forbidden = [line for line in lines if "charge forbidden: highest cell at 3.76 V, until every cell is below 3.6 V" in line]
    assert len(forbidden) == 2, forbidden  # the change, and the answer to the question
    assert " since " in forbidden[1] and "why: " in forbidden[1]
    for word in ("why: discharge allowed", "why: CVL", "why: CCL 0 A", "why: mode On", "why: state", "why: contactor"):
        assert [line for line in lines if word in line], f"no {word} in the answer"
    battery.set_cells(3.30, 3.40)
    vecand.wait_said("notice: charge allowed: nothing forbids it", 5)
