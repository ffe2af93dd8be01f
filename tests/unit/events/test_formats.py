"""Event formats: what is no event at all, and how one is read."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import EventRefused
from core.events.build import build_event
from core.events.formats import event_from_stored, parse_event
from core.events.hashes import event_id_of, has_valid_content_hash, room_id_of_create
from core.events.room_versions import ROOM_VERSIONS, EventFormat, RoomVersion
from core.ids import EventId
from tests.unit.events.builders import ALICE, VERSIONS, since
from tests.unit.events.test_vectors import KEY

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")


def good(version: RoomVersion, **changes: Any) -> dict[str, Any]:
    """A well-formed PDU, apart from `changes`; a change to ... leaves the field out."""
    references: list[Any] = [["$p:a.example", {"sha256": ""}]] if version.event_format is EventFormat.V1 else ["$p"]
    pdu = {
        "type": "m.room.message",
        "sender": ALICE,
        "room_id": "!room:a.example",
        "content": {"body": "x"},
        "prev_events": references,
        "auth_events": references,
        "depth": 5,
        "origin_server_ts": 1_700_000_000_000,
        "hashes": {"sha256": "x"},
        "signatures": {"a.example": {"ed25519:0": "x"}},
        **changes,
    }
    if version.event_format is EventFormat.V1:
        pdu.setdefault("event_id", "$e:a.example")
    return {key: value for key, value in pdu.items() if value is not ...}


@every_version
def test_a_good_event_is_read(version: RoomVersion) -> None:
    pdu = good(version, state_key="")
    event = parse_event(pdu, version)
    stored = event_from_stored(version, event.event_id, event.room_id, pdu)
    reference = "$p:a.example" if version.event_format is EventFormat.V1 else "$p"
    assert event.event_id == event_id_of(pdu, version)
    assert (event.type, event.sender, event.key) == ("m.room.message", ALICE, ("m.room.message", ""))
    assert event.prev_event_ids == event.auth_event_ids == (reference,)
    assert (event.depth, event.origin_server_ts, event.redacts) == (5, 1_700_000_000_000, None)
    for field in ("version", "event_id", "room_id", "type", "state_key", "content", "prev_event_ids", "pdu", "depth"):
        assert getattr(stored, field) == getattr(event, field)


JUNK: list[Any] = [..., None, 5, True, 1.5, [], {}, ["x"], {"x": 1}]
LONG = "x" * 256


@every_version
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("type", [v for v in JUNK if not isinstance(v, str)] + [LONG, "é" * 128]),
        ("sender", [*JUNK, "alice", "@alice", "@alice:", "@a b:c", "@" + "a" * 250 + ":a.bc", "!a:b"]),
        ("room_id", [*JUNK, "room", "!", "!" + LONG, "!a\0:b"]),
        ("state_key", [v for v in JUNK if v is not ...] + [LONG, "é" * 128]),
        ("content", [..., None, 5, "x", [], True]),
        ("depth", [..., None, "5", 1.0, True, -1, 2**63, [], {}]),
        ("origin_server_ts", [..., None, "5", 1.0, True, 2**63, -(2**63), [], {}]),
        ("hashes", [..., None, 5, [], {}, {"sha256": 5}, {"md5": "x"}]),
        ("signatures", [..., None, 5, [], {"a.example": 5}, {"a.example": None}]),
        ("unsigned", [None, 5, [], "x"]),
        ("prev_events", [..., None, 5, {}, "$x", [5], [None], ["x"], [[]], [["$x:y"]], [["$x:y", 5]], [[5, {}]]]),
        ("auth_events", [..., None, 5, {}, "$x", [5], [None], ["x"], [[]], [["$x:y"]], [["$x:y", 5]], [[5, {}]]]),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_its_name(version: RoomVersion, field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(EventRefused) as refused:
            parse_event(good(version, **{field: value}), version)
        named = f"`{field}`" in refused.value.sentence
        assert named or isinstance(value, float) or (type(value) is int and abs(value) >= 2**53), value


@every_version
@pytest.mark.parametrize("junk", [None, 5, "x", [], [1]])
def test_an_event_is_an_object(version: RoomVersion, junk: Any) -> None:
    with pytest.raises(EventRefused, match="JSON object"):
        parse_event(junk, version)


@every_version
@pytest.mark.parametrize(("field", "most"), [("prev_events", 20), ("auth_events", 10)])
def test_references_are_bounded(version: RoomVersion, field: str, most: int) -> None:
    reference = good(version)[field][0]
    parse_event(good(version, **{field: [reference] * most}), version)
    with pytest.raises(EventRefused, match=f"at most {most}"):
        parse_event(good(version, **{field: [reference] * (most + 1)}), version)


@every_version
def test_depth_ends_where_integers_do(version: RoomVersion) -> None:
    most = 2**53 - 1 if version.strict_canonical_json else 2**63 - 1
    assert parse_event(good(version, depth=most), version).depth == most
    assert parse_event(good(version, depth=0), version).depth == 0
    with pytest.raises(EventRefused):
        parse_event(good(version, depth=most + 1), version)


@every_version
def test_an_event_has_at_most_65536_bytes(version: RoomVersion) -> None:
    from core.events.canonical_json import encode

    room = 65_536 - len(encode(good(version, content={"body": ""})))
    parse_event(good(version, content={"body": "x" * room}), version)
    with pytest.raises(EventRefused, match="65537 bytes") as refused:
        parse_event(good(version, content={"body": "x" * (room + 1)}), version)
    assert refused.value.errcode == "M_TOO_LARGE"


@every_version
def test_fields_have_at_most_255_bytes(version: RoomVersion) -> None:
    pdu = good(version, type="x" * 255, state_key="é" * 127)
    assert parse_event(pdu, version).type == "x" * 255


@every_version
@pytest.mark.parametrize("content", [{"a": 1.5}, {"a": 2**53}, {"a": [{"b": 1e-7}]}])
def test_numbers_that_are_not_canonical_are_for_the_older_versions(version: RoomVersion, content: Any) -> None:
    pdu = good(version, content=content)
    if version.strict_canonical_json:
        with pytest.raises(EventRefused):
            parse_event(pdu, version)
    else:
        assert parse_event(pdu, version).content == content


def test_events_of_versions_1_and_2_carry_an_id_with_a_server() -> None:
    for junk in (..., None, 5, "$e", "e:a.example", "$" + LONG + ":a"):
        with pytest.raises(EventRefused):
            parse_event(good(ROOM_VERSIONS["1"], event_id=junk), ROOM_VERSIONS["1"])


@every_version
def test_an_id_that_is_given_is_believed(version: RoomVersion) -> None:
    assert parse_event(good(version), version, EventId("$given")).event_id == "$given"


@every_version
def test_a_create_event_of_version_12_founds_the_room_id(version: RoomVersion) -> None:
    if not version.room_id_is_create_hash:
        return
    pdu = good(version, type="m.room.create", state_key="", room_id=..., prev_events=[], auth_events=[])
    event = parse_event(pdu, version)
    assert event.room_id == room_id_of_create(pdu, version) == "!" + event.event_id[1:]
    with pytest.raises(EventRefused, match="`room_id`"):
        parse_event(good(version, room_id=...), version)


@every_version
@pytest.mark.parametrize(("target", "read"), [("$x:y", "$x:y"), ("x", None), (5, None), (None, None)])
def test_a_redaction_names_its_target_where_the_version_keeps_it(version: RoomVersion, target: Any, read: Any) -> None:
    beside = good(version, type="m.room.redaction", redacts=target)
    within = good(version, type="m.room.redaction", content={"redacts": target})
    assert parse_event(beside, version).redacts == (None if version.redacts_in_content else read)
    assert parse_event(within, version).redacts == (read if version.redacts_in_content else None)
    assert parse_event(good(version, redacts=target), version).redacts is None


@pytest.mark.parametrize(("version", "length"), [(ROOM_VERSIONS["3"], 44), *((version, 44) for version in since(4))])
def test_event_ids_are_reference_hashes_in_the_versions_alphabet(version: RoomVersion, length: int) -> None:
    ids = [event_id_of(good(version, depth=depth), version) for depth in range(40)]
    assert {len(event_id) for event_id in ids} == {length}
    characters = set("".join(ids))
    assert ("+" in characters or "/" in characters) is (version.id == "3")


def build(version: RoomVersion, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "version": version,
        "room_id": "!room:a.example",
        "event_type": "m.room.message",
        "sender": ALICE,
        "content": {"body": "x"},
        "prev_events": [],
        "auth_events": [],
        "depth": 7,
        "origin_server_ts": 1,
        "server": "a.example",
        "signing_key": KEY,
        "opaque_id": "o",
        **changes,
    }
    return build_event(**fields)


@every_version
def test_a_built_event_is_what_parsing_its_pdu_gives(version: RoomVersion) -> None:
    parent = build(version, state_key="", event_type="m.room.topic")
    event = build(version, prev_events=[parent], auth_events=[parent], unsigned={"age": 5})
    parsed = parse_event(dict(event.pdu), version)
    assert parsed.event_id == event.event_id
    assert parsed.room_id == event.room_id
    assert parsed.prev_event_ids == event.prev_event_ids == parsed.auth_event_ids == (parent.event_id,)
    assert has_valid_content_hash(event.pdu)
    assert event.pdu["unsigned"] == {"age": 5}
    if version.event_format is EventFormat.V1:
        assert event.event_id == "$o:a.example"
        assert len(event.pdu["prev_events"][0][1]["sha256"]) == 43


@every_version
def test_built_redactions_and_create_events_have_the_versions_format(version: RoomVersion) -> None:
    redaction = build(version, event_type="m.room.redaction", content={}, redacts="$x:y")
    assert redaction.redacts == parse_event(redaction.pdu, version).redacts == "$x:y"
    create = build(version, event_type="m.room.create", state_key="")
    assert ("room_id" in create.pdu) is not version.room_id_is_create_hash
    assert create.room_id == room_id_of_create(create.pdu, version)


@every_version
def test_what_cannot_be_an_event_is_not_built(version: RoomVersion) -> None:
    for changes in ({"content": {"body": "x" * 65_536}}, {"event_type": LONG}, {"state_key": LONG}):
        with pytest.raises(EventRefused) as refused:
            build(version, **changes)
        assert refused.value.errcode == "M_TOO_LARGE"
    with pytest.raises(EventRefused):
        build(version, content={"a": float("nan")})
    with pytest.raises(ValueError, match="room id"):
        build(version, room_id=None)
    assert build(version, depth=2**60).depth == 2**53 - 1


def test_references_of_versions_1_and_2_need_whole_events_and_an_opaque_id() -> None:
    with pytest.raises(ValueError, match="whole events"):
        build(ROOM_VERSIONS["1"], prev_events=["$x:y"])
    with pytest.raises(ValueError, match="opaque id"):
        build(ROOM_VERSIONS["1"], opaque_id=None)
