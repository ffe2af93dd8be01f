"""Builders of events for tests: rooms in a few words, ids that can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.events.auth_rules.selection import auth_event_keys
from core.events.event import Event
from core.events.formats import event_from_stored
from core.events.room_versions import ROOM_VERSIONS, EventFormat, RoomVersion
from core.ids import EventId, RoomId

ALICE, BOB, CAROL = "@alice:a.example", "@bob:b.example", "@carol:c.example"
VERSIONS = list(ROOM_VERSIONS.values())


def since(first: int, last: int = 12) -> list[RoomVersion]:
    """The room versions from `first` to `last`."""
    return [ROOM_VERSIONS[str(number)] for number in range(first, last + 1)]


class Room:
    """A room of one version as its state: `put` adds a state event, `event` makes one that stands outside of it.

    Alice founds it and is joined; there are no power levels and no join rules unless put.
    """

    def __init__(self, version: RoomVersion, **create_content: Any) -> None:
        self.version = version
        self.events: dict[tuple[str, str], Event] = {}
        self.room_id = RoomId("!create" if version.room_id_is_create_hash else "!room:a.example")
        content = {"room_version": version.id, **create_content}
        if not version.implicit_creator:
            content.setdefault("creator", ALICE)
        self.create = self.put("m.room.create", content, event_id="$create")
        self.put_member(ALICE, "join")

    def state(self, event_type: str, state_key: str) -> Event | None:
        """The lookup that the auth rules take."""
        return self.events.get((event_type, state_key))

    def put(self, event_type: str, content: Mapping[str, Any], state_key: str = "", **fields: Any) -> Event:
        """Add a state event to the room's state; Alice sends it."""
        event = self.event(event_type, content, state_key=state_key, **fields)
        self.events[(event_type, state_key)] = event
        return event

    def put_member(self, user: str, membership: str, **fields: Any) -> Event:
        """Add a membership."""
        return self.put("m.room.member", {"membership": membership}, user, **{"sender": user, **fields})

    def put_levels(self, **content: Any) -> Event:
        """Add a power levels event."""
        return self.put("m.room.power_levels", content)

    def event(self, event_type: str, content: Mapping[str, Any], *, sender: str = ALICE, **fields: Any) -> Event:
        """An event of the room, by default built on the create event and with the auth events its kind selects."""
        event_id = EventId(fields.pop("event_id", f"${event_type}-{len(self.events)}:{sender.partition(':')[2]}"))
        prev = fields.pop("prev", [] if event_type == "m.room.create" else ["$other"])
        keys = auth_event_keys(self.version, event_type, sender, fields.get("state_key"), content)
        auth = fields.pop("auth", [self.events[key].event_id for key in keys if key in self.events])
        pdu: dict[str, Any] = {
            "type": event_type,
            "sender": sender,
            "content": dict(content),
            "depth": 1,
            "origin_server_ts": 1,
            "hashes": {"sha256": ""},
            "signatures": {},
            "room_id": self.room_id,
            "prev_events": self.references(prev),
            "auth_events": self.references(auth),
            **fields,
        }
        if self.version.room_id_is_create_hash and event_type == "m.room.create" and "room_id" not in fields:
            del pdu["room_id"]
        return event_from_stored(self.version, event_id, pdu.get("room_id", self.room_id), pdu)

    def references(self, event_ids: list[str]) -> list[Any]:
        """`event_ids` the way the version writes references."""
        if self.version.event_format is EventFormat.V1:
            return [[event_id, {"sha256": ""}] for event_id in event_ids]
        return list(event_ids)

    def lookup_by_id(self) -> Callable[[str], Event]:
        """Events of the state by their id."""
        by_id = {event.event_id: event for event in self.events.values()}
        return lambda event_id: by_id[EventId(event_id)]
