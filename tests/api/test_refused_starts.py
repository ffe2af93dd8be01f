"""The real server, where it cannot start: one sentence for the administrator, and no traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.servers.trellis import Server

REFUSED = 3
"""gunicorn's exit code where a worker cannot start."""


def output_of_refused_start(server: Server) -> str:
    with pytest.raises(AssertionError, match="the server did not start"):
        server.start()
    assert server.process is not None
    assert server.process.returncode == REFUSED
    return server.output()


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hs.db") as database:
        database.execute("CREATE TABLE users (name TEXT)")
    output = output_of_refused_start(Server(tmp_path))
    assert "The database holds tables that are not this server's (users)" in output
    assert "Traceback" not in output


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "hs.db").write_bytes(b"junk " * 1000)
    output = output_of_refused_start(Server(tmp_path))
    assert f"The SQLite file {tmp_path / 'hs.db'} cannot be used: file is not a database." in output
    assert "Traceback" not in output


def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    output = output_of_refused_start(Server(tmp_path, modules=[{"module": "no.such.Thing"}]))
    assert "The plugin no.such.Thing cannot be imported" in output
    assert "Traceback" not in output
