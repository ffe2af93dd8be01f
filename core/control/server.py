"""The server's side of the socket: one greenlet that accepts, one for each connection, a few at a time."""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
import orjson
from gevent.pool import Pool

from core.control.commands import Command, run_command
from core.control.sockets import listening
from core.errors import MatrixError

LOG = logging.getLogger(__name__)

CONNECTIONS = 8
MAX_LINE_BYTES = 1_000_000
IDLE_SECONDS = 60.0


class ControlServer:
    """Answers `hsctl`."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._pool = Pool(CONNECTIONS)
        self._listener: socket.socket | None = None
        self._accepting: gevent.Greenlet | None = None
        self._inode = 0

    def start(self) -> None:
        """Listen. Where the folder does not allow it the server runs without, and the log says so."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._listener = listening(self._path)
            self._inode = os.stat(self._path).st_ino
        except OSError as error:
            LOG.warning("hsctl cannot speak to this server while it runs: %s: %s", self._path, error.strerror)
            return
        self._accepting = gevent.spawn(self._accept, self._listener)

    def stop(self) -> None:
        """Stop listening, finish what is being done, for five seconds at most, and remove the socket if it is ours."""
        if self._listener is None:
            return
        if self._accepting is not None:
            self._accepting.kill()
        self._listener.close()
        self._listener = None
        try:
            if os.stat(self._path).st_ino == self._inode:
                self._path.unlink()
        except OSError:
            pass  # gone, or its folder is
        self._pool.join(timeout=5)
        self._pool.kill()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            self._pool.spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_SECONDS)
        try:
            with connection, connection.makefile("rb") as lines:
                if not _is_ours(connection):
                    return
                while line := lines.readline(MAX_LINE_BYTES):
                    connection.sendall(orjson.dumps(self._answer(line)) + b"\n")
        except OSError:
            pass  # the other side has gone

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = orjson.loads(line)
            return {"result": run_command(self._commands, asked["command"], asked["arguments"])}
        except MatrixError as error:
            return {"error": error.sentence}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return {"error": "This is no request to the server."}
        except Exception:
            LOG.exception("a command of hsctl failed")
            return {"error": "The server failed; its log says how."}


def _is_ours(connection: socket.socket) -> bool:
    """Whether the other side runs as the server's own user, or as root."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (0, os.geteuid())
