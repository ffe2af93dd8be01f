"""The real server, where it cannot start: one sentence for the administrator, and no traceback."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from core.wiring.ground import OWNER_WAIT_SECONDS
from tests.servers.trellis import Server

REFUSED = 3
"""gunicorn's exit code where a worker cannot start."""


MISCONFIGURED = 2


def output_of_refused_start(server: Server, code: int = REFUSED) -> str:
    with pytest.raises(AssertionError, match="the server did not start"):
        server.start()
    assert server.process is not None
    assert server.process.returncode == code
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


def test_a_stage_of_registration_that_no_plugin_adds_is_named(tmp_path: Path) -> None:
    settings = {"enable_registration": True, "registration_requires_stages": ["org.example.riddle"]}
    output = output_of_refused_start(Server(tmp_path, **settings))
    assert "registration_requires_stages: 'org.example.riddle' is not allowed; no plugin adds such a stage" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("signing.key", "signing_key_path: {} cannot be read: Is a directory."),
        ("hs.db", "database.args.database: {} is a folder; give the path of a file."),
        ("homeserver.log", "log_file: {} is a folder; give the path of a file."),
    ],
)
def test_a_folder_in_the_place_of_a_file_ends_the_start_with_a_sentence_and_code_2(
    tmp_path: Path, folder: str, said: str
) -> None:
    (tmp_path / folder).mkdir()
    output = output_of_refused_start(Server(tmp_path), MISCONFIGURED)
    assert output == said.format(tmp_path / folder) + "\n"


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The configuration of a database that does not exist yet, or is empty."""
    if request.param == "sqlite":
        yield {"name": "sqlite3", "args": {"database": str(tmp_path / "shared.db")}}
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        args = {"unix_socket": settings.unix_socket, "user": settings.user, "database": settings.database}
        yield {"name": "mariadb", "args": args}


def test_a_second_server_on_the_same_data_is_refused_at_once_and_the_first_can_be_reloaded(
    database: dict[str, Any], tmp_path: Path
) -> None:
    first = Server(tmp_path, database).start()
    (tmp_path / "second").mkdir()
    began = time.monotonic()
    output = output_of_refused_start(Server(tmp_path / "second", database, server_name=first.name))
    assert time.monotonic() - began < OWNER_WAIT_SECONDS, "it waited, as for the end of the first"
    assert re.search(r"Another server \(process \d+\) is using the database .*: stop it, or give this one", output)
    assert "Traceback" not in output
    log = tmp_path / "homeserver.log"
    starts = log.read_text().count("Trellis is ready.")
    assert first.process is not None
    first.process.send_signal(signal.SIGHUP)
    while log.read_text().count("Trellis is ready.") == starts:
        assert requests.get(f"{first.base}/_matrix/client/versions", timeout=15).status_code == 200
    assert first.stop() == 0
