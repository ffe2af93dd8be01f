"""Commands by name, and how one is run: the same for a request on the socket and for `hsctl` alone with the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import BadRequest

Command = Callable[..., Any]
"""Takes its arguments by name, returns what JSON can carry, raises MatrixError."""


def run_command(commands: Mapping[str, Command], name: str, arguments: Mapping[str, Any]) -> Any:
    """The command's result. Raises: `BadRequest` for a command or argument that is not known, and as the command."""
    command = commands.get(name)
    if command is None:
        raise BadRequest(f"The server does not know the command {name}; is it of another release than hsctl?")
    try:
        return command(**arguments)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise BadRequest(f"The command {name} does not take these arguments: {error}.") from error
        raise
