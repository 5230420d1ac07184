"""The virtual machine: QEMU without hardware help, two CAN controllers on one bus, and a way to run commands in it.

Its clock counts the instructions that it executed, 2 ns each, and follows the host's clock only where it would be ahead
(icount). On a slow or busy host time is slow in the machine, and nothing in it is late. So limits of time are its own.
"""

from __future__ import annotations

import base64
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import time

BUILD = pathlib.Path(__file__).resolve().parents[2] / ".build-vm"
# How much slower than the host's clock the machine's may go before it counts as hung.
SLOWEST = 5


class Failed(AssertionError):
    """A command in the machine failed, or the machine itself."""


class Machine:
    """A machine with a copy of the disk image, which is gone with it."""

    # A boot takes some 20 s of its time.
    boot_seconds = 60

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vecand-vm-"))
        # Files for both sides, /exchange inside.
        self.exchange = BUILD / "exchange"
        shutil.rmtree(self.exchange, ignore_errors=True)
        self.exchange.mkdir(parents=True)
        self.console = BUILD / "console.log"
        self._count = 0
        subprocess.run(["cp", "--sparse=always", BUILD / "disk", self.folder / "disk"], check=True)
        self._start()

    def _start(self) -> None:
        self._pending = b""
        self._process = subprocess.Popen(
            [
                "qemu-system-x86_64", "-accel", "tcg,thread=single,tb-size=512", "-icount", "shift=1,align=off,sleep=on",
                "-cpu", "max", "-m", "768",
                "-display", "none", "-nic", "none", "-serial", f"file:{self.console}",
                "-kernel", BUILD / "vmlinuz", "-initrd", BUILD / "initrd",
                "-append", "console=ttyS0 root=/dev/vda rw quiet mitigations=off panic=-1 systemd.show_status=0",
                "-drive", f"file={self.folder / 'disk'},format=raw,if=virtio",
                "-object", "can-bus,id=bus", "-device", "kvaser_pci,canbus=bus", "-device", "kvaser_pci,canbus=bus",
                # Empty until a test plugs something in.
                "-device", "qemu-xhci", "-chardev", f"socket,id=usb,path={self.folder / 'usb'},server=on,wait=off",
                "-device", "usb-redir,chardev=usb",
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self.folder / 'agent'},server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=agent",
                "-virtfs", f"local,path={self.exchange},mount_tag=exchange,security_model=none",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._agent = self._connect("agent")
            self._wait_booted()
        except BaseException:
            self.end()
            raise

    def _connect(self, name: str) -> socket.socket:
        end = time.monotonic() + 20
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(str(self.folder / name))
                return client
            except OSError:
                client.close()
                if self._process.poll() is not None or time.monotonic() > end:
                    raise Failed(f"qemu-system-x86_64 did not start: status {self._process.poll()}") from None
                time.sleep(0.05)

    def _line(self, end: float, what: str) -> str:
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._agent], [], [], max(0, end - time.monotonic()))
            news = self._agent.recv(1 << 20) if ready else b""
            if not news:
                raise Failed(f"{what}: no answer from the machine; its last words, in {self.console}: {self.last_words()}")
            self._pending += news
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode()

    def last_words(self) -> str:
        return self.console.read_text(errors="replace")[-2000:]

    def _wait_booted(self) -> None:
        """Waits for the agent."""
        end = time.monotonic() + SLOWEST * self.boot_seconds
        while self._line(end, "boot") != "ready":
            pass

    def try_run(self, script: str, seconds: float = 60) -> tuple[int, str]:
        """Runs a shell script; its exit status and what it printed."""
        self._count += 1
        text = base64.b64encode(script.encode()).decode()
        self._agent.sendall(f"{self._count} {seconds:.0f} {text}\n".encode())
        end = time.monotonic() + SLOWEST * (seconds + 30)
        while True:
            parts = self._line(end, script).split(" ")
            if len(parts) == 3 and parts[0] == str(self._count):
                return int(parts[1]), base64.b64decode(parts[2]).decode(errors="replace")

    def run(self, script: str, seconds: float = 60) -> str:
        """What a shell script printed; it must end with 0."""
        status, output = self.try_run(script, seconds)
        if status != 0:
            raise Failed(f"{script}\nended with {status}:\n{output}")
        return output

    def wait(self, script: str, seconds: float, what: str = "") -> str:
        """Runs a script until it ends with 0, in the machine, where asking costs little."""
        loop = f"until output=$({script}\n) 2>&1; do sleep 0.1; done; echo \"$output\""
        status, output = self.try_run(loop, seconds)
        if status != 0:
            _, last = self.try_run(script)
            raise Failed(f"{what or script}: not within {seconds} s; {last}\n{output}")
        return output

    def uptime(self) -> float:
        """Seconds since its boot, by its own clock."""
        return float(self.run("cut -d' ' -f1 /proc/uptime"))

    def reset(self) -> None:
        """Power is cut and comes back: what the kernel had not yet written to the disk is lost. (After QEMU's own reset
        nothing arrives at its CAN controllers any more.)"""
        self._agent.close()
        self._process.kill()
        self._process.wait()
        for name in ("agent", "usb"):
            (self.folder / name).unlink(missing_ok=True)
        self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
