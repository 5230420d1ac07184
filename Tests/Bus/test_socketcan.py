"""The Swift tests of SocketCAN, which `swift test` can only skip where the kernel has no CAN.

They make a controller from the kernel's serial line driver (slcan) on a pseudo terminal: there bitrate, error states,
bus-off and a full transmit queue are the kernel's own.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(170)
def test_swift_tests_on_this_kernel(interface):
    bundle = REPOSITORY / ".build/debug/vecandPackageTests.xctest"
    assert bundle.exists(), f"{bundle} is missing: swift build --build-tests"
    environment = os.environ | {"VECAND_TEST_INTERFACE": interface, "SWIFT_BACKTRACE": "enable=no"}
    run = subprocess.run(
        [str(bundle), "--testing-library", "swift-testing", "--filter", "SocketCANTests"],
        env=environment, capture_output=True, text=True, timeout=160,
    )
    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-6000:]
    passed = re.search(r"Test run with (\d+) tests? in \d+ suites? passed", output)
    assert passed and int(passed[1]) >= 28, f"fewer tests than there are:\n{output[-3000:]}"
    assert "skipped" not in output, "a test was skipped on a kernel that has CAN:\n" + "\n".join(
        line for line in output.splitlines() if "skipped" in line
    )
