"""What a server that joined through us is told: the state before its join, and the auth chain.

Spec: Server-Server API, "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}".
"""

from __future__ import annotations

import orjson

from core.federation.auth_chains import AuthChains, json_list
from core.federation.handshakes import Admitted
from core.federation.participation import Participation
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import ServerName

HEROES = 5
"""How many members a partial state names, for a room without a name."""


class JoinAnswers:
    """Builds answers."""

    def __init__(self, graph: Graph, chains: AuthChains, participation: Participation, server_name: ServerName) -> None:
        self._graph = graph
        self._chains = chains
        self._participation = participation
        self._server_name = server_name

    def join(self, admitted: Admitted, omit_members: bool) -> bytes:
        """The answer to a join; with `omit_members` most member events are left out."""
        event = admitted.event
        state = list(self._graph.states.before(event.nid).events().values())
        if omit_members:
            state = self._without_members(event, state)
        chain = self._chains.of([*state, event])
        told = {stored.nid for stored in state} if omit_members else set()
        chain = [stored for stored in chain if stored.nid not in told]
        servers = self._participation.servers_at(admitted.room, event.main_before)
        return b'{"auth_chain":%b,"event":%b,"members_omitted":%b,"origin":%b,"servers_in_room":%b,"state":%b}' % (
            json_list(chain),
            event.pdu_bytes,
            b"true" if omit_members else b"false",
            orjson.dumps(self._server_name),
            orjson.dumps(servers),
            json_list(state),
        )

    def knock(self, admitted: Admitted) -> bytes:
        """The answer to a knock: what identifies the room."""
        state = self._graph.states.current(admitted.room.room_nid)
        return b'{"knock_room_state":%b}' % json_list(self._graph.prejoin.of(state))

    def _without_members(self, event: StoredEvent, state: list[StoredEvent]) -> list[StoredEvent]:
        names = any(stored.type in ("m.room.name", "m.room.canonical_alias") for stored in state)
        heroes = 0 if names else HEROES
        kept = []
        for stored in state:
            if stored.type == "m.room.member" and stored.state_key != event.state_key:
                if not heroes or stored.content.get("membership") not in ("join", "invite"):
                    continue
                heroes -= 1
            kept.append(stored)
        return kept
