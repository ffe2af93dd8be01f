"""Rooms that all local users have left and forgotten lose their history after a while; a server in this process."""

from __future__ import annotations

import pytest

from core.rooms.abandoned_rooms import AbandonedRooms
from core.storage.abandoned_rooms import AbandonedRoomStore
from tests.servers.in_process import InProcess

KEPT_MS = 1_000


@pytest.fixture
def server(tmp_path):
    server = InProcess(tmp_path)
    yield server
    server.close()


class Life:
    """Two users in a room of theirs, and the chore with a clock of its own."""

    def __init__(self, server: InProcess) -> None:
        self.server, self.now_ms = server, 10_000
        self.tokens = [server.register()["access_token"] for _ in range(2)]
        body = {"preset": "public_chat"}
        self.room = self.ask(0, "POST", "/v3/createRoom", body)["room_id"]
        self.ask(1, "POST", f"/v3/join/{self.room}")
        said = self.ask(0, "PUT", f"/v3/rooms/{self.room}/send/m.room.message/1", {"msgtype": "m.text", "body": "x"})
        self.said = said["event_id"]
        storage, graph = server.app.ground.storage, server.app.rooms.graph
        store = AbandonedRoomStore(storage.database)
        self.chore = AbandonedRooms(graph, store, storage.writer, KEPT_MS, lambda: self.now_ms)

    def ask(self, who: int, method: str, path: str, body: object = None):
        return self.server.ask(method, f"/_matrix/client{path}", self.tokens[who], body)

    def go(self, *who: int) -> None:
        for one in who:
            self.ask(one, "POST", f"/v3/rooms/{self.room}/leave")
            self.ask(one, "POST", f"/v3/rooms/{self.room}/forget")

    def purge_later(self) -> int:
        """The chore has two turns, the second when the time is up."""
        first = self.chore.purge()
        self.now_ms += KEPT_MS
        return first + self.chore.purge()

    def is_kept(self) -> bool:
        return self.server.app.rooms.graph.events.by_id(self.said) is not None


@pytest.fixture
def life(server):
    return Life(server)


def test_the_history_goes_when_all_have_forgotten_and_only_once(life):
    life.go(0, 1)
    assert life.chore.purge() == 0
    assert life.is_kept()
    life.now_ms += KEPT_MS
    assert life.chore.purge() == 1
    assert not life.is_kept()
    assert life.purge_later() == 0


def test_a_room_that_somebody_remembers_is_kept(life):
    life.go(0)
    life.ask(1, "POST", f"/v3/rooms/{life.room}/leave")
    assert life.purge_later() == 0
    assert life.is_kept()


def test_who_comes_back_in_time_finds_everything_and_the_time_begins_anew(life):
    life.go(0, 1)
    life.chore.purge()
    life.ask(1, "POST", f"/v3/join/{life.room}")
    assert life.purge_later() == 0
    life.go(1)
    assert life.chore.purge() == 0
    assert life.is_kept()


def test_who_comes_back_later_finds_the_room_and_nothing_that_was_said(life):
    life.go(0, 1)
    assert life.purge_later() == 1
    life.ask(1, "POST", f"/v3/join/{life.room}")
    page = life.ask(1, "GET", f"/v3/rooms/{life.room}/messages?dir=b&limit=50")
    assert page["chunk"][0]["type"] == "m.room.member"
    assert "m.room.message" not in {event["type"] for event in page["chunk"]}
    state = life.ask(1, "GET", f"/v3/rooms/{life.room}/state")
    assert {"m.room.create", "m.room.join_rules", "m.room.power_levels"} <= {event["type"] for event in state}
