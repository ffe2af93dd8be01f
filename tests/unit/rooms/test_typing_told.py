"""What other servers are told of typing."""

from types import SimpleNamespace

import pytest
from gevent.event import Event

from core.errors import Forbidden
from core.events.room_versions import ROOM_VERSIONS
from core.ids import Requester
from core.rooms import typing
from core.rooms.typing import Typing, TypingBook
from core.storage.log import Kind, Line
from core.storage.rooms import RoomName

ROOM = RoomName(1, "!1:x", ROOM_VERSIONS["11"])
MESSAGE, LEAVE, NAME = 7, 8, 9
EVENTS = {
    MESSAGE: SimpleNamespace(type="m.room.message", sender="@alice:x", state_key=None),
    LEAVE: SimpleNamespace(type="m.room.member", sender="@bob:x", state_key="@alice:x", content={"membership": "ban"}),
    NAME: SimpleNamespace(type="m.room.name", sender="@alice:x", state_key="", content={}),
}
ALICE = Requester("@alice:x", 1, "D", 1)


class Told:
    """An EduSink that keeps what it hears, and fails for Eve."""

    def __init__(self):
        self.heard, self.ended = [], Event()

    def typing(self, room, user_id, is_typing):
        if user_id == "@eve:x":
            raise RuntimeError("no")
        self.heard.append((user_id, is_typing))
        if not is_typing:
            self.ended.set()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def typists(told, monkeypatch):
    monkeypatch.setattr(typing, "SHORTEST_MS", 0)
    typists = Typing(SimpleNamespace(joined=lambda who, room: ROOM), TypingBook(lambda room: 1), told, "x", EVENTS.get)
    typists.start()
    yield typists
    typists.stop()


def test_the_beginning_and_the_end_by_itself_are_told_of_our_users_alone(typists, told):
    typists.receive(ROOM, "@remote:y", True, 0)
    typists.set(ALICE, ROOM.room_id, "@alice:x", True, 0)
    assert told.ended.wait(5)
    assert told.heard == [("@alice:x", True), ("@alice:x", False)]


def test_the_wheel_goes_on_where_telling_fails(typists, told):
    typists.receive(ROOM, "@eve:x", True, 0)
    typists.receive(ROOM, "@alice:x", True, 0)
    assert told.ended.wait(5)


def test_who_was_not_typing_has_not_stopped(typists, told):
    typists.set(ALICE, ROOM.room_id, "@alice:x", False)
    assert told.heard == []
    with pytest.raises(Forbidden):
        typists.set(ALICE, ROOM.room_id, "@bob:x", False)


@pytest.mark.parametrize("event", [MESSAGE, LEAVE])
def test_who_sends_a_message_or_is_gone_has_stopped(typists, told, event):
    typists.set(ALICE, ROOM.room_id, "@alice:x", True, 60_000)
    typists.follow([Line(Kind.EVENT, ROOM.room_nid, NAME), Line(Kind.EVENT, ROOM.room_nid + 1, event)])
    typists.follow([Line(Kind.EVENT, ROOM.room_nid, event)])
    assert told.ended.wait(5)
    assert told.heard == [("@alice:x", True), ("@alice:x", False)]
