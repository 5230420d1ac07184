"""A bus that carries all it can, and the limits that must get through: the short form of Tests/Bus/latency."""

from __future__ import annotations

import pytest

import latency


@pytest.mark.flood
def test_on_a_full_bus_no_measurement_is_missed_and_no_limit_late(fed_vecand, battery, recorder, interface, evidence):
    tries = []
    for _ in range(3):  # one that a busy machine does not disturb is enough for the times; a miss is never allowed
        outcome, rate = latency.measure(interface, battery, fed_vecand, recorder, 4)
        tries.append((round(rate), outcome.figures()))
        (evidence / "latency.txt").write_text("".join(f"{line}\n" for line in tries))
        assert outcome.missed == 0, tries
        if outcome.worst <= latency.AT_ONCE and rate > 0.9 * latency.FULL:
            return
    raise AssertionError(f"{1000 * latency.AT_ONCE:.0f} ms allowed on {latency.FULL} frames a second: {tries}")
