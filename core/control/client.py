"""The command line's side of the socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from core.control.sockets import address_of
from core.errors import MatrixError, Unavailable

TIMEOUT_SECONDS = 60.0


class NotRunning(Unavailable):
    """Nobody listens at the socket."""


def ask(path: Path, command: str, arguments: Mapping[str, Any]) -> Any:
    """The result of a command that a running server carries out.

    Raises: `NotRunning`; `Unavailable` where it does not answer; `MatrixError` with the server's sentence.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        try:
            with address_of(path) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning("No server is running here.") from error
        except PermissionError as error:
            raise Unavailable(f"{path} may not be opened: run hsctl as the server's own user, or as root.") from error
        try:
            connection.sendall(orjson.dumps({"command": command, "arguments": dict(arguments)}) + b"\n")
            with connection.makefile("rb") as lines:
                answer = orjson.loads(lines.readline())
        except (OSError, orjson.JSONDecodeError) as error:
            raise Unavailable("The running server does not answer.") from error
    if "error" in answer:
        raise MatrixError(str(answer["error"]))
    return answer["result"]
