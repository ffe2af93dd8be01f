"""Running a command where the data is: in the server, if one runs here, and otherwise alone with the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.config import Config
from core.control.client import NotRunning, ask
from core.control.commands import run_command
from core.control.sockets import NAME


def socket_path(config: Config) -> Path:
    """Where the server of this configuration listens for commands."""
    return Path(config.server.data_dir) / NAME


Runner = Callable[[str, Mapping[str, Any]], Any]
"""(command, its arguments) -> its result."""


def run_where_the_data_is(config: Config, use: Callable[[Runner], int]) -> int:
    """Call `use` with a runner of commands; returns what it returns. Raises: as the commands, `Unavailable`.

    The database is opened only where no server answers.
    """
    path = socket_path(config)

    def online(command: str, arguments: Mapping[str, Any]) -> Any:
        return ask(path, command, arguments)

    try:
        ask(path, "ping", {})
    except NotRunning:
        from core.cli.offline import offline  # opens the database's modules, which a running server makes needless

        with offline(config) as parts:
            commands = parts.commands
            return use(lambda command, arguments: run_command(commands, command, arguments))
    return use(online)
