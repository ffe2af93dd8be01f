"""Signatures and the keys they are made with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadSignature, EventRefused
from core.events.canonical_json import encode
from core.events.redaction import essential
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from core.events.signatures import (
    SigningKey,
    add_signature,
    format_signing_key,
    is_signed_by,
    parse_signing_keys,
    parse_verify_key,
    servers_that_must_sign,
    sign_event,
    sign_json,
    signatures_of,
    verify_json,
)
from core.events.unpadded_base64 import decode, encode_url_safe
from core.events.unpadded_base64 import encode as base64
from tests.unit.events.builders import ALICE, BOB, CAROL, VERSIONS, Room

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
KEY, OTHER = SigningKey("ed25519:a_1", b"1" * 32), SigningKey("ed25519:b_2", b"2" * 32)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text("aé\n\U0001f600", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.text("abcé", max_size=4), VALUES, max_size=5))
def test_a_signature_survives_a_round_trip_through_canonical_json(obj: dict[str, Any]) -> None:
    import json

    signed = json.loads(encode(sign_json(obj, "a.example", KEY)))
    verify_json(signed, "a.example", KEY.key_id, KEY.verify_key)


def test_signing_adds_to_the_signatures_there_are_and_changes_nothing_else() -> None:
    obj = {"a": 1, "unsigned": {"age": 5}}
    once = sign_json(obj, "a.example", KEY)
    twice = sign_json(sign_json(once, "b.example", OTHER), "a.example", OTHER)
    assert obj == {"a": 1, "unsigned": {"age": 5}}
    assert {server: set(entry) for server, entry in twice["signatures"].items()} == {
        "a.example": {KEY.key_id, OTHER.key_id},
        "b.example": {OTHER.key_id},
    }
    assert twice["unsigned"] == {"age": 5}
    verify_json({**twice, "unsigned": {}}, "a.example", KEY.key_id, KEY.verify_key)


def test_a_missing_a_wrong_and_a_strange_signature_are_refused() -> None:
    signed = sign_json({"a": 1}, "a.example", KEY)
    with pytest.raises(BadSignature, match="no signature of b"):
        verify_json(signed, "b.example", KEY.key_id, KEY.verify_key)
    with pytest.raises(BadSignature, match="no signature"):
        verify_json(signed, "a.example", OTHER.key_id, KEY.verify_key)
    with pytest.raises(BadSignature, match="is wrong") as refused:
        verify_json(signed, "a.example", KEY.key_id, OTHER.verify_key)
    assert (refused.value.status, refused.value.errcode) == (401, "M_UNAUTHORIZED")


@pytest.mark.parametrize("junk", ["", "x", "****", "é", "A" * 85, "A" * 86, "A" * 88, "A" * 1000])
def test_junk_is_no_signature(junk: str) -> None:
    assert not is_signed_by(b"message", junk, KEY.verify_key)
    assert is_signed_by(b"message", base64(KEY.sign(b"message")), KEY.verify_key)


@pytest.mark.parametrize("junk", [None, 5, [], {"a.example": 5}, {"a.example": {"rsa:1": "x", "ed25519:1": 5}}])
def test_signatures_of_other_kinds_are_passed_over(junk: Any) -> None:
    assert signatures_of({"signatures": junk}, "a.example") == {}


def test_json_without_canonical_form_is_not_signed() -> None:
    with pytest.raises(EventRefused):
        sign_json({"a": float("nan")}, "a.example", KEY)


@every_version
def test_an_event_can_be_signed_by_two_servers_and_then_redacted(version: RoomVersion) -> None:
    pdu = {"type": "m.room.member", "content": {"membership": "invite", "reason": "x"}, "event_id": "$e:a"}
    both = add_signature(sign_event(pdu, version, "a.example", KEY), version, "b.example", OTHER)
    for server, key in (("a.example", KEY), ("b.example", OTHER)):
        signed = {**essential(both, version), "signatures": both["signatures"]}
        verify_json(signed, server, key.key_id, key.verify_key)
    assert both["hashes"] == sign_event(pdu, version, "c.example", KEY)["hashes"]


def test_a_key_file_is_read_as_it_is_written() -> None:
    text = format_signing_key(KEY) + "\n" + format_signing_key(OTHER)
    assert text.startswith("ed25519 a_1 MTEx")
    assert parse_signing_keys(text) == [KEY, OTHER]
    assert "1111" not in repr(KEY)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "no signing key"),
        ("\n\n", "no signing key"),
        ("rsa a MTEx", "line 1"),
        ("ed25519 a", "line 1"),
        ("\ned25519 a MTEx", "line 2"),
        ("ed25519 a ****", "line 1"),
    ],
)
def test_a_wrong_key_file_is_refused_by_its_line(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=where) as refused:
        parse_signing_keys(text)
    assert "MTEx" not in str(refused.value)


def test_a_verify_key_is_32_bytes() -> None:
    assert parse_verify_key(base64(bytes(KEY.verify_key))) == KEY.verify_key
    for junk in ("", "MTEx", "****", base64(b"x" * 33)):
        with pytest.raises(ValueError):
            parse_verify_key(junk)


def test_base64_is_written_exactly_and_read_leniently() -> None:
    octets = bytes([251, 255, 254])
    assert (base64(octets), encode_url_safe(octets), base64(b"a")) == ("+//+", "-__-", "YQ")
    for text in ("+//+", "-__-", "+/_-"):
        assert decode(text) == octets
    assert decode("YQ") == decode("YQ==") == b"a"
    for junk in ("Y", "Y Q", "YQ\n", "é", "Y.Q"):
        with pytest.raises(ValueError):
            decode(junk)


@every_version
def test_the_senders_server_must_sign_and_until_version_2_that_of_the_id(version: RoomVersion) -> None:
    event = Room(version).event("m.room.message", {}, sender=BOB, event_id="$e:a.example")
    assert servers_that_must_sign(event) == (
        {"b.example", "a.example"} if version.event_format.value == 1 else {"b.example"}
    )


@every_version
def test_the_authorizing_server_must_sign_from_version_8(version: RoomVersion) -> None:
    content = {"membership": "join", "join_authorised_via_users_server": ALICE}
    event = Room(version).event("m.room.member", content, sender=CAROL, state_key=CAROL)
    assert servers_that_must_sign(event) - {"c.example"} == ({"a.example"} if version.restricted_joins else set())
    message = Room(version).event("m.room.message", content, sender=CAROL)
    assert servers_that_must_sign(message) == {"c.example"}


def test_a_third_party_invite_needs_no_signature_of_its_sender() -> None:
    room = Room(ROOM_VERSIONS["11"])
    content: dict[str, Any] = {"membership": "invite", "third_party_invite": {}}
    assert servers_that_must_sign(room.event("m.room.member", content, state_key=BOB)) == set()
    for other in ({**content, "membership": "join"}, {"membership": "invite"}):
        assert servers_that_must_sign(room.event("m.room.member", other, state_key=BOB)) == {"a.example"}
    assert servers_that_must_sign(room.event("m.room.message", content)) == {"a.example"}
    authorizer = {"membership": "join", "join_authorised_via_users_server": 5}
    assert servers_that_must_sign(room.event("m.room.member", authorizer, state_key=BOB)) == {"a.example", ""}
