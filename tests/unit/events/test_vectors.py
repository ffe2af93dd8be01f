"""The specification's own test vectors: Appendices, "Canonical JSON" and "Cryptographic Test Vectors"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadSignature
from core.events.canonical_json import encode
from core.events.hashes import content_hash, has_valid_content_hash
from core.events.redaction import redact
from core.events.room_versions import V1
from core.events.signatures import (
    SigningKey,
    parse_signing_keys,
    parse_verify_key,
    sign_event,
    sign_json,
    signatures_of,
    verify_json,
)
from core.events.unpadded_base64 import decode

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "appendices.json").read_text(encoding="utf-8"))
KEY = SigningKey("ed25519:1", decode(VECTORS["signing_key_seed"]))


@pytest.mark.parametrize("case", VECTORS["canonical_json"], ids=lambda case: case["output"][:30])
def test_canonical_json_is_written_as_the_specification_shows(case: dict[str, Any]) -> None:
    # The vectors spell one integer as 1e10, which Python's parser alone would take for a float.
    value = json.loads(case["input"], parse_float=lambda digits: int(float(digits)))
    assert encode(value).decode() == case["output"]
    assert encode(value, strict=False).decode() == case["output"]


@pytest.mark.parametrize("case", VECTORS["json_signing"])
def test_json_is_signed_as_the_specification_shows(case: dict[str, Any]) -> None:
    signed = sign_json(case["input"], "domain", KEY)
    assert signatures_of(signed, "domain") == {"ed25519:1": case["signature"]}
    verify_json(signed, "domain", "ed25519:1", KEY.verify_key)
    with pytest.raises(BadSignature, match="is wrong"):
        verify_json({**signed, "three": 3}, "domain", "ed25519:1", KEY.verify_key)


@pytest.mark.parametrize("case", VECTORS["event_signing"])
def test_events_are_hashed_and_signed_as_the_specification_shows(case: dict[str, Any]) -> None:
    signed = sign_event(case["input"], V1, "domain", KEY)
    assert content_hash(case["input"]) == case["hash"]
    assert signed["hashes"] == {"sha256": case["hash"]}
    assert has_valid_content_hash(signed)
    assert signed["signatures"] == {"domain": {"ed25519:1": case["signature"]}}
    verify_json(redact(signed, V1), "domain", "ed25519:1", KEY.verify_key)


def test_the_key_file_gives_the_key_of_the_vectors() -> None:
    (key,) = parse_signing_keys(f"ed25519 1 {VECTORS['signing_key_seed']}\n")
    assert key == KEY
    assert parse_verify_key("XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI") == key.verify_key
