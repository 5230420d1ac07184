"""The demo as a program among others: its lines, its signals, and what it does when nobody takes the lines any more."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from control import ask

COMMAND = [os.environ["VECAND_BIN"], "--demo", "--speed", "60"]


def ended(process: subprocess.Popen, timeout: float = 20) -> tuple[int, str]:
    """Its status and what it said on standard error; it is not left behind."""
    try:
        _, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, errors


def test_a_reader_that_leaves_ends_it_with_a_message():
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(3):
        assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    status, errors = ended(process)
    assert status == 1
    assert errors == "vecand: standard output can no longer be written: Broken pipe; the demo has ended\n"


@pytest.mark.parametrize("options", [["--demo"], ["--check-config", "/dev/null"]])
def test_a_disk_without_room_ends_it_with_a_message(options):
    with open("/dev/full", "w") as full:
        process = subprocess.Popen([COMMAND[0], *options], stdout=full, stderr=subprocess.PIPE, text=True)
        status, errors = ended(process)
    assert status == 1 and "standard output can no longer be written: No space left on device" in errors


def test_each_line_comes_through_a_pipe_when_it_is_told():
    process = subprocess.Popen([COMMAND[0], "--demo"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    begin = time.monotonic()
    try:
        # 3 lines and not 4 kB of them.
        for _ in range(3):
            assert process.stdout.readline()
        assert time.monotonic() - begin < 10
    finally:
        process.kill()
        process.communicate()


def test_each_line_of_an_error_says_who_speaks(folder):
    file = folder / "wrong.toml"
    file.write_text("[bus]\ninterfac = 1\n[battery]\nmodel = 7\nlow_soc_warning = 5\n")
    run = subprocess.run([COMMAND[0], "--check-config", file], capture_output=True, text=True)
    lines = run.stderr.splitlines()
    assert run.returncode == 1 and run.stdout == "" and len(lines) == 3
    assert all(line.startswith(f"vecand: {file}: line ") for line in lines), lines


def test_its_log_has_what_came_and_went_since_it_started(demo):
    ask(demo.socket, "POST", "/v1/mode", {"mode": "standby"})
    demo.wait_said("mode Standby")
    log = ask(demo.socket, "GET", "/v1/log").json
    numbers = [entry["number"] for entry in log["entries"]]
    assert numbers == list(range(1, len(numbers) + 1)) and log["last"] == numbers[-1] and log["damaged"] == 0
    assert any(entry["kind"] == "decided" and "mode Standby" in entry["text"] for entry in log["entries"])
    newest = ask(demo.socket, "GET", "/v1/log?limit=1").json
    assert newest["entries"] == log["entries"][-1:] and newest["last"] == log["last"]
    oldest = ask(demo.socket, "GET", "/v1/log?after=0&limit=2").json
    assert oldest["entries"] == log["entries"][:2] and oldest["last"] == 2
    assert ask(demo.socket, "GET", f"/v1/log?after={log['last']}").json == {"damaged": 0, "entries": [], "last": log["last"]}


def test_sigusr1_explains_and_sighup_says_that_there_is_no_file(demo):
    demo.process.send_signal(signal.SIGUSR1)
    demo.wait_said("why: no alarm is active")
    demo.wait_said("why: CCL ")
    demo.process.send_signal(signal.SIGHUP)
    demo.wait_said("SIGHUP: the demo has no configuration to read again")
    assert ask(demo.socket, "GET", "/v1/status").status == 200


def test_sigusr2_ends_it_as_sigterm_does(demo):
    demo.process.send_signal(signal.SIGUSR2)
    assert demo.process.wait(20) == 0
    assert "SIGUSR2: the demo has nobody to hand over to" in demo.log() and "alarms raised" in demo.log()
    assert not demo.socket.exists()
