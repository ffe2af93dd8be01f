"""Who is typing, turn by turn of the wheel."""

import itertools

import pytest

from core.events.room_versions import ROOM_VERSIONS
from core.rooms import typing
from core.rooms.typing import SLOT_SECONDS, TypingBook
from core.storage.rooms import RoomName

TURNS_A_SECOND = int(1 / SLOT_SECONDS)


def room(nid=1):
    return RoomName(nid, f"!{nid}:x", ROOM_VERSIONS["11"])


@pytest.fixture
def book():
    counts = itertools.count(1)
    return TypingBook(lambda _: next(counts))


def turn(book, seconds):
    return [late for _ in range(int(seconds * TURNS_A_SECOND)) for late in book.turn()]


def test_a_typist_is_shown_until_the_time_is_up(book):
    book.start(room(), "@a:x", 2000)
    assert turn(book, 2) == []
    assert book.typing_in(1) == ["@a:x"]
    assert turn(book, 0.5) == [(room(), "@a:x")]
    assert book.typing_in(1) == []
    assert book.count == 0


def test_who_goes_on_typing_is_shown_for_longer_and_it_is_no_change(book):
    book.start(room(), "@a:x", 2000)
    turn(book, 1)
    assert book.start(room(), "@a:x", 2000) is True
    assert list(book.changed_since(1)) == []
    assert turn(book, 2) == []
    assert turn(book, 0.5) == [(room(), "@a:x")]
    assert list(book.changed_since(1)) == [1]


def test_a_shorter_time_takes_the_place_of_a_longer_one(book):
    book.start(room(), "@a:x", 60_000)
    book.start(room(), "@a:x", 1000)
    assert turn(book, 1.5) == [(room(), "@a:x")]
    assert turn(book, 120) == []


def test_who_stops_is_gone_at_once_and_can_only_stop_once(book):
    book.start(room(), "@a:x", 2000)
    assert book.stop(1, "@a:x") is True
    assert book.stop(1, "@a:x") is False
    assert book.rooms_with_typing([1, 2]) == []
    assert turn(book, 3) == []


def test_rooms_that_changed_come_last_change_first(book):
    for nid in (1, 2, 3, 1):
        book.start(room(nid), f"@{book.count}:x", 2000)
    assert list(book.changed_since(0)) == [1, 3, 2]
    assert list(book.changed_since(3)) == [1]


def test_what_is_beyond_the_limits_is_not_shown(book, monkeypatch):
    monkeypatch.setattr(typing, "MAX_TYPING_PER_ROOM", 2)
    monkeypatch.setattr(typing, "MAX_TYPING", 3)
    assert [book.start(room(), f"@{n}:x", 1000) for n in range(3)] == [True, True, False]
    assert [book.start(room(2), f"@{n}:x", 1000) for n in range(3)] == [True, False, False]
    assert book.count == 3


def test_of_too_many_rooms_the_quietest_is_forgotten(book, monkeypatch):
    monkeypatch.setattr(typing, "MAX_ROOMS", 2)
    for nid in (1, 2, 3):
        book.start(room(nid), "@a:x", 1000)
    assert (book.typing_in(1), book.typing_in(2), book.count) == ([], ["@a:x"], 2)
    assert {name.room_nid for name, _ in turn(book, 2)} == {2, 3}
