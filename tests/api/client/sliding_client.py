"""How the tests speak sliding sync: requests in a few words, and what an answer says of a room."""

from __future__ import annotations

from tests.servers.trellis import User

PATH = "/unstable/org.matrix.simplified_msc3575/sync"
EVERYTHING = [["*", "*"]]
ELEMENT_X = [
    ["m.room.name", ""],
    ["m.room.encryption", ""],
    ["m.room.member", "$LAZY"],
    ["m.room.member", "$ME"],
    ["m.room.topic", ""],
    ["m.room.avatar", ""],
    ["m.room.canonical_alias", ""],
    ["m.room.power_levels", ""],
    ["org.matrix.msc3401.call.member", "*"],
    ["m.room.join_rules", ""],
    ["m.room.tombstone", ""],
    ["m.room.create", ""],
    ["m.room.history_visibility", ""],
    ["io.element.functional_members", ""],
    ["m.space.parent", "*"],
    ["m.space.child", "*"],
    ["org.matrix.msc3672.beacon_info", "*"],
    ["m.room.pinned_events", ""],
]


def one_list(limit: int = 10, last: int = 99, required: object = (), **more: object) -> dict:
    """A list named `all` of the first rooms."""
    return {"lists": {"all": {"ranges": [[0, last]], "timeline_limit": limit, "required_state": required, **more}}}


def subscribed(room: str, limit: int = 10, required: object = ()) -> dict:
    """A subscription to one room."""
    return {"room_subscriptions": {room: {"timeline_limit": limit, "required_state": required}}}


def extended(*names: str, **options: object) -> dict:
    """Extensions that are on."""
    return {"extensions": {name: {"enabled": True, **options} for name in names}}


def ask(user: User, body: dict, pos: str | None = None, timeout: int = 0) -> dict:
    """One request."""
    return user.post(PATH, body, timeout=timeout, **({"pos": pos} if pos else {}))


def bodies(room: dict) -> list[str]:
    """The texts in a room's timeline."""
    return [event["content"]["body"] for event in room.get("timeline", []) if event["type"] == "m.room.message"]


def keys(room: dict) -> set[tuple[str, str]]:
    """The state keys in a room's required state."""
    return {(event["type"], event["state_key"]) for event in room.get("required_state", [])}
