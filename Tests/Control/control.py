"""A demo daemon with a control socket, and a client that speaks as little HTTP as it needs."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float = 10):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = connect(self._path, self.timeout)


def connect(path: Path | str, timeout: float = 10) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect(str(path))
    return connection


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


def ask(path: Path, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    """One request on a connection of its own; `body` is sent as JSON, bytes as they are."""
    connection = UnixConnection(path)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, target, data, headers or {})
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def read_until_closed(connection: socket.socket) -> bytes:
    """What comes until the other end closes; a reset is an end too."""
    received = b""
    try:
        while block := connection.recv(65536):
            received += block
    except ConnectionResetError:
        pass
    return received


class Demo:
    """`vecand --demo` in a process of its own."""

    def __init__(self, binary: str, folder: Path, *options: str, name: str = "control.sock"):
        self.socket = folder / name
        self.log_path = folder / f"{name.replace('/', '-')}.log"
        self._log = self.log_path.open("w")
        self.process = subprocess.Popen(
            [binary, "--demo", "--control-socket", str(self.socket), *options],
            stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={"SWIFT_BACKTRACE": "enable=no", **os.environ},
        )  # fmt: skip

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_ready(self, timeout: float = 30) -> Demo:
        """Until it answers and runs."""
        deadline = time.monotonic() + timeout
        while True:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log()}"
            try:
                if ask(self.socket, "GET", "/v1/status").json["state"] == "running":
                    return self
            except OSError:
                pass
            assert time.monotonic() < deadline, f"no answer within {timeout} s:\n{self.log()}"
            time.sleep(0.05)

    def wait_said(self, text: str, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.log():
            assert time.monotonic() < deadline, f'no "{text}" within {timeout} s:\n{self.log()}'
            time.sleep(0.05)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the daemon is gone")

    def stop(self) -> int:
        """Ends it as systemd does; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._log.close()
