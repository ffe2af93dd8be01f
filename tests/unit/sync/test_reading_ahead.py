"""First answers right after a start: many rooms are read together, and the answer is that of reading them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.app import build
from core.config.first_start import prepare
from core.config.loader import config_from
from core.ids import Requester
from core.sync.reading_ahead import ReadingAhead
from tests.servers.trellis import base_config
from tests.unit.sync.world import World

SLIDING = {
    "lists": {
        "all": {
            "ranges": [[0, 99]],
            "timeline_limit": 3,
            "required_state": [["m.room.name", ""], ["m.room.member", "$LAZY"]],
        }
    }
}
ASKED: dict[str, Callable[[World, Requester], dict]] = {
    "v3": lambda world, who: world.sync(who),
    "sliding": lambda world, who: world.slide(who, SLIDING),
}


@contextmanager
def started(folder: Path) -> Iterator[World]:
    """The server of a folder, with nothing in memory."""
    app = build(prepare(config_from(base_config(folder, 8448), None, {})))
    app.start()
    try:
        yield World(app)
    finally:
        app.stop_waiting()
        app.close()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory) -> tuple[Path, Requester, Requester]:
    """Somebody is in five rooms, and somebody in twenty; some of the five have edits, and history that is hidden."""
    folder = tmp_path_factory.mktemp("many")
    with started(folder) as world:
        owner, few, many = world.user(), world.user(), world.user()
        for number in range(20):
            room = world.room(owner)
            world.send(room, owner, "m.room.name", {"name": f"Room {number}"}, "")
            if number in (0, 3):
                world.send(room, owner, "m.room.history_visibility", {"history_visibility": "joined"}, "")
            world.say(room, owner, f"before {number}")
            for other in (few, many) if number < 5 else (many,):
                world.send(room, other, "m.room.member", {"membership": "join"}, other.user_id)
            last = world.say(room, owner, f"after {number}")
            edit = {"rel_type": "m.replace", "event_id": last.event_id}
            if number in (1, 3):
                content = {"body": "* x", "m.new_content": {"body": "x"}, "m.relates_to": edit}
                world.send(room, owner, "m.room.message", content)
    return folder, few, many


def without_times(value: object) -> object:
    """An answer without what differs from one moment to the next."""
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in ("age", "next_batch", "pos")}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def questions(folder: Path, who: Requester, kind: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements a first answer takes right after a start."""
    with started(folder) as world, monkeypatch.context() as patch:
        assert world.app.push.counter.ready(world.app.ground.storage.tail.position), (
            "it counts what came before the stop"
        )
        sent: list[str] = []
        database, rows = world.app.ground.storage.database, world.app.ground.storage.database.rows
        patch.setattr(database, "rows", lambda sql, params=(): sent.append(sql) or rows(sql, params))
        ASKED[kind](world, who)
        return sum("room_servers" not in sql for sql in sent)  # which the senders ask for, meanwhile


@pytest.mark.parametrize("kind", ASKED)
def test_a_first_answer_of_many_rooms_takes_hardly_more_questions_than_one_of_few(rooms, kind, monkeypatch) -> None:
    folder, few, many = rooms
    assert questions(folder, many, kind, monkeypatch) <= questions(folder, few, kind, monkeypatch) + 10


@pytest.mark.parametrize("kind", ASKED)
def test_a_first_answer_is_the_same_room_by_room(rooms, kind, monkeypatch) -> None:
    folder, _, many = rooms
    with started(folder) as world:
        together = without_times(ASKED[kind](world, many))
    monkeypatch.setattr(ReadingAhead, "load", lambda self, asking, rooms, limit: None)
    with started(folder) as world:
        assert without_times(ASKED[kind](world, many)) == together
