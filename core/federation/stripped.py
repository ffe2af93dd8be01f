"""What an invited or knocking user is told of a room: some of its state, as PDUs between servers, stripped for clients.

Spec: Client-Server API, "Stripped state"; Server-Server API, "Inviting to a room", as of version 1.16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from core.errors import InvalidParam
from core.events.event import Event
from core.events.room_versions import RoomVersion
from core.federation.received import ReceivedEvents
from core.graph.stored_event import StoredEvent
from core.ids import RoomId, ServerName, is_user_id, server_of

MAX_TOLD = 100
"""How many events of such a state are kept at most."""


def read_told_state(pdus: Any, version: RoomVersion, room_id: RoomId, received: ReceivedEvents) -> bytes:
    """The stripped form of a told state, as JSON.

    In room version 12 and later every entry must be a signed PDU of the room, the create event among them, or
    InvalidParam is raised; before, entries that are none are taken as stripped state.
    """
    if not isinstance(pdus, list) or not all(isinstance(pdu, dict) for pdu in pdus):
        raise InvalidParam("The room's state must be a list of objects.")
    if not version.room_id_is_create_hash:
        return orjson.dumps([one for pdu in pdus[:MAX_TOLD] if (one := _stripped(pdu)) is not None])
    checked = received.check(pdus[:MAX_TOLD], version, room_id)
    for problem in checked.problems.values():
        raise InvalidParam(f"An event of the room's state is wrong: {problem}")
    if not any(_is_create(event) for event in checked.events):
        raise InvalidParam("The room's state must hold its m.room.create event.")
    return orjson.dumps([_stripped(event.pdu) for event in checked.events if event.is_state])


def _is_create(event: Event) -> bool:
    return event.type == "m.room.create" and event.state_key == ""


def _stripped(pdu: Mapping[str, Any]) -> dict[str, Any] | None:
    kind, key, sender, content = (pdu.get(name) for name in ("type", "state_key", "sender", "content"))
    if not (isinstance(kind, str) and isinstance(key, str) and isinstance(sender, str) and isinstance(content, dict)):
        return None
    return {"type": kind, "state_key": key, "sender": sender, "content": content}


def servers_in(stripped: bytes) -> list[ServerName]:
    """The servers of those who sent a stripped state: they had power in the room, so they are in it, most likely."""
    senders = [one.get("sender") for one in orjson.loads(stripped) if isinstance(one, dict)]
    return list(
        dict.fromkeys(server_of(sender) for sender in senders if isinstance(sender, str) and is_user_id(sender))
    )


def pdus_of(events: Sequence[StoredEvent]) -> list[Mapping[str, Any]]:
    """The PDUs of stored events."""
    return [stored.event.pdu for stored in events]
