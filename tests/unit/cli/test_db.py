"""`hsctl db`: with a server that runs, and alone with the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import gevent
import pytest
import yaml

from core.cli.__main__ import main
from core.control.server import ControlServer


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "homeserver.yaml"
    database = {"name": "sqlite3", "args": {"database": str(tmp_path / "hs.db")}}
    path.write_text(yaml.safe_dump({"server_name": "example.org", "data_dir": str(tmp_path), "database": database}))
    return str(path)


def hsctl(*arguments: str) -> int:
    """Run it on a thread of the hub's, so that a server's greenlets run meanwhile."""
    return int(gevent.get_hub().threadpool.apply(main, (list(arguments),)) or 0)


def test_the_first_start_is_what_makes_a_database(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hsctl("db", "status", config) == 1
    assert "does not exist yet; the first start makes it." in capsys.readouterr().out


def test_a_running_server_is_asked(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    control = ControlServer(
        tmp_path / "hsctl.sock", {"db status": lambda: {"applied": ["0001 of the server"], "missing": []}}
    )
    control.start()
    assert hsctl("db", "status", config) == 0
    control.stop()
    assert "  applied  0001 of the server\n" in capsys.readouterr().out


def test_a_database_of_something_else_is_refused_with_a_sentence(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(tmp_path / "hs.db") as database:
        database.execute("CREATE TABLE users (name TEXT)")
    for action in ("status", "migrate"):
        assert hsctl("db", action, config) == 2
        assert "The database holds tables that are not this server's (users)" in capsys.readouterr().err
