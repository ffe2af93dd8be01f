"""Rooms that the user is invited to or knocks on, as a sliding sync tells them: stripped state and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from core.graph.client_events import ClientEvents, Viewer
from core.graph.graph import Graph
from core.ids import RoomNid
from core.sync.sliding.standings import Standing


class Invites:
    """Tells invites and knocks, from the room's state or from what another server sent along."""

    def __init__(self, graph: Graph, client_events: ClientEvents) -> None:
        self._graph = graph
        self._client_events = client_events

    def parts(self, room: RoomNid, standing: Standing) -> list[bytes]:
        """The members of the room's JSON object."""
        own = self._graph.events.by_nid(standing.event_nid)
        if standing.out_of_band is not None:
            given = standing.out_of_band.stripped_state.strip() or b"[]"
            contents = {
                event.get("type"): event.get("content") for event in orjson.loads(given) if event.get("state_key") == ""
            }
            event = self._client_events.stripped([own])
            stripped = event if given == b"[]" else b"%b,%b" % (given[:-1], event[1:])
        else:
            state = self._graph.states.current(room)
            shown = [stored for stored in self._graph.prejoin.of(state, own.sender) if stored.nid != own.nid]
            contents = {stored.type: stored.content for stored in shown if stored.state_key == ""}
            stripped = self._client_events.stripped([*shown, own])
        parts = [b'"initial":true,"invite_state":%b' % stripped]
        parts.append(b'"membership":"%b"' % standing.membership.encode())
        for type_, field, key in (("m.room.name", "name", b"name"), ("m.room.avatar", "url", b"avatar")):
            value = _text(contents.get(type_), field)
            if value:
                parts.append(b'"%b":%b' % (key, orjson.dumps(value)))
        if standing.out_of_band is None:
            parts.append(b'"joined_count":%d,"invited_count":%d' % self._graph.states.member_counts(room))
        return parts

    def ended(self, viewer: Viewer, standing: Standing) -> list[bytes]:
        """An invite or knock in a room of other servers that came to nothing: only the event that ended it."""
        own = self._graph.events.by_nid(standing.event_nid)
        rendered = self._client_events.render((own,), viewer, False, False, False)
        told = b'"timeline":[%b],"limited":false,"num_live":1,"membership":"%b"'
        return [told % (rendered[0], standing.membership.encode())]


def _text(content: Mapping[str, Any] | object, field: str) -> str | None:
    found = content.get(field) if isinstance(content, Mapping) else None
    return found if isinstance(found, str) else None
