"""Events and states of rooms.

Spec: Server-Server API, "Backfilling and retrieving missing events", "Retrieving events".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.federation.calls import shapes
from core.federation.signed_client import Patience, SignedClient, path_of
from core.ids import EventId, RoomId, ServerName

_V1 = "/_matrix/federation/v1"

MAX_STATE_BYTES = 209_715_200
"""Longest answer that holds a whole state: 200 MiB, some 300,000 events."""
MAX_EVENTS_BYTES = 52_428_800
"""Longest answer that holds a page of events: 50 MiB."""

Pdu = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StateIds:
    """The state before an event, by id, and the ids of its auth chain."""

    state: Sequence[EventId]
    auth_chain: Sequence[EventId]


@dataclass(frozen=True, slots=True)
class State:
    """The state before an event, and its auth chain; in no order that may be relied on, and unverified."""

    state: Sequence[Pdu]
    auth_chain: Sequence[Pdu]


class GraphCalls:
    """Asks servers that are in a room. PDUs come back as they were sent, unverified."""

    def __init__(self, client: SignedClient) -> None:
        self._client = client

    def event(self, server: ServerName, event_id: EventId, patience: Patience | None = None) -> Pdu | None:
        """One event; None where the answer holds none."""
        found = self._client.get(server, path_of(f"{_V1}/event", event_id), patience=patience)
        pdus = shapes.objects(server, found, "pdus")
        return pdus[0] if pdus else None

    def event_auth(
        self, server: ServerName, room_id: RoomId, event_id: EventId, patience: Patience | None = None
    ) -> list[dict[str, Any]]:
        """The whole auth chain of an event."""
        path = path_of(f"{_V1}/event_auth", room_id, event_id)
        return shapes.objects(server, self._client.get(server, path, None, patience, MAX_STATE_BYTES), "auth_chain")

    def state_ids(
        self, server: ServerName, room_id: RoomId, event_id: EventId, patience: Patience | None = None
    ) -> StateIds:
        """The ids of the state before an event."""
        path = path_of(f"{_V1}/state_ids", room_id)
        found = self._client.get(server, path, {"event_id": event_id}, patience, MAX_EVENTS_BYTES)
        state, chain = (shapes.strings(server, found, key) for key in ("pdu_ids", "auth_chain_ids"))
        return StateIds([EventId(one) for one in state], [EventId(one) for one in chain])

    def state(self, server: ServerName, room_id: RoomId, event_id: EventId, patience: Patience | None = None) -> State:
        """The state before an event."""
        path = path_of(f"{_V1}/state", room_id)
        found = self._client.get(server, path, {"event_id": event_id}, patience, MAX_STATE_BYTES)
        return State(shapes.objects(server, found, "pdus"), shapes.objects(server, found, "auth_chain"))

    def backfill(
        self,
        server: ServerName,
        room_id: RoomId,
        event_ids: Sequence[EventId],
        limit: int,
        patience: Patience | None = None,
    ) -> list[dict[str, Any]]:
        """Up to `limit` events: those given, and what came before them."""
        path = path_of(f"{_V1}/backfill", room_id)
        query: Mapping[str, str | int | Sequence[str]] = {"v": event_ids, "limit": limit}
        return shapes.objects(server, self._client.get(server, path, query, patience, MAX_EVENTS_BYTES), "pdus")

    def missing_events(
        self,
        server: ServerName,
        room_id: RoomId,
        latest: Sequence[EventId],
        earliest: Sequence[EventId],
        limit: int,
        min_depth: int = 0,
        patience: Patience | None = None,
    ) -> list[dict[str, Any]]:
        """Up to `limit` events that came before `latest` and not before `earliest`."""
        content = {
            "latest_events": list(latest), "earliest_events": list(earliest), "limit": limit, "min_depth": min_depth
        }  # fmt: skip
        path = path_of(f"{_V1}/get_missing_events", room_id)
        return shapes.objects(server, self._client.post(server, path, content, patience, MAX_EVENTS_BYTES), "events")

    def event_near(
        self, server: ServerName, room_id: RoomId, ts: int, backwards: bool, patience: Patience | None = None
    ) -> tuple[EventId, int]:
        """The event closest to a time in a direction, and when it was sent."""
        path = path_of(f"{_V1}/timestamp_to_event", room_id)
        found = self._client.get(server, path, {"ts": ts, "dir": "b" if backwards else "f"}, patience)
        when = found.get("origin_server_ts")
        return EventId(shapes.text(server, found, "event_id")), when if type(when) is int else 0

    def hierarchy(
        self, server: ServerName, room_id: RoomId, suggested_only: bool, patience: Patience | None = None
    ) -> dict[str, Any]:
        """A space as the server sees it: `room`, `children`, `inaccessible_children`."""
        path = path_of(f"{_V1}/hierarchy", room_id)
        query = {"suggested_only": "true" if suggested_only else "false"}
        found = self._client.get(server, path, query, patience)
        shapes.obj(server, found, "room")
        shapes.objects(server, found, "children")
        return found
