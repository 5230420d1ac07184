"""A contactor on a switching module (design section 4): commanded by 126208, believed by its 127501."""

from __future__ import annotations

import time

import peers
from peers import CCL
from switching import ATC, ATD, CONTACTOR, PRECHARGE, WIRING, SwitchModule

LEAD = 2.0  # R76: ATC opens first, the contactor follows


def test_precharge_comes_before_the_contactor(closed: peers.Vecand, module: SwitchModule):
    ons = [number for _, number, wanted in module.commands if wanted]
    assert ons.index(PRECHARGE) < ons.index(CONTACTOR) < min(ons.index(ATC), ons.index(ATD))
    module.wait(PRECHARGE, False, 3, "the pre-charge switch opens")


def test_a_high_cell_opens_atc_and_not_the_contactor(closed: peers.Vecand, module: SwitchModule, battery: peers.Battery):
    battery.set_cells(3.30, 3.76)
    module.wait(ATC, False, 1, "ATC opens")
    time.sleep(1)
    assert module.on[CONTACTOR] and module.on[ATD]


def test_leaving_opens_atc_then_the_contactor(closed: peers.Vecand, module: SwitchModule):
    closed.process.terminate()
    module.wait(CONTACTOR, False, 15, "the contactor opens")
    off = {number: stamp for stamp, number, wanted in module.commands if not wanted}
    lead = off[CONTACTOR] - off[ATC]
    assert LEAD - 0.1 <= lead <= LEAD + 4, f"the contactor opened {lead:.2f} s after ATC"


def test_a_module_that_pretends_is_told_and_nothing_is_allowed(
    battery: peers.Battery, module: SwitchModule, make_vecand
):
    module.pretends = {CONTACTOR}
    vecand = make_vecand(peers.INPUTS + WIRING)
    vecand.wait_said("E-B26", 30)
    vecand.wait_register(CCL, lambda value: value in (0, peers.NOT_AVAILABLE_U32), 7, vecand.recorder.mark(), "no charge")
    assert not module.on[CONTACTOR] and not module.on[ATC]


def test_a_module_that_refuses_is_told(battery: peers.Battery, module: SwitchModule, make_vecand):
    module.refuses = {ATD}
    vecand = make_vecand(peers.INPUTS + WIRING)
    vecand.wait_said("V-B41", 30)
    module.refuses = set()
    module.wait(ATD, True, 10, "discharging is allowed once the module takes it")
