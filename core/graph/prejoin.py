"""What of a room's state those are told who are invited or knock, here and on other servers.

The create event is always among it, since clients and servers check the room by it.
Spec: Client-Server API, "Stripped state"; setting `room_prejoin_state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.graph.states import RoomState
from core.graph.stored_event import StoredEvent
from core.ids import StateKey, UserId

USUAL_TYPES = (
    "m.room.create",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.avatar",
    "m.room.name",
    "m.room.encryption",
    "m.room.topic",
)


@dataclass(frozen=True, slots=True)
class PrejoinState:
    """Event types told with an empty state key, those told with each of theirs, and single entries."""

    types: tuple[str, ...] = USUAL_TYPES
    types_with_all_keys: tuple[str, ...] = ()
    keys: tuple[StateKey, ...] = ()

    def of(self, state: RoomState, member: UserId | None = None) -> list[StoredEvent]:
        """The events, and the member event of `member`, who invites."""
        members = [] if member is None else [("m.room.member", str(member))]
        wanted = [*((kind, "") for kind in self.types), *self.keys, *members]
        found = state.events(dict.fromkeys(wanted))
        for kind in self.types_with_all_keys:
            found.update(((kind, key), stored) for key, stored in state.of_type(kind).items())
        return list(found.values())


def prejoin_state(configured: Mapping[str, Any]) -> PrejoinState:
    """What `room_prejoin_state` asks for: `additional_event_types` are types, or pairs of a type and a state key.

    Raises ValueError with what is allowed.
    """
    additional = configured.get("additional_event_types") or []
    is_list = isinstance(additional, list | tuple)
    if not is_list or not all(isinstance(one, str) or _is_pair(one) for one in additional):
        raise ValueError("room_prejoin_state.additional_event_types: must be a list of types, or of [type, state_key].")
    usual = USUAL_TYPES[:1] if configured.get("disable_default_event_types") else USUAL_TYPES
    return PrejoinState(
        usual,
        tuple(one for one in additional if isinstance(one, str)),
        tuple((one[0], one[1]) for one in additional if not isinstance(one, str)),
    )


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)
