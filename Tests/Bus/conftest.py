"""Fixtures: a vcan interface, a recorder, a candump, a battery and a daemon for each test that asks for them."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

import peers
import stillness
from switching import ATC, ATD, CONTACTOR, WIRING, SwitchModule

_numbers = itertools.count()

# A test is run again, so often at most, when the machine stood still while it failed: that says nothing of the daemon.
TRIES = 3
_witness: stillness.Stillness | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    global _witness
    _witness = stillness.Stillness()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _witness:
        _witness.end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Function, nextitem: pytest.Item | None) -> bool:
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for number in range(1, TRIES + 1):
        begin = time.monotonic()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        pause = _witness.longest(begin)
        if number == TRIES or pause == 0 or not any(report.failed for report in reports):
            break
        why = next(report.longreprtext for report in reports if report.failed)
        print(f"\n{item.nodeid} is run again: the machine stood still for {1000 * pause:.0f} ms while it failed:\n{why}")
        item._initrequest()
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Path:
    """A folder that stays after the test: candump log, the daemon's log and configuration."""
    name = request.node.nodeid.replace("/", ".").replace("::", ".").replace(" ", "_")
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    folder = Path(os.environ["BUS_SCRATCH"]) / "evidence" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A short path on a real file system for sockets and the state directory."""
    with tempfile.TemporaryDirectory(dir=os.environ["BUS_TEMP"]) as folder:
        yield Path(folder)


@pytest.fixture
def interface() -> Iterator[str]:
    """A virtual CAN interface that no other test has touched. Takes FD frames, so that tests can send some.

    It is set down afterwards, not deleted: a kernel that leaks a J1939 reference (6.1 does) waits for ever in
    "unregister_netdevice". It goes with its namespace or with user-mode Linux.
    """
    name = f"vcan{next(_numbers)}"
    peers.ip("add", name, "type", "vcan")
    peers.ip("set", name, "mtu", "72", "up")
    yield name
    peers.ip("set", name, "down", check=False)


# What the recorder hears in a test marked `flood`: claims, registers to everyone, battery status, 11-bit limits.
# The kernel keeps the rest from this process, which would otherwise starve the daemon of a single CPU.
FLOOD_FILTERS = [
    {"can_id": peers.ADDRESS_CLAIM << 8, "can_mask": 0x3FF0000, "extended": True},
    {"can_id": peers.PROPRIETARY << 8 | 0xFF00, "can_mask": 0x3FFFF00, "extended": True},
    {"can_id": peers.BATTERY_STATUS << 8, "can_mask": 0x3FFFF00, "extended": True},
    {"can_id": peers.PRODUCT_INFORMATION << 8, "can_mask": 0x3FFFF00, "extended": True},
    {"can_id": 0x351, "can_mask": 0x7FF, "extended": False},
]


@pytest.fixture
def recorder(request: pytest.FixtureRequest, interface: str, evidence: Path) -> Iterator[peers.Recorder]:
    if request.node.get_closest_marker("flood"):
        recorder = peers.Recorder(interface, FLOOD_FILTERS)
        yield recorder
        recorder.stop()
        return
    candump = peers.Candump(interface, evidence / "candump.log")
    recorder = peers.Recorder(interface)
    yield recorder
    recorder.stop()
    candump.stop()


@pytest.fixture
def sender(interface: str) -> Iterator[peers.Sender]:
    sender = peers.Sender(interface, address=80)
    yield sender
    sender.stop()


@pytest.fixture
def battery(interface: str, recorder: peers.Recorder) -> Iterator[peers.Battery]:
    battery = peers.Battery(interface)
    yield battery
    battery.stop()


@pytest.fixture
def make_vecand(
    interface: str, recorder: peers.Recorder, evidence: Path, temporary: Path
) -> Iterator[Callable[..., peers.Vecand]]:
    """Starts daemons; `inputs` is the configuration's [inputs] part."""
    binary = os.environ["VECAND_BIN"]
    made: list[peers.Vecand] = []

    def make(inputs: str = peers.INPUTS) -> peers.Vecand:
        if not os.access(binary, os.X_OK):
            pytest.fail(f"no vecand at {binary}: build it (swift build) or set VECAND_BIN", pytrace=False)
        vecand = peers.Vecand(binary, interface, recorder, evidence, temporary, inputs)
        made.append(vecand)
        return vecand.start()

    yield make
    for vecand in made:
        vecand.close()
    peers.assert_cvl_never_zero(recorder.frames)


@pytest.fixture
def vecand(make_vecand: Callable[..., peers.Vecand]) -> peers.Vecand:
    """A daemon that has claimed and publishes, with the battery's inputs configured but no battery on the bus."""
    vecand = make_vecand()
    vecand.wait_running()
    return vecand


@pytest.fixture
def fed_vecand(battery: peers.Battery, vecand: peers.Vecand) -> peers.Vecand:
    """A daemon with a healthy battery: limits are given."""
    vecand.wait_limits_given()
    return vecand


@pytest.fixture
def module(interface: str, recorder: peers.Recorder) -> Iterator[SwitchModule]:
    module = SwitchModule(interface)
    yield module
    module.stop()


@pytest.fixture
def closed(battery: peers.Battery, module: SwitchModule, make_vecand) -> peers.Vecand:
    """A daemon that has closed the contactor."""
    vecand = make_vecand(peers.INPUTS + WIRING)
    module.wait(CONTACTOR, True, 20, "the contactor closes")
    module.wait(ATC, True, 5, "charging is allowed")
    module.wait(ATD, True, 5, "loads are allowed")
    return vecand
