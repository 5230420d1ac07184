"""The description and the daemon agree: schemathesis asks everything that openapi.json offers, and much that it does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from control import ask, connect


@pytest.fixture
def address(demo) -> Iterator[str]:
    """schemathesis speaks TCP: what it says on a port of this test's goes to the socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while block := source.recv(65536):
                target.sendall(block)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            daemon = connect(demo.socket, timeout=30)
            for source, target in ((client, daemon), (daemon, client)):
                threading.Thread(target=copy, args=(source, target), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


@pytest.fixture
def enabled(demo) -> Iterator[None]:
    """schemathesis may disable the control channel, after which every command is 403: it is enabled again at once."""
    stop = threading.Event()

    def enable() -> None:
        while not stop.wait(0.1):
            ask(demo.socket, "PUT", "/v1/settings/remote_control", {"value": 1})

    thread = threading.Thread(target=enable)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.timeout(300)
def test_schemathesis_finds_no_server_error_and_no_undocumented_answer(demo, address, enabled):
    # A stream has no end. A setting may be refused for another's sake, which no description can say: 422 is in order.
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")), "run",
            f"{address}/openapi.json", "--url", address, "--exclude-path", "/v1/events", "--rate-limit", "80/s",
            "--max-examples", os.environ.get("SCHEMATHESIS_EXAMPLES", "20"), "--seed", "1", "--no-color",
            "--exclude-checks", "positive_data_acceptance",
        ],
        capture_output=True, text=True, timeout=280, cwd=demo.socket.parent,
    )  # fmt: skip
    print(run.stdout[-6000:], run.stderr[-2000:])
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert ask(demo.socket, "GET", "/v1/status").status == 200
