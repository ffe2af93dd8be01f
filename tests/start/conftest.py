"""Servers that are stopped at the end of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.start.servers import Server


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server in the test's folder: `launch(arguments, NAME="in the environment")`."""
    started: list[Server] = []

    def start(arguments: list[str], **environ: str) -> Server:
        server = Server(tmp_path, arguments, **environ)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()
