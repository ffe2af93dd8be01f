"""How the sync tests speak about rooms: paths, and what an answer says of a room."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.servers.trellis import User

NOTHING = ["next_batch", "device_one_time_keys_count", "device_unused_fallback_key_types"]
"""The keys of an answer that has nothing to tell."""


def at(room: str) -> str:
    """The path of a room."""
    return f"/v3/rooms/{quote(room, safe='')}"


def act(user: User, room: str, verb: str, target: User | None = None) -> None:
    """Leave, forget, or invite, kick, ban or unban somebody."""
    user.post(f"{at(room)}/{verb}", {} if target is None else {"user_id": target.user_id})


def joined(answer: dict, room: str) -> dict:
    """What an answer says of a room the user is in; `{}` for nothing."""
    return answer.get("rooms", {}).get("join", {}).get(room, {})


def left(answer: dict, room: str) -> dict:
    """What an answer says of a room the user left."""
    return answer.get("rooms", {}).get("leave", {}).get(room, {})


def events(part: dict, key: str = "timeline") -> list[dict]:
    """The events of a part of a room."""
    return part.get(key, {}).get("events", [])


def bodies(part: dict) -> list[str]:
    """The texts in a room's timeline."""
    return [event["content"].get("body") for event in events(part) if event["type"] == "m.room.message"]


def state(part: dict, key: str = "state") -> dict[tuple[str, str], dict]:
    """The state a room's part carries, by (type, state key)."""
    return {(event["type"], event["state_key"]): event["content"] for event in events(part, key)}


def wanted(**room: object) -> str:
    """A written-out filter of rooms."""
    return json.dumps({"room": room})
