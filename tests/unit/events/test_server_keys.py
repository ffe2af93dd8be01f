"""Published server keys: how they are read, and which key counts when."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import BadJson, BadSignature
from core.events.room_versions import V4, V5, V11
from core.events.server_keys import (
    LONGEST_VALIDITY_MS,
    OldVerifyKey,
    build_server_keys,
    minimum_valid_until_ts,
    parse_server_keys,
)
from core.events.signatures import SigningKey, sign_json
from core.events.unpadded_base64 import encode
from core.ids import ServerName
from tests.unit.events.builders import Room

KEY, OLD = SigningKey("ed25519:new", b"1" * 32), SigningKey("ed25519:old", b"2" * 32)
SERVER = ServerName("a.example:8448")
NOW, DAY = 1_700_000_000_000, 24 * 3600 * 1000


def published(valid_until_ts: int = NOW + DAY) -> dict[str, Any]:
    return build_server_keys(SERVER, [KEY], {OLD.key_id: OldVerifyKey(OLD.verify_key, NOW - DAY)}, valid_until_ts)


def test_published_keys_are_read_as_they_were_built() -> None:
    keys = parse_server_keys(published(), SERVER, NOW)
    assert keys.verify_keys == {KEY.key_id: KEY.verify_key}
    assert keys.old_verify_keys == {OLD.key_id: OldVerifyKey(OLD.verify_key, NOW - DAY)}
    assert (keys.server_name, keys.valid_until_ts, keys.fetched_ts) == (SERVER, NOW + DAY, NOW)


def test_keys_count_for_seven_days_at_most() -> None:
    assert parse_server_keys(published(NOW + DAY), SERVER, NOW).trusted_until_ts == NOW + DAY
    assert parse_server_keys(published(NOW + 365 * DAY), SERVER, NOW).trusted_until_ts == NOW + LONGEST_VALIDITY_MS
    assert LONGEST_VALIDITY_MS == 7 * DAY


def test_requests_are_signed_with_current_keys() -> None:
    keys = parse_server_keys(published(), SERVER, NOW)
    assert keys.for_request(KEY.key_id, NOW + DAY) == KEY.verify_key
    assert keys.for_request(KEY.key_id, NOW + DAY + 1) is None
    assert keys.for_request(OLD.key_id, NOW - 2 * DAY) is None


def test_from_version_5_a_key_counts_at_the_time_of_the_event() -> None:
    keys = parse_server_keys(published(), SERVER, NOW)
    for version in (V5, V11):
        assert keys.for_event(KEY.key_id, version, NOW + DAY) == KEY.verify_key
        assert keys.for_event(KEY.key_id, version, NOW + DAY + 1) is None
        assert keys.for_event(OLD.key_id, version, NOW - DAY) == OLD.verify_key
        assert keys.for_event(OLD.key_id, version, NOW - DAY + 1) is None
        assert keys.for_event("ed25519:none", version, NOW) is None


def test_before_version_5_any_published_key_counts() -> None:
    keys = parse_server_keys(published(), SERVER, NOW)
    assert keys.for_event(KEY.key_id, V4, NOW + 999 * DAY) == KEY.verify_key
    assert keys.for_event(OLD.key_id, V4, NOW + 999 * DAY) == OLD.verify_key
    assert keys.for_event("ed25519:none", V4, NOW) is None


def test_a_notary_is_asked_for_keys_that_count_for_the_events() -> None:
    late = Room(V5).event("x", {}, origin_server_ts=NOW)
    early = Room(V5).event("x", {}, origin_server_ts=5)
    lax = Room(V4).event("x", {}, origin_server_ts=NOW * 2)
    assert minimum_valid_until_ts([late, early, lax]) == NOW
    assert minimum_valid_until_ts([lax]) == minimum_valid_until_ts([]) == 0


def signed(**changes: Any) -> dict[str, Any]:
    obj = {key: value for key, value in {**published(), **changes}.items() if value is not ...}
    obj.pop("signatures", None)
    return sign_json(obj, SERVER, KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"server_name": "b.example"},
        {"server_name": ...},
        {"server_name": 5},
        {"valid_until_ts": ...},
        {"valid_until_ts": "5"},
        {"valid_until_ts": 1.5},
        {"valid_until_ts": -1},
        {"valid_until_ts": 2**63},
        {"verify_keys": ...},
        {"verify_keys": []},
        {"verify_keys": {}},
        {"verify_keys": {"rsa:1": {"key": "x"}}},
        {"verify_keys": {"ed25519:1": {"key": "x"}}},
        {"verify_keys": {"ed25519:1": {"key": 5}}},
        {"verify_keys": {"ed25519:1": 5}},
        {"verify_keys": {f"ed25519:{n}": {"key": encode(bytes(KEY.verify_key))} for n in range(101)}},
        {"old_verify_keys": []},
        {"old_verify_keys": {"ed25519:1": {"key": encode(bytes(KEY.verify_key))}}},
        {"old_verify_keys": {"ed25519:1": {"key": encode(bytes(KEY.verify_key)), "expired_ts": "x"}}},
        {"old_verify_keys": {"ed25519:1": {"expired_ts": 5}}},
    ],
)
def test_malformed_keys_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadJson):
        parse_server_keys(signed(**changes), SERVER, NOW)


@pytest.mark.parametrize("junk", [None, 5, "x", []])
def test_keys_are_an_object(junk: Any) -> None:
    with pytest.raises(BadJson):
        parse_server_keys(junk, SERVER, NOW)


def test_keys_nobody_vouches_for_are_refused() -> None:
    with pytest.raises(BadSignature, match="did not sign"):
        parse_server_keys({**published(), "signatures": {}}, SERVER, NOW)
    with pytest.raises(BadSignature, match="is wrong"):
        parse_server_keys({**published(), "valid_until_ts": NOW + 2 * DAY}, SERVER, NOW)
    by_old_key_only = sign_json({**published(), "signatures": {}}, SERVER, OLD)
    with pytest.raises(BadSignature, match="did not sign"):
        parse_server_keys(by_old_key_only, SERVER, NOW)


def test_without_old_keys_there_are_none() -> None:
    assert parse_server_keys(signed(old_verify_keys=...), SERVER, NOW).old_verify_keys == {}
