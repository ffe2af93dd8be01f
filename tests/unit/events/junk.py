"""Junk events: generated from a seed, mostly well-formed, wrong in the places where readers trip.

`junk_pdu(random, version)` is one; the short test runs some of them on every build, the long one, with --run-soak, a
million a room version.
"""

from __future__ import annotations

from random import Random
from typing import Any

from core.events.room_versions import EventFormat, RoomVersion

TYPES = [
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.third_party_invite",
    "m.room.redaction",
    "m.room.aliases",
    "m.room.message",
    "m.room.history_visibility",
]
USERS = ["@alice:a.example", "@bob:b.example", "@carol:c.example", "@dave:a.example"]
WORDS = [
    "",
    "x",
    "$x",
    "$y:a.example",
    "!room:a.example",
    "@",
    "a.example",
    "é" * 200,
    "\0",
    "\ud800",
    "\u2028",
    " 50 ",
    "1e9",
]
NUMBERS = [0, 1, -1, 50, 100, 2**31, 2**53 - 1, 2**53, -(2**53), 2**63, 2**64, 10**400, 1.5, -0.0, 1e300, 1e-7]
STRANGE = [float("nan"), float("inf"), float("-inf"), None, True, False]
KEYS = [
    "membership",
    "join_rule",
    "users",
    "events",
    "notifications",
    "ban",
    "kick",
    "users_default",
    "creator",
    "additional_creators",
    "room_version",
    "m.federate",
    "third_party_invite",
    "signed",
    "mxid",
    "token",
    "signatures",
    "public_key",
    "public_keys",
    "redacts",
    "join_authorised_via_users_server",
    "allow",
]
MEMBERSHIPS = ["join", "invite", "leave", "ban", "knock"]
JOIN_RULES = ["public", "invite", "knock", "restricted", "knock_restricted", "private"]


def junk_pdu(random: Random, version: RoomVersion, room_id: str) -> Any:
    """An event of `room_id` that is wrong in a place or two, or not at all."""
    reference: Any = ["$create", {"sha256": "x"}] if version.event_format is EventFormat.V1 else "$create"
    pdu: dict[Any, Any] = {
        "type": random.choice(TYPES),
        "sender": random.choice(USERS),
        "room_id": room_id,
        "state_key": random.choice([*USERS, ""]),
        "content": _content(random),
        "prev_events": [reference] * random.choice([0, 1, 1, 1, 2, 2, 20, 21]),
        "auth_events": [reference] * random.choice([0, 1, 1, 2, 2, 2, 10, 11]),
        "depth": random.choice([1] * 9 + [2**53]),
        "origin_server_ts": 1,
        "hashes": {"sha256": "x"},
        "signatures": {"a.example": {"ed25519:1": "x"}},
        "event_id": "$e:a.example",
    }
    for _ in range(random.choice([0, 0, 0, 1, 1, 2, 4])):
        pdu[random.choice([*pdu, "unsigned", "redacts"])] = _value(random, 3)
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        pdu.pop(random.choice(list(pdu)), None)
    return pdu if random.random() > 0.01 else _value(random, 2)


def _content(random: Random) -> dict[Any, Any]:
    content: dict[Any, Any] = {}
    if random.random() < 0.7:
        content["membership"] = random.choice(MEMBERSHIPS)
    if random.random() < 0.3:
        content["join_rule"] = random.choice(JOIN_RULES)
    if random.random() < 0.3:
        content["users"] = {
            random.choice(USERS): random.choice([0, 50, 100, 49] * 9 + ["50", *NUMBERS]) for _ in range(3)
        }
    if random.random() < 0.2:
        signed = {"mxid": random.choice(USERS), "token": "token", "signatures": _value(random, 2)}
        content["third_party_invite"] = {"signed": signed}
    for _ in range(random.choice([0, 0, 1, 2])):
        content[random.choice([*KEYS, *WORDS])] = _value(random, 3)
    return content


def _value(random: Random, levels: int) -> Any:
    kind = random.random()
    if kind < 0.002:
        return _nested(random.choice([300, 2_000, 50_000]))
    if kind < 0.25:
        return random.choice([*WORDS, *USERS])
    if kind < 0.5:
        return random.choice(NUMBERS)
    if kind < 0.6 or levels == 0:
        return random.choice(STRANGE)
    if kind < 0.8:
        return [_value(random, levels - 1) for _ in range(random.randrange(4))]
    keys = [*KEYS, *WORDS, *USERS, 5, None]
    return {random.choice(keys): _value(random, levels - 1) for _ in range(random.randrange(4))}


def _nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value
