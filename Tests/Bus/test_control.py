"""The control socket under siege: whatever its clients do, a limit is on the wire in time and nothing grows."""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import peers
from peers import CCL
from simulation import REPOSITORY
from test_limits import AT_ONCE, cells, is_zero, within

CONNECTIONS = 1000
SLOW_CLIENTS = 20
GARBAGE = 1 << 20  # bytes
CELLS = 20  # high cells while it lasts


def connect(path, timeout=10.0):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect(str(path))
    return connection


def download(path, method, target, body=None):
    """One request on a connection of its own; status and text."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connect(path)
    try:
        connection.request(method, target, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def ask(path, method, target, body=None):
    """One request on a connection of its own; status and JSON."""
    status, text = download(path, method, target, body)
    return status, json.loads(text)


class Siege:
    """Until it is stopped: clients that connect and go, clients that send a byte now and then, and one that sends garbage."""

    def __init__(self, path):
        self._path = path
        self._stop = threading.Event()
        self.connected = 0
        self.garbage_sent = 0
        self._threads = [threading.Thread(target=work) for work in (self._crowd, self._slow, self._garbage)]
        for thread in self._threads:
            thread.start()

    def _crowd(self):
        """A thousand connections as fast as they are taken, each held until the kernel's queue is full."""
        held = []
        while not self._stop.is_set():
            try:
                connection = connect(self._path, 0.05)
            except OSError:  # the queue is full: room comes as the daemon refuses others
                for old in held[: len(held) // 2]:
                    old.close()
                del held[: len(held) // 2]
                continue
            connection.setblocking(False)
            # The trace is the longest answer that there is.
            target = b"/v1/trace" if self.connected % 10 == 0 else b"/v1/status"
            try:
                connection.send(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                pass
            held.append(connection)
            self.connected += 1
        for connection in held:
            connection.close()

    def _slow(self):
        held = []
        while not self._stop.is_set():
            if len(held) < SLOW_CLIENTS:
                try:
                    held.append(connect(self._path, 0.05))
                except OSError:
                    pass
            for connection in list(held):
                try:
                    connection.send(b"X")
                except OSError:
                    held.remove(connection)
            self._stop.wait(0.02)
        for connection in held:
            connection.close()

    def _garbage(self):
        garbage = os.urandom(GARBAGE)
        while not self._stop.is_set():
            try:
                connection = connect(self._path, 0.05)
            except OSError:
                continue
            try:
                # What is refused is sent again on the next connection.
                self.garbage_sent += connection.send(garbage[self.garbage_sent % GARBAGE :])
            except OSError:
                pass
            connection.close()

    def is_done(self):
        return self.connected >= CONNECTIONS and self.garbage_sent >= GARBAGE

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.flood
def test_a_siege_delays_no_limit_and_leaves_nothing_behind(fed_vecand, battery, recorder, temporary, evidence):
    path = temporary / "control.sock"
    assert ask(path, "GET", "/v1/status")[0] == 200
    descriptors = len(os.listdir(f"/proc/{fed_vecand.process.pid}/fd"))
    resident = fed_vecand.resident_bytes()
    siege = Siege(path)
    delays = []
    try:
        deadline = time.monotonic() + 60
        while not siege.is_done() or len(delays) < CELLS:
            assert time.monotonic() < deadline, f"{siege.connected} connections, {siege.garbage_sent} bytes"
            mark, cause = cells(battery, recorder, 3.40, 3.76)
            effect = fed_vecand.wait_register(CCL, is_zero, 2, mark, "0")
            delays.append(effect.time - cause.time)
            mark, _ = cells(battery, recorder, 3.40, 3.59)
            fed_vecand.wait_register(CCL, peers.positive, 5, mark, "given back")
    finally:
        siege.stop()
        (evidence / "siege.txt").write_text(
            f"{siege.connected} connections, {siege.garbage_sent} bytes of garbage\n"
            f"high cell to CCL 0 in ms: {' '.join(f'{1000 * delay:.1f}' for delay in delays)}\n"
            f"resident before and after: {resident} {fed_vecand.resident_bytes()}\n"
        )
    assert max(delays) <= AT_ONCE, f"ms: {[round(1000 * delay, 1) for delay in delays]}"
    # It answers again as soon as it is left alone, and has let go of what it held.
    deadline = time.monotonic() + 20
    while True:
        try:
            if ask(path, "GET", "/v1/status")[0] == 200 and (
                len(os.listdir(f"/proc/{fed_vecand.process.pid}/fd")) <= descriptors + 2
            ):
                break
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < deadline, "it does not recover"
        time.sleep(0.2)
    assert fed_vecand.resident_bytes() - resident < 8 << 20


def real_time_threads(vecand):
    """Policy and priority of its threads that the kernel runs before all ordinary ones, by their names."""
    found = {}
    for thread in os.listdir(f"/proc/{vecand.process.pid}/task"):
        try:
            policy = os.sched_getscheduler(int(thread))
            if policy & ~os.SCHED_RESET_ON_FORK != os.SCHED_OTHER:
                name = Path(f"/proc/{vecand.process.pid}/task/{thread}/comm").read_text().strip()
                found[name] = (policy, os.sched_getparam(int(thread)).sched_priority)
        except (ProcessLookupError, FileNotFoundError):  # it has just ended
            pass
    return found


@pytest.mark.skipif(subprocess.call(["chrt", "--fifo", "1", "true"]) != 0, reason="this user may have no real-time thread")
def test_the_engine_goes_before_all_others_and_nothing_that_serves_people_does(fed_vecand, temporary):
    """A nice value is a share and no order: other threads that often sleep are put before the engine as well."""
    for _ in range(20):
        assert download(temporary / "control.sock", "GET", "/v1/trace")[0] == 200
        # An answer may make the engine start a worker of Swift's, which must not inherit it.
        assert real_time_threads(fed_vecand) == {"vecand-engine": (os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 1)}
    assert "real-time" not in fed_vecand.log_path.read_text()


def test_that_the_engine_may_not_go_before_others_is_told(make_vecand):
    vecand = make_vecand()
    vecand.wait_running()
    vecand.stop()
    before = len(vecand.log_lines())
    vecand.by = ["prlimit", "--rtprio=0", "--nice=0", "setpriv", "--bounding-set", "-sys_nice"]
    vecand.start()
    vecand.wait_running()
    assert any("the engine's thread has no real-time priority" in line for line in vecand.log_lines()[before:])
    assert real_time_threads(vecand) == {}


def test_a_command_over_the_socket_is_seen_on_the_bus_and_outlives_a_restart(fed_vecand, recorder, temporary):
    path = temporary / "control.sock"
    mark = recorder.mark()
    assert ask(path, "PUT", "/v1/settings/maximum_charge_current", {"value": 50})[0] == 200
    fed_vecand.wait_register(CCL, lambda v: v == 500, 5, mark, "50 A")
    status, answer = ask(path, "PUT", "/v1/settings/maximum_charge_current", {"value": 1001})
    assert status == 422 and "1 to 1000" in answer["error"]
    fed_vecand.stop()
    fed_vecand.start()
    fed_vecand.wait_running()
    row = ask(path, "GET", "/v1/settings/maximum_charge_current")[1]
    assert (row["value"], row["set_by"], row["configured"]) == (50, "changed", 1000)


def test_what_was_told_as_done_is_there_after_a_kill_at_once(fed_vecand, temporary):
    """The answer comes after the disk, for what counts as for what is decided."""
    path = temporary / "control.sock"

    def percent(status):
        # Unknown until there are data.
        return status.get("state_of_charge", {"percent": -1})["percent"]

    told = [
        ("PUT", "/v1/soc", {"percent": 42}, lambda status: abs(percent(status) - 42) < 0.1),
        ("POST", "/v1/mode", {"mode": "standby"}, lambda status: status["mode"] == "standby"),
        ("POST", "/v1/synchronise", None, lambda status: percent(status) > 99.9),
        ("POST", "/v1/mode", {"mode": "off"}, lambda status: status["mode"] == "off"),
    ]
    for method, target, body, is_kept in told:
        status, answer = ask(path, method, target, body)
        assert (status, "not stored" in answer["done"]) == (200, False), answer
        fed_vecand.signal(signal.SIGKILL)
        fed_vecand.process.wait(5)
        fed_vecand.start()
        fed_vecand.wait_running()
        deadline = time.monotonic() + 5
        while not is_kept(status := ask(path, "GET", "/v1/status")[1]):
            assert time.monotonic() < deadline, (target, body, status)
            time.sleep(0.1)


def test_out_of_descriptors_is_a_line_in_the_log_and_no_crash(fed_vecand, battery, recorder, temporary):
    """A process that may open no more: clients wait, the bus does not."""
    path = temporary / "control.sock"
    assert ask(path, "GET", "/v1/status")[0] == 200
    used = len(os.listdir(f"/proc/{fed_vecand.process.pid}/fd"))
    resource.prlimit(fed_vecand.process.pid, resource.RLIMIT_NOFILE, (used + 2, 1024))
    held = []
    for _ in range(8):
        connection = connect(path)
        connection.setblocking(False)
        connection.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        held.append(connection)
    fed_vecand.wait_said("no descriptor is left", 10)
    mark, cause = cells(battery, recorder, 3.40, 3.76)
    within(AT_ONCE, cause, fed_vecand.wait_register(CCL, is_zero, 2, mark, "0"))
    for connection in held:
        connection.close()
    resource.prlimit(fed_vecand.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    deadline = time.monotonic() + 15
    while True:
        try:
            if ask(path, "GET", "/v1/status")[0] == 200:
                break
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < deadline, "it does not recover"
        time.sleep(0.2)


def test_a_log_that_nobody_takes_delays_nothing_and_is_told_afterwards(make_vecand, battery, recorder, temporary):
    vecand = make_vecand()
    vecand.wait_running()
    vecand.stop()
    source, target = os.pipe()
    vecand.log_to(target)
    vecand.start()
    vecand.wait_limits_given()
    # Each question is answered with some thousand bytes; a pipe has room for 65,536.
    for _ in range(60):
        vecand.signal(signal.SIGUSR1)
        time.sleep(0.02)
    for _ in range(5):
        mark, cause = cells(battery, recorder, 3.40, 3.76)
        within(AT_ONCE, cause, vecand.wait_register(CCL, is_zero, 2, mark, "0"))
        mark, _ = cells(battery, recorder, 3.40, 3.59)
        vecand.wait_register(CCL, peers.positive, 5, mark, "given back")
    assert ask(temporary / "control.sock", "GET", "/v1/status")[0] == 200
    assert select.select([], [target], [], 0)[1] == [], "the pipe is full"
    log = os.read(source, 1 << 17)
    vecand.signal(signal.SIGUSR1)
    deadline = time.monotonic() + 20
    while b"lines before this one are lost" not in log:
        assert time.monotonic() < deadline and select.select([source], [], [], 10)[0], log[-2000:]
        log += os.read(source, 1 << 16)
    os.close(source)


def as_nobody(work):
    """What `work` returns when a user does it who is not root; it is written and read as JSON."""
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            result = work()
        except PermissionError:
            result = "no right"
        except BaseException as error:  # noqa: BLE001 - told to the parent
            result = repr(error)
        os.write(target, json.dumps(result).encode())
        os._exit(0)
    os.close(target)
    os.waitpid(child, 0)
    with os.fdopen(source) as stream:
        return json.loads(stream.read())


def test_who_may_ask_command_and_enable(make_vecand, temporary):
    """Two sockets: group and owner command, everybody asks. R320: enabled again by root only, whoever may command."""
    unit = (REPOSITORY / "systemd/vecand.service").read_text()
    # As the unit makes /run/vecand; what is above it lets everybody through there too.
    temporary.chmod(int(re.search(r"^RuntimeDirectoryMode=(\d+)$", unit, re.MULTILINE)[1], 8))
    temporary.parent.chmod(0o755)
    control, reading = temporary / "control.sock", temporary / "status.sock"
    vecand = make_vecand(inputs=f'{peers.INPUTS}\n[control]\nreading_socket = "{reading}"\n')
    vecand.wait_running()
    vecand.wait_said(f"reading socket {reading}")
    vecand.wait_said(f"control socket {control}")
    assert [path.stat().st_mode & 0o777 for path in (control, reading)] == [0o660, 0o666]
    assert as_nobody(lambda: ask(control, "GET", "/v1/status")) == "no right"
    assert as_nobody(lambda: ask(reading, "GET", "/v1/status")[0]) == 200
    for method, target, body in [
        ("POST", "/v1/mode", {"mode": "standby"}),
        ("PUT", "/v1/settings/tail_current", {"value": 5}),
        ("POST", "/v1/settings/reset", None),
    ]:
        status, answer = ask(reading, method, target, body)
        assert status == 403 and "this socket is for reading" in answer["error"]
    control.chmod(0o666)
    enable = {"value": 1}
    assert as_nobody(lambda: ask(control, "PUT", "/v1/settings/tail_current", {"value": 5})[0]) == 200
    assert as_nobody(lambda: ask(control, "PUT", "/v1/settings/remote_control", {"value": 0})[0]) == 200
    assert as_nobody(lambda: ask(control, "PUT", "/v1/settings/remote_control", enable)[0]) == 403
    assert as_nobody(lambda: ask(control, "POST", "/v1/mode", {"mode": "standby"})[0]) == 403
    assert ask(control, "PUT", "/v1/settings/remote_control", enable)[0] == 200
    assert as_nobody(lambda: ask(control, "POST", "/v1/mode", {"mode": "standby"})[0]) == 200


def test_sighup_reads_the_configuration_again_and_keeps_the_old_one_on_an_error(fed_vecand, recorder, temporary):
    path = temporary / "control.sock"
    text = fed_vecand.configuration.read_text()
    mark = recorder.mark()
    fed_vecand.configuration.write_text(text.replace("[battery]", "[battery]\nmaximum_charge_current = 1001"))
    fed_vecand.signal(signal.SIGHUP)
    fed_vecand.wait_said("the old one stays in force", 10)
    fed_vecand.configuration.write_text(text.replace("[battery]", "[battery]\nmaximum_charge_current = 40"))
    fed_vecand.signal(signal.SIGHUP)
    fed_vecand.wait_said("SIGHUP: maximum_charge_current = 40 A (was 1000)", 10)
    fed_vecand.wait_register(CCL, lambda v: v == 400, 5, mark, "40 A")
    row = ask(path, "GET", "/v1/settings/maximum_charge_current")[1]
    assert (row["value"], row["set_by"]) == (40, "configuration")
