"""Event filters: reading them strictly, and matching."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import BadJson
from core.events.event_filter import EventFilter, RoomEventFilter, parse_filter, parse_room_event_filter
from core.events.property_path import split_path

ROOM, ALICE = "!r:a.example", "@alice:a.example"


def wants(given: dict[str, Any], event_type: str = "m.room.message", **content: Any) -> bool:
    return parse_room_event_filter(given).matches_event(event_type, ALICE, ROOM, content)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, True),
        ({"types": ["m.room.message"]}, True),
        ({"types": ["m.room.*"]}, True),
        ({"types": ["*message"]}, True),
        ({"types": ["m.room.messag?"]}, False),
        ({"types": ["m.room"]}, False),
        ({"types": []}, False),
        ({"not_types": ["m.*"]}, False),
        ({"not_types": []}, True),
        ({"types": ["*"], "not_types": ["m.room.message"]}, False),
        ({"senders": [ALICE]}, True),
        ({"senders": []}, False),
        ({"senders": ["@bob:b.example"]}, False),
        ({"senders": [ALICE], "not_senders": [ALICE]}, False),
        ({"rooms": [ROOM]}, True),
        ({"rooms": []}, False),
        ({"rooms": [ROOM], "not_rooms": [ROOM]}, False),
        ({"not_rooms": ["!other:a.example"]}, True),
        ({"contains_url": True}, False),
        ({"contains_url": False}, True),
    ],
)
def test_an_event_is_matched_by_every_part_of_a_filter(given: dict[str, Any], wanted: bool) -> None:
    assert wants(given) is wanted


def test_contains_url_looks_for_the_key() -> None:
    assert wants({"contains_url": True}, url="mxc://a/b")
    assert not wants({"contains_url": False}, url="mxc://a/b")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"related_by_rel_types": ["m.thread"]}, True),
        ({"related_by_rel_types": ["m.replace"]}, False),
        ({"related_by_senders": ["@bob:b.example"]}, True),
        ({"related_by_senders": ["@bob:b.example"], "related_by_rel_types": ["m.annotation"]}, False),
        ({"related_by_senders": [ALICE], "related_by_rel_types": ["m.annotation"]}, True),
    ],
)
def test_relations_must_match_by_type_and_sender_at_once(given: dict[str, Any], wanted: bool) -> None:
    relations = [("m.thread", "@bob:b.example"), ("m.annotation", ALICE)]
    parsed = parse_room_event_filter(given)
    assert parsed.judges_relations
    assert parsed.matches_event("m.room.message", ALICE, ROOM, {}, lambda: relations) is wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"rel_types": ["m.thread"]}, [True, False, False]),
        ({"not_rel_types": ["m.thread"]}, [False, True, True]),
        ({"rel_types": ["m.thread", "m.replace"], "not_rel_types": ["m.thread"]}, [False, True, False]),
        ({"rel_types": []}, [False, False, False]),
    ],
)
def test_events_are_wanted_by_how_they_relate_themselves(given: dict[str, Any], wanted: list[bool]) -> None:
    prefixed = {f"org.matrix.msc3874.{key}": types for key, types in given.items()}
    relations = [{"rel_type": "m.thread"}, {"rel_type": "m.replace"}, {"m.in_reply_to": {"event_id": "$e"}}]
    assert [wants(prefixed, **{"m.relates_to": relation}) for relation in relations] == wanted


def test_relations_are_not_asked_for_where_they_do_not_matter() -> None:
    def never() -> list[tuple[str, str]]:
        raise AssertionError("asked")

    assert RoomEventFilter().matches_event("m.room.message", ALICE, ROOM, {}, never)


def test_what_has_no_sender_is_not_judged_by_sender() -> None:
    assert EventFilter(senders=frozenset({"@bob:b.example"})).matches("m.push_rules")


def test_a_limit_has_a_default_and_a_maximum() -> None:
    assert EventFilter().limit_within() == 10
    assert EventFilter(limit=5).limit_within() == 5
    assert parse_room_event_filter({"limit": 0}).limit_within() == 1
    assert EventFilter(limit=2**60).limit_within() == 1000
    assert EventFilter(limit=50).limit_within(default=1, maximum=20) == 20


def test_empty_lists_want_nothing() -> None:
    assert EventFilter(types=()).wants_nothing
    assert EventFilter(senders=frozenset()).wants_nothing
    assert not EventFilter().wants_nothing


def test_a_whole_filter_is_read() -> None:
    member_loading = {"lazy_load_members": True, "include_redundant_members": True, "unread_thread_notifications": True}
    parsed = parse_filter(
        {
            "event_fields": ["type", r"content.m\.relates_to"],
            "event_format": "federation",
            "presence": {"types": ["m.presence"]},
            "account_data": {"limit": 3},
            "room": {"include_leave": True, "rooms": [ROOM], "timeline": {"limit": 7}, "state": member_loading},
            "org.example.unknown": 1,
        }
    )
    assert parsed.event_fields == (("type",), ("content", "m.relates_to"))
    assert parsed.event_format == "federation"
    assert parsed.presence.types == ("m.presence",)
    assert parsed.account_data.limit == 3
    assert parsed.room.include_leave
    assert parsed.room.wants_room(ROOM)
    assert not parsed.room.wants_room("!other:a.example")
    assert parsed.room.timeline.limit == 7
    assert parsed.room.state == RoomEventFilter(
        lazy_load_members=True, include_redundant_members=True, unread_thread_notifications=True
    )


def test_an_empty_filter_wants_everything() -> None:
    parsed = parse_filter({})
    assert parsed.room.timeline == RoomEventFilter()
    assert parsed.event_fields is None
    assert parsed.event_format == "client"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], "The filter"),
        (None, "The filter"),
        ({"room": []}, "room"),
        ({"room": {"timeline": 1}}, "room.timeline"),
        ({"room": {"timeline": {"limit": -1}}}, "room.timeline.limit"),
        ({"room": {"timeline": {"limit": True}}}, "room.timeline.limit"),
        ({"room": {"timeline": {"limit": None}}}, "room.timeline.limit"),
        ({"room": {"timeline": {"limit": 1.5}}}, "room.timeline.limit"),
        ({"room": {"state": {"types": "m.room.member"}}}, "room.state.types"),
        ({"room": {"state": {"not_types": [1]}}}, "room.state.not_types"),
        ({"room": {"state": {"senders": ["alice"]}}}, "room.state.senders"),
        ({"room": {"state": {"not_senders": None}}}, "room.state.not_senders"),
        ({"room": {"state": {"lazy_load_members": 1}}}, "room.state.lazy_load_members"),
        ({"room": {"ephemeral": {"rooms": ["#r:a"]}}}, "room.ephemeral.rooms"),
        ({"room": {"account_data": {"not_rooms": {}}}}, "room.account_data.not_rooms"),
        ({"room": {"include_leave": "yes"}}, "room.include_leave"),
        ({"room": {"rooms": [None]}}, "room.rooms"),
        ({"presence": "all"}, "presence"),
        ({"account_data": {"types": [None]}}, "account_data.types"),
        ({"event_format": "raw"}, "event_format"),
        ({"event_format": []}, "event_format"),
        ({"event_fields": "type"}, "event_fields"),
    ],
)
def test_a_wrong_filter_is_refused_with_the_key_that_is_wrong(given: object, named: str) -> None:
    with pytest.raises(BadJson) as refused:
        parse_filter(given)
    assert refused.value.sentence.startswith(named)


def test_event_fields_cut_the_event_down() -> None:
    event = {"type": "t", "sender": ALICE, "content": {"body": "b", "a.b": {"c": 1, "d": 2}, "x": 3}}
    fields = ["type", "content.body", r"content.a\.b.c", "content.missing", "type.deeper", "absent"]
    cut = parse_filter({"event_fields": fields}).cut(event)
    assert cut == {"type": "t", "content": {"body": "b", "a.b": {"c": 1}}}
    assert parse_filter({}).cut(event) == event


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("content.body", ("content", "body")),
        (r"content.m\.relates_to", ("content", "m.relates_to")),
        (r"content.m\\foo", ("content", "m\\foo")),
        (r"content.m\x", ("content", r"m\x")),
        (r"a\\.b", ("a\\", "b")),
        ("trailing\\", ("trailing\\",)),
        ("", ("",)),
        ("a..b", ("a", "", "b")),
    ],
)
def test_property_paths_are_split_at_unescaped_dots(path: str, names: tuple[str, ...]) -> None:
    assert split_path(path) == names
