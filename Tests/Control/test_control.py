"""What people and their tools ask of the control socket, and how much of the daemon they may take."""

from __future__ import annotations

import json
import os
import re
import select
import stat
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from control import ask, connect, read_until_closed

REPORTS = ["status", "limits", "alarms", "explanations", "history", "settings", "fuses", "check", "log"]
SERVED = 48  # connections
LONGEST_BODY, LONGEST_REQUEST = 4096, 32768  # bytes


def test_who_may_use_it(demo):
    assert stat.S_IMODE(os.stat(demo.socket).st_mode) == 0o660


def test_a_healthy_battery_is_all_right(demo):
    status = ask(demo.socket, "GET", "/v1/status").json
    assert status["is_all_right"] is True and status["problems"] == []
    assert status["mode"] == "on" and status["state_number"] == 9 and status["link"] == "up"
    assert 12 < status["voltage_volts"] < 15
    assert status["state_of_charge"]["is_trusted"] is False, "nobody synchronised it"
    assert status["limits"]["charge_voltage_volts"] in (14.2, 13.5)
    assert status["limits"] == ask(demo.socket, "GET", "/v1/limits").json


@pytest.mark.parametrize("report", REPORTS)
def test_every_report_is_json(demo, report):
    answer = ask(demo.socket, "GET", f"/v1/{report}")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json


def test_each_output_is_explained(demo):
    for one in ask(demo.socket, "GET", "/v1/explanations").json["explanations"]:
        alone = ask(demo.socket, "GET", f"/v1/explanations/{one['output']}").json
        assert alone["name"] == one["name"] and alone["text"].startswith(one["name"])
    unknown = ask(demo.socket, "GET", "/v1/explanations/cvl")
    assert unknown.status == 404 and "charge-voltage" in unknown.json["error"]


def test_a_setting_is_set_refused_and_reset(demo):
    def setting():
        return ask(demo.socket, "GET", "/v1/settings/charged_voltage").json

    before = setting()
    assert (before["value"], before["set_by"], before["unit"]) == (14, "default", "V per 12 V")
    assert ask(demo.socket, "PUT", "/v1/settings/charged_voltage", {"value": 14.6}).status == 200
    assert (setting()["value"], setting()["set_by"]) == (14.6, "changed")
    refused = ask(demo.socket, "PUT", "/v1/settings/charged_voltage", {"value": 14.7})
    assert refused.status == 422 and "13 to 14.6" in refused.json["error"]
    contradiction = ask(demo.socket, "PUT", "/v1/settings/discharge_floor", {"value": 50})
    assert contradiction.status == 422 and contradiction.json["error"] == (
        "discharge_floor 50 % is refused: low_soc_warning is 15 % and may not lie below it (R321); set that first"
    )
    assert setting()["value"] == 14.6
    assert ask(demo.socket, "DELETE", "/v1/settings/charged_voltage").status == 200
    assert setting() == before
    ask(demo.socket, "PUT", "/v1/settings/tail_current", {"value": 5})
    assert ask(demo.socket, "POST", "/v1/settings/reset").status == 200
    assert all(row["set_by"] != "changed" for row in ask(demo.socket, "GET", "/v1/settings").json["settings"])
    assert ask(demo.socket, "PUT", "/v1/settings/nothing", {"value": 1}).status == 404


@pytest.mark.parametrize(
    "body", [b"", b"{", b"14.6", b"{}", b'{"value":"14"}', b'{"value":null}', b'{"value":1e999}', b"\xff\xfe", b"[" * 4000]
)
def test_a_body_that_is_none_is_told_what_was_expected(demo, body):
    answer = ask(demo.socket, "PUT", "/v1/settings/charged_voltage", body)
    assert answer.status == 400 and '{"value": number}' in answer.json["error"]
    assert ask(demo.socket, "GET", "/v1/settings/charged_voltage").json["value"] == 14


@pytest.mark.parametrize(
    "method, target, body, expected",
    [
        ("PUT", "/v1/settings/charged_voltage", b'{"value":14.1,"x":1}', '"x" is unknown here'),
        ("PUT", "/v1/soc", b'{"percent":50,"Percent":60}', '"Percent" is unknown here'),
        ("POST", "/v1/mode", b'{"mode":"standby","requestor":"gx"}', '"requestor" is unknown here'),
        ("POST", "/v1/synchronise", b"garbage", "expected: none"),
        ("POST", "/v1/synchronise", b'{"percent":50}', '"percent" is unknown here'),
        ("POST", "/v1/settings/reset", b"[]", "expected: none"),
        ("DELETE", "/v1/settings/charged_voltage", b"1", "expected: none"),
    ],
)
def test_what_nobody_asks_for_in_a_body_is_refused(demo, method, target, body, expected):
    ask(demo.socket, "PUT", "/v1/soc", {"percent": 42})
    ask(demo.socket, "PUT", "/v1/settings/charged_voltage", {"value": 14.2})
    answer = ask(demo.socket, method, target, body)
    assert answer.status == 400 and expected in answer.json["error"], answer
    assert ask(demo.socket, "GET", "/v1/settings/charged_voltage").json["value"] == 14.2
    status = ask(demo.socket, "GET", "/v1/status").json
    assert round(status["state_of_charge"]["percent"]) == 42 and status["mode"] == "on"
    assert ask(demo.socket, "POST", "/v1/synchronise", {}).status == 200


def test_modes_by_who_asks(demo):
    def mode(mode, **more):
        return ask(demo.socket, "POST", "/v1/mode", {"mode": mode, **more}).status

    # R37: a GX switches between On and Standby, and not off.
    assert mode("standby", requester="gx") == 200
    assert mode("off", requester="gx") == 409
    assert mode("on", requester="gx") == 200
    # R36: the app may all; R37: from Off a GX switches nothing on.
    assert mode("off") == 200
    assert ask(demo.socket, "GET", "/v1/status").json["off_cause"] == "softSwitch"
    assert mode("on", requester="gx") == 409
    assert mode("on") == 200
    assert mode("away") == 400 and mode("on", requester="remote") == 400


def test_state_of_charge_is_set_and_synchronised(demo):
    def percent():
        state = ask(demo.socket, "GET", "/v1/status").json["state_of_charge"]
        return round(state["percent"]), state["is_trusted"]

    assert ask(demo.socket, "PUT", "/v1/soc", {"percent": 42}).status == 200
    assert percent() == (42, True)
    for wrong in (-0.1, 100.1):
        assert ask(demo.socket, "PUT", "/v1/soc", {"percent": wrong}).status == 422
    assert percent() == (42, True)
    assert ask(demo.socket, "POST", "/v1/synchronise").status == 200
    assert percent() == (100, True)


def test_a_disabled_channel_takes_no_command_until_the_machine_enables_it(demo):
    assert ask(demo.socket, "PUT", "/v1/settings/remote_control", {"value": 0}).status == 200
    for method, target, body in [
        ("PUT", "/v1/settings/charged_voltage", {"value": 14.1}),
        ("POST", "/v1/settings/reset", None),
        ("POST", "/v1/mode", {"mode": "standby"}),
        ("PUT", "/v1/soc", {"percent": 50}),
    ]:
        answer = ask(demo.socket, method, target, body)
        assert answer.status == 403 and "R320" in answer.json["error"], target
        assert "sudo vecanctl set remote_control 1" in answer.json["error"], target
    assert ask(demo.socket, "GET", "/v1/status").json["is_control_enabled"] is False
    # This test runs as the daemon's own user; that nobody else can is in the Swift tests.
    assert ask(demo.socket, "PUT", "/v1/settings/remote_control", {"value": 1}).status == 200
    assert ask(demo.socket, "PUT", "/v1/soc", {"percent": 50}).status == 200


def test_what_is_not_there_and_what_is_not_done(demo):
    answer = ask(demo.socket, "GET", "/v2/status")
    assert answer.status == 404 and "/v2/status" in answer.json["error"]
    answer = ask(demo.socket, "POST", "/v1/settings/charged_voltage")
    assert answer.status == 405 and answer.headers["allow"] == "DELETE, GET, HEAD, PUT"


@pytest.mark.parametrize("target", ["/v1/status", "/v1/settings/charged_voltage", "/metrics", "/v1/trace", "/v1/events"])
def test_head_is_get_without_its_body(demo, target):
    answer = ask(demo.socket, "HEAD", target)
    assert answer.status == 200 and answer.body == b""
    if target != "/v1/events":  # which has no end
        assert answer.headers["content-type"] == ask(demo.socket, "GET", target).headers["content-type"]
    # What is not there has no body either, and the connection goes on.
    connection = connect(demo.socket)
    connection.sendall(b"HEAD /v2 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")
    connection.sendall(b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_metrics_are_openmetrics(demo):
    answer = ask(demo.socket, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    voltage = families["vecand_battery_voltage_volts"]
    assert voltage.unit == "volts" and voltage.type == "gauge" and 12 < voltage.samples[0].value < 15
    assert families["vecand_frames_received"].type == "counter"
    modes = {sample.labels["vecand_mode"]: sample.value for sample in families["vecand_mode"].samples}
    assert modes == {"on": 1, "standby": 0, "off": 0}
    assert all(family.documentation for family in families.values())


def read_events(connection, count):
    """So many server-sent events, as (name, data)."""
    connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    text = ""
    pattern = re.compile(r"event: (\w+)\ndata: (.*)\n\n")
    while len(pattern.findall(text)) < count:
        block = connection.recv(65536)
        assert block, f"the stream ended:\n{text}"
        text += block.decode()
    assert "text/event-stream" in text
    return [(name, json.loads(data)) for name, data in pattern.findall(text)]


def test_events_are_told_as_they_happen(demo):
    connection = connect(demo.socket)
    first = read_events(connection, 1)
    assert first[0][0] == "status" and first[0][1]["mode"] == "on"
    ask(demo.socket, "POST", "/v1/mode", {"mode": "standby"})
    text = ""
    while "asked for by app" not in text or "mode Standby" not in text:
        block = connection.recv(65536).decode()
        assert block
        text += block
    assert "event: log" in text
    connection.close()


def test_seventeenth_follower_is_told_that_there_are_too_many(demo):
    followers = [connect(demo.socket) for _ in range(16)]
    for follower in followers:
        follower.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in follower.recv(4096)
    assert ask(demo.socket, "GET", "/v1/events").status == 503
    followers.pop().close()
    deadline = time.monotonic() + 10
    while True:  # that it is gone is noticed with the next event
        connection = connect(demo.socket)
        connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = connection.recv(4096)
        connection.close()
        if b"200 OK" in answer:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_trace_holds_what_came_what_was_decided_and_what_went(demo):
    ask(demo.socket, "POST", "/v1/mode", {"mode": "standby"})
    deadline = time.monotonic() + 10
    while True:
        lines = [json.loads(line) for line in ask(demo.socket, "GET", "/v1/trace").body.splitlines()]
        if any(line["kind"] == "event" and "mode Standby" in line["text"] for line in lines):
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    header, rest = lines[0], lines[1:]
    assert header["kind"] == "header" and header["frames"] == sum(line["kind"] == "frame" for line in rest)
    times = [line["at_seconds"] for line in rest if line["kind"] == "frame"]
    assert len(times) > 20
    frames = [line for line in rest if line["kind"] == "frame"]
    assert {frame["direction"] for frame in frames} == {"in", "out"}
    assert all(re.fullmatch(r"([0-9A-F]{3}|[0-9A-F]{8})#([0-9A-F]{2}){0,8}", frame["frame"]) for frame in frames)
    assert any(line["kind"] == "status" and line["status"]["mode"] == "on" for line in rest)


# Limits on every request


def test_too_long_a_body_is_refused(demo):
    at_the_edge = b'{"value":14.1' + b" " * (LONGEST_BODY - 14) + b"}"
    assert len(at_the_edge) == LONGEST_BODY
    assert ask(demo.socket, "PUT", "/v1/settings/charged_voltage", at_the_edge).status == 200
    assert ask(demo.socket, "PUT", "/v1/settings/charged_voltage", at_the_edge + b" ").status == 413


def test_an_endless_body_is_refused(demo):
    connection = connect(demo.socket)
    connection.sendall(b"PUT /v1/soc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while sent < 100 * LONGEST_REQUEST:
            connection.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
            sent += 1024
    except OSError:
        pass
    assert sent < 100 * LONGEST_REQUEST, "it was let go on"
    assert read_until_closed(connection).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_breaks_off_is_refused(demo):
    connection = connect(demo.socket)
    connection.sendall(b"PUT /v1/soc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert read_until_closed(connection).startswith(b"HTTP/1.1 400 ")
    assert "failed" not in demo.log()


@pytest.mark.parametrize(
    "request_, status",
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /v1/status HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"WHATEVER /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1/status HTTP/9\r\nHost: x\r\n\r\n", 400),
        (b"\x00\x01\x02\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_told_why_as_any_other_error(demo, request_, status):
    # Also behind a request that is answered.
    for before in (b"", b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n"):
        connection = connect(demo.socket)
        if before:
            connection.sendall(before)
            assert b"200 OK" in connection.recv(65536)
        try:
            connection.sendall(request_)
        except OSError:
            pass
        head, _, body = read_until_closed(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status) and b"application/json" in head, head
        assert json.loads(body)["error"]
    assert ask(demo.socket, "GET", "/v1/status").status == 200


@pytest.mark.parametrize("begin, status", [(b"GET /", 414), (b"GET / HTTP/1.1\r\nX: ", 431)])
def test_an_endless_head_is_refused(demo, begin, status):
    connection = connect(demo.socket)
    connection.sendall(begin)
    try:
        for _ in range(40):
            connection.sendall(b"a" * 1024)
    except OSError:
        pass
    answer = read_until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert ask(demo.socket, "GET", "/v1/status").status == 200


def test_a_request_that_takes_too_long_is_refused(demo):
    slow, idle = connect(demo.socket, timeout=20), connect(demo.socket, timeout=20)
    begin = time.monotonic()
    slow.sendall(b"GET /v1/status HTTP/1.1\r\n")
    # A byte now and then does not prolong it.
    while not select.select([slow], [], [], 0.5)[0]:
        slow.sendall(b"X: y\r\n")
        assert time.monotonic() - begin < 15
    answer = read_until_closed(slow)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"10 s" in answer
    assert 9 < time.monotonic() - begin < 13
    assert read_until_closed(idle) == b"", "an idle connection just goes"


def test_too_many_requests_are_refused_and_it_says_when_to_come_again(demo):
    connection = connect(demo.socket)
    statuses = []
    for _ in range(400):
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = read_until_closed(connection)
        statuses.append(int(answer.split()[1]))
        if statuses[-1] == 429:
            assert b"Retry-After: 1" in answer
        connection = connect(demo.socket)
    assert set(statuses) == {200, 429}
    time.sleep(1.1)
    assert ask(demo.socket, "GET", "/v1/status").status == 200


def test_too_many_connections_are_refused(demo):
    before = demo.descriptors()
    held = []
    for _ in range(SERVED):
        connection = connect(demo.socket)
        connection.sendall(b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        held.append(connection)
    beyond = connect(demo.socket)
    beyond.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert read_until_closed(beyond).startswith(b"HTTP/1.1 503 ")
    demo.wait_said(f"{SERVED} connections are open")
    held.pop().close()
    deadline = time.monotonic() + 5
    while ask(demo.socket, "GET", "/v1/status").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for connection in held:
        connection.close()
    while demo.descriptors() > before + 2:
        assert time.monotonic() < deadline + 10, "descriptors are left behind"
        time.sleep(0.1)


def test_garbage_harms_nobody(demo):
    garbage = os.urandom(1 << 20)
    for _ in range(3):
        connection = connect(demo.socket)
        try:
            connection.sendall(garbage)
        except OSError:
            pass
        read_until_closed(connection)
    assert ask(demo.socket, "GET", "/v1/status").json["is_all_right"] is True


def test_who_reads_nothing_is_dropped_and_costs_no_memory(demo):
    ask(demo.socket, "GET", "/v1/trace")
    before = demo.resident_bytes()
    connection = connect(demo.socket)
    # As many answers as it likes are asked for, and none is read.
    connection.setblocking(False)
    deadline = time.monotonic() + 30
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    try:
        while time.monotonic() < deadline:
            try:
                connection.send(request)
            except BlockingIOError:
                pass
            time.sleep(0.01)
        raise AssertionError("it was not dropped")
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert "took nothing" in demo.log()
    assert demo.resident_bytes() - before < 8 << 20


# The socket itself


def test_a_second_daemon_leaves_the_first_ones_socket_alone_and_runs_without(demo, make_demo):
    second = make_demo()
    second.wait_said("another process serves")
    assert second.process.poll() is None, "it protects without a control socket"
    assert ask(demo.socket, "GET", "/v1/status").status == 200


def test_a_socket_left_by_a_dead_process_is_replaced(make_demo):
    dead = make_demo().wait_ready()
    dead.process.kill()
    dead.process.wait()
    assert dead.socket.exists()
    make_demo().wait_ready()


def test_it_goes_with_the_daemon_also_while_somebody_follows(demo):
    follower = connect(demo.socket)
    read_events(follower, 1)
    begin = time.monotonic()
    assert demo.stop() == 0
    assert time.monotonic() - begin < 5
    assert not demo.socket.exists()


def test_without_its_directory_the_daemon_runs_and_the_socket_comes_with_it(make_demo, folder):
    demo = make_demo(name="later/control.sock")
    demo.wait_said("no control socket, the BMS runs on without")
    (folder / "later").mkdir()
    demo.wait_ready(20)
