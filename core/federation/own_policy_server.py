"""This server as a policy server: plugins judge the events of rooms that name it, and it signs those they let pass.

It has a key of its own for that, so that "may speak for the server" and "recommends an event" stay apart.
Spec: Server-Server API, "Policy Servers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import BadJson, BadRequest, EventRefused, Forbidden, NotFound
from core.events import unpadded_base64
from core.events.event import Event
from core.events.formats import parse_event
from core.events.signatures import SigningKey, add_signature, signatures_of
from core.federation.participation import Participation
from core.federation.policy_servers import KEY_ID, TYPE
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import events as event_hooks
from core.ids import RoomId, RoomNid, ServerName
from core.rooms.room_view import GraphRoomView


class OwnPolicyServer:
    """Signs what plugins let pass."""

    def __init__(
        self,
        graph: Graph,
        participation: Participation,
        plugins: PluginManager,
        server_name: ServerName,
        seed: bytes,
    ) -> None:
        self._graph = graph
        self._participation = participation
        self._plugins = plugins
        self._server_name = server_name
        self._key = SigningKey(KEY_ID, seed)

    def public_keys(self) -> dict[str, str]:
        """What goes into a room's `m.room.policy` event."""
        return {"ed25519": unpadded_base64.encode(bytes(self._key.verify_key))}

    def sign(self, origin: ServerName, pdu: Mapping[str, Any]) -> Mapping[str, Any]:
        """Our signature of another server's event. Raises BadJson, NotFound, Forbidden, BadRequest for a refusal."""
        room_id = pdu.get("room_id")
        if not isinstance(room_id, str):
            raise BadJson("The event must name its room.")
        room = self._participation.room(origin, RoomId(room_id))
        state = self._graph.states.current(room.room_nid).event(TYPE)
        if state is None or state.content.get("via") != self._server_name:
            raise NotFound(f"Room {room_id} does not name this server as its policy server.")
        try:
            event = parse_event(pdu, room.version)
        except EventRefused as refused:
            raise BadJson(refused.sentence) from refused
        if event.type == TYPE and event.state_key == "":
            raise BadJson(f"An {TYPE} event with an empty state key needs no signature.")
        return self.sign_here(room.room_nid, event)

    def sign_here(self, room: RoomNid, event: Event) -> Mapping[str, Any]:
        """Our signature of an event of a room. Raises BadRequest where a plugin does not recommend it."""
        view = GraphRoomView(self._graph, self._graph.rooms.name(room))
        try:
            self._plugins.require(event_hooks.check_event_for_spam, event=event, sender=event.sender, room=view)
        except Forbidden as refused:
            raise BadRequest(refused.sentence, errcode=refused.errcode, **refused.fields) from refused
        signed = add_signature(event.pdu, event.version, self._server_name, self._key)
        return {self._server_name: {KEY_ID: signatures_of(signed, self._server_name)[KEY_ID]}}
