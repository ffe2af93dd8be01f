"""Redaction: what survives in which room version, and who may redact."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events.hashes import event_id_of
from core.events.redaction import essential, may_redact, redact
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room, since

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
ALWAYS = {
    "event_id",
    "type",
    "room_id",
    "sender",
    "state_key",
    "content",
    "hashes",
    "signatures",
    "depth",
    "prev_events",
    "auth_events",
    "origin_server_ts",
}
UNTIL_10 = {"prev_state", "origin", "membership"}


@every_version
def test_the_top_level_keys_of_the_list_survive(version: RoomVersion) -> None:
    pdu: dict[str, Any] = dict.fromkeys([*ALWAYS, *UNTIL_10, "unsigned", "redacts", "age_ts", "x"], 1)
    kept = ALWAYS if version.updated_redaction else ALWAYS | UNTIL_10
    assert redact(pdu, version) == {key: {} if key == "content" else 1 for key in kept}
    assert set(essential(pdu, version)) == kept - {"signatures"}


LEVELS = {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}
TABLE: list[tuple[str, set[str], list[RoomVersion]]] = [
    ("m.room.member", {"membership"}, since(1, 8)),
    ("m.room.member", {"membership", "join_authorised_via_users_server"}, since(9)),
    ("m.room.create", {"creator"}, since(1, 10)),
    ("m.room.create", {"creator", "room_version", "x", "m.federate"}, since(11)),
    ("m.room.join_rules", {"join_rule"}, since(1, 7)),
    ("m.room.join_rules", {"join_rule", "allow"}, since(8)),
    ("m.room.power_levels", LEVELS, since(1, 10)),
    ("m.room.power_levels", LEVELS | {"invite"}, since(11)),
    ("m.room.aliases", {"aliases"}, since(1, 5)),
    ("m.room.aliases", set(), since(6)),
    ("m.room.history_visibility", {"history_visibility"}, since(1)),
    ("m.room.redaction", set(), since(1, 10)),
    ("m.room.redaction", {"redacts"}, since(11)),
    ("m.room.message", set(), since(1)),
    ("m.room.third_party_invite", set(), since(1)),
]
CONTENT_KEYS = LEVELS.union(*(keys for _, keys, _ in TABLE), {"notifications", "displayname", "body"})


@pytest.mark.parametrize(
    ("event_type", "kept", "version"),
    [(event_type, kept, version) for event_type, kept, versions in TABLE for version in versions],
)
def test_the_content_keys_of_the_list_survive(event_type: str, kept: set[str], version: RoomVersion) -> None:
    content = dict.fromkeys(CONTENT_KEYS, 1)
    survivors = set(redact({"type": event_type, "content": content}, version)["content"])
    assert survivors == (CONTENT_KEYS if kept == {"creator", "room_version", "x", "m.federate"} else kept)


@every_version
@pytest.mark.parametrize("invite", [{"signed": {"token": "t"}, "display_name": "x"}, {"display_name": "x"}, 5])
def test_the_signed_part_of_a_third_party_invite_survives_from_11(version: RoomVersion, invite: Any) -> None:
    kept = redact({"type": "m.room.member", "content": {"third_party_invite": invite}}, version)["content"]
    has_signed = isinstance(invite, dict) and "signed" in invite and version.updated_redaction
    assert kept == ({"third_party_invite": {"signed": {"token": "t"}}} if has_signed else {})


JUNK = st.sampled_from(
    [None, True, 0, -5, 2**53, "", "x", "é", [], [[1]], ["a", None], {"signed": {"a": 1}}, {"a": {}}]
)
PDUS = st.dictionaries(
    st.sampled_from(sorted(ALWAYS | UNTIL_10 | {"unsigned", "x"})),
    JUNK | st.dictionaries(st.sampled_from(sorted(CONTENT_KEYS | {"third_party_invite"})), JUNK),
)


@given(PDUS, st.sampled_from(sorted({event_type for event_type, _, _ in TABLE})), st.sampled_from(since(3)))
def test_redaction_is_idempotent_and_keeps_ids(pdu: dict[str, Any], event_type: str, version: RoomVersion) -> None:
    pdu["type"] = event_type
    redacted = redact(pdu, version)
    assert redact(redacted, version) == redacted
    assert event_id_of(pdu, version) == event_id_of(redacted, version)
    assert essential(pdu, version) == essential(redacted, version)


def test_redacting_leaves_the_event_as_it_was() -> None:
    content = {"membership": "join", "displayname": "A"}
    pdu = {"type": "m.room.member", "content": content, "x": 1}
    redact(pdu, ROOM_VERSIONS["11"])
    assert pdu == {"type": "m.room.member", "content": {"membership": "join", "displayname": "A"}, "x": 1}


@pytest.mark.parametrize("version", since(3), ids=lambda version: f"v{version.id}")
def test_own_servers_events_and_those_below_the_redact_level_are_redacted(version: RoomVersion) -> None:
    room = Room(version)
    room.put_levels(users={BOB: 50})
    target = room.event("m.room.message", {}, sender=CAROL, event_id="$target")

    def redaction(sender: str, redacts: str = "$target", **fields: Any) -> bool:
        named = {"content": {"redacts": redacts}} if version.redacts_in_content else {"redacts": redacts}
        content = named.pop("content", {})
        event = room.event("m.room.redaction", content, sender=sender, **named, **fields)  # type: ignore[arg-type]
        return may_redact(event, target, room.state)

    assert redaction(BOB)
    assert redaction("@dan:c.example")
    assert not redaction("@dan:d.example")
    assert not redaction(BOB, "$else")
    assert not redaction(BOB, room_id="!else:a.example")
    room.put_levels(users={BOB: 49})
    assert not redaction(BOB)


def test_in_versions_1_and_2_the_auth_rules_have_decided() -> None:
    room = Room(ROOM_VERSIONS["1"])
    room.put_levels(users={ALICE: 100})
    target = room.event("m.room.message", {}, sender=CAROL, event_id="$t:c.example")
    assert may_redact(room.event("m.room.redaction", {}, sender=BOB, redacts="$t:c.example"), target, room.state)
