"""One machine for all tests, which tell one story in the order of the file: install, serve, survive, upgrade, remove."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

import machine

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    report = outcome.get_result()
    vm = item.funcargs.get("vm")
    if report.when == "call" and report.failed and vm is not None:
        # What the machine itself says goes with the failure.
        try:
            report.sections.append(("journal", vm.try_run("journalctl -b --no-pager -o short-monotonic | tail -60")[1]))
            report.sections.append(("plant", vm.try_run("grep -v true_soc /run/plant.jsonl | tail -n 30; tail -n 1 /run/plant.jsonl")[1]))
        except (machine.Failed, OSError) as error:
            report.sections.append(("machine", str(error)))


@pytest.fixture(scope="session")
def packages(tmp_path_factory) -> list[pathlib.Path]:
    """The package of what was built, and a second version: the same programs that call themselves 0.1.1."""
    programs = pathlib.Path(os.environ.get("VECAND_BIN", REPOSITORY / ".build/release/vecand")).parent
    second = tmp_path_factory.mktemp("programs")
    version = subprocess.run([programs / "vecand", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    newer = f"{version[:-1]}{int(version[-1]) + 1}"
    for name in ("vecand", "vecanctl"):
        # The version is a string of up to 15 bytes, which Swift keeps inside the instructions, filled up with zeros.
        text = (programs / name).read_bytes().replace(version.encode() + bytes(3), newer.encode() + bytes(3))
        (second / name).write_bytes(text)
        shutil.copymode(programs / name, second / name)
    made = []
    for folder in (programs, second):
        done = subprocess.run(
            [REPOSITORY / "systemd/package", "--programs", folder], capture_output=True, text=True,
            env={**os.environ, "DPKG_DEB_COMPRESSOR_TYPE": "none"})  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        made.append(REPOSITORY / done.stdout.split(":")[0])
    assert made[1].name == made[0].name.replace(version, newer), "the second version calls itself so"
    return made


@pytest.fixture(scope="session")
def vm(packages: list[pathlib.Path]):
    # dpkg -i fetches no dependencies: the machine has them already.
    depends = subprocess.run(["dpkg-deb", "-f", packages[0], "Depends"], capture_output=True, text=True, check=True).stdout
    subprocess.run(
        [REPOSITORY / "Tests/VM/image", *sorted(name.split()[0] for name in depends.split(","))], check=True)
    running = machine.Machine()
    for package in packages:
        shutil.copy(package, running.exchange)
    yield running
    running.end()
