from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control import Demo


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a socket's has at most 107 bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="vecand-") as path:
        yield Path(path)


@pytest.fixture
def make_demo(folder: Path) -> Iterator[Callable[..., Demo]]:
    binary = os.environ["VECAND_BIN"]
    if not os.access(binary, os.X_OK):
        pytest.fail(f"no vecand at {binary}: build it (swift build) or set VECAND_BIN", pytrace=False)
    made: list[Demo] = []

    def make(*options: str, name: str = "control.sock") -> Demo:
        made.append(Demo(binary, folder, *options, name=name))
        return made[-1]

    yield make
    for demo in made:
        demo.stop()


@pytest.fixture
def demo(make_demo: Callable[..., Demo]) -> Demo:
    return make_demo().wait_ready()
