"""A database with a graph and pushers, in this process, and a push gateway on loopback."""

from __future__ import annotations

import json

import pytest
import requests
from gevent.pywsgi import WSGIServer

from core.errors import Unavailable
from core.events.signatures import SigningKey
from core.graph.graph import build_graph
from core.hooks.api import HttpAnswer
from core.ids import ServerName, UserId
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.migrations.migrating import core_migrations, migrate
from core.storage.writer import Writer
from tests.graph.local_room import BEN, create_room, member

MEMBERS = [UserId(f"@member{number}:here.test") for number in range(40)]


class Gateway:
    """Takes what is pushed, or fails as often as it is told to."""

    def __init__(self) -> None:
        self.taken: list[dict] = []
        self.failures = 0
        self.rejected: list[str] = []
        self._server = WSGIServer(("127.0.0.1", 0), self._serve, log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/_matrix/push/v1/notify"

    def stop(self) -> None:
        """Close the port."""
        self._server.stop()

    def _serve(self, environ, start_response):
        body = json.loads(environ["wsgi.input"].read())
        if self.failures:
            self.failures -= 1
            start_response("502 Bad Gateway", [])
            return [b""]
        self.taken.append(body["notification"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"rejected": self.rejected}).encode()]


class PlainHttp:
    """The door to other machines, as far as these tests need one."""

    def request(self, method, url, *, body=None, headers=None, timeout_ms=10_000, max_bytes=1_000_000):
        try:
            answer = requests.request(method, url, data=body, headers=headers, timeout=timeout_ms / 1000)
        except requests.ConnectionError as error:
            raise Unavailable("There is no answer.") from error
        return HttpAnswer(answer.status_code, dict(answer.headers), answer.content[:max_bytes])


@pytest.fixture
def gateway():
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def database(tmp_path):
    database = Database(SqliteSettings(tmp_path / "hs.db", "NORMAL"))
    migrate(database, core_migrations())
    yield database
    database.close()


@pytest.fixture
def tail(database):
    return LogTail(LogReader(database).tip())


@pytest.fixture
def writer(database, tail):
    writer = Writer(database, tail)
    writer.start()
    yield writer
    writer.close()


@pytest.fixture
def graph(database, writer, tail):
    texts = Interner(database, writer)
    return build_graph(database, writer, tail, texts, ServerName("here.test"), SigningKey("ed25519:here", b"h" * 32))


@pytest.fixture
def room(graph):
    """A room of Anna's with Ben and many others."""
    room = create_room(graph).room_nid
    graph.write.send(room, [member(user) for user in [BEN, *MEMBERS]])
    return room
