"""Real server processes for the tests of this folder, and a raw HTTP client for them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tests.servers.trellis import free_port

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).parent / "stand_in"


class Server:
    """A process group of gunicorn. `arguments` follow the interpreter."""

    def __init__(self, folder: Path, arguments: list[str], **environ: str) -> None:
        self.folder, self.arguments = folder, arguments
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HS_")},
            "PYTHONPATH": f"{STAND_IN}{os.pathsep}{ROOT}",
            **environ,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.output_file = folder / "output"

    def start(self) -> Server:
        """Start it, without waiting for it."""
        with self.output_file.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments], cwd=self.folder, env=self.environ, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        return self

    def wait_for(self, port: int | str, timeout_s: float = 15.0) -> Server:
        """Wait until it accepts connections and has answered one request."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.output
            try:
                with connect(port) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    if client.recv(1):
                        return self
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"no answer from {port}:\n{self.output}")

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.output_file.read_text()

    def signal(self, number: int) -> None:
        """Send a signal to the master."""
        assert self.process is not None
        self.process.send_signal(number)

    def exit_code(self, timeout_s: float = 10.0) -> int:
        """Wait for its end."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)


def write_config(folder: Path, **settings: Any) -> int:
    """Write homeserver.yaml with one plain listener, unless told otherwise; returns its port."""
    port = free_port()
    listener = {"port": port, "bind_addresses": ["127.0.0.1"], "tls": False}
    (folder / "homeserver.yaml").write_text(
        yaml.safe_dump({"server_name": "example.com", "listeners": [listener], **settings})
    )
    return port


GUNICORN = ["-m", "gunicorn", "-k", "gevent", "-c", str(ROOT / "gunicorn.conf.py"), "core.wsgi"]


def connect(where: int | str, timeout_s: float = 10.0) -> socket.socket:
    """A connection to a port of this machine, or to a Unix socket."""
    if isinstance(where, int):
        return socket.create_connection(("127.0.0.1", where), timeout_s)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(timeout_s)
    client.connect(where)
    return client


def read_all(client: socket.socket) -> bytes:
    """Everything until the other side closes."""
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def read_one(client: socket.socket) -> bytes:
    """One answer that states its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def talk(where: int | str, sent: bytes) -> bytes:
    """Send bytes, say no more, and return everything that comes back until the server closes."""
    with connect(where) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def get(where: int | str, path: str, *headers: str) -> bytes:
    """The body of the answer to a GET."""
    head = "".join(f"{header}\r\n" for header in headers)
    answer = talk(where, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode())
    return answer.partition(b"\r\n\r\n")[2]
