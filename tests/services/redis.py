"""A private Redis that keeps nothing on disk."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.trellis import free_port
from tests.services import program, start, stop, wait_until


@dataclass(frozen=True, slots=True)
class Redis:
    """A running server on loopback, without a password."""

    port: int
    host: str = "127.0.0.1"

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Redis]:
        """A server for the length of the block. Skips where it is not installed."""
        daemon, port = program("redis-server", "valkey-server"), free_port()
        folder = Path(tempfile.mkdtemp(prefix="trellis-redis-"))
        command = [daemon, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        process = start(command, folder / "log")
        try:
            wait_until(lambda: _answers(port), process, folder / "log")
            yield cls(port)
        finally:
            stop(process)
            shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
