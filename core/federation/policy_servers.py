"""Policy servers: a room may name a server that every event is shown to before it is sent, and that signs what it recommends.

Its key is in the room's state, so that anybody can check the signature. An event of ours without one is not sent; one of
others is asked for again, and soft-failed where it has none in the end.
Spec: Server-Server API, "Policy Servers".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nacl.signing import VerifyKey

from core.errors import Forbidden, MatrixError
from core.events.canonical_json import encode
from core.events.event import Event
from core.events.redaction import essential
from core.events.signatures import is_signed_by, parse_verify_key, signatures_of
from core.federation.calls import ServerCalls
from core.federation.remote_errors import RemoteRefusal
from core.graph.graph import Graph
from core.ids import RoomNid, ServerName, is_server_name

KEY_ID = "ed25519:policy_server"
TYPE = "m.room.policy"
TIMEOUT_MS = 10_000

SignHere = Callable[[RoomNid, Event], Mapping[str, Any]]
"""Our own recommendation: signatures by server and key id. Raises MatrixError."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom a room asks, and the key of its signatures."""

    server: ServerName
    key: VerifyKey


class PolicyRefusal(MatrixError):
    """A policy server does not recommend an event; its own words, as it said them."""

    errcode, status = "M_FORBIDDEN", 403


class PolicyServers:
    """Asks policy servers. Implements core.graph's Endorser."""

    def __init__(self, graph: Graph, calls: ServerCalls, own: ServerName, sign_here: SignHere | None) -> None:
        self._graph = graph
        self._calls = calls
        self._own = own
        self._sign_here = sign_here

    def is_needed(self, room: RoomNid) -> bool:
        """See Endorser."""
        return self._graph.states.current(room).nid(TYPE) is not None and self.policy(room) is not None

    def policy(self, room: RoomNid) -> Policy | None:
        """Whom the room asks; None where it names nobody, or a server that has no user in it.

        Spec: "Determining if a Policy Server is enabled in a room".
        """
        event = self._graph.states.current(room).event(TYPE)
        via = None if event is None else event.content.get("via")
        keys = None if event is None else event.content.get("public_keys")
        text = keys.get("ed25519") if isinstance(keys, Mapping) else None
        if not isinstance(via, str) or not isinstance(text, str) or not is_server_name(via):
            return None
        nid = self._graph.texts.find(via)
        if nid is None or nid not in self._graph.servers.now_in(room):
            return None
        try:
            return Policy(ServerName(via), parse_verify_key(text.replace("-", "+").replace("_", "/")))
        except ValueError:
            return None

    def endorse(self, room: RoomNid, event: Event) -> Event:
        """See Endorser. Raises PolicyRefusal, Forbidden for a signature that is none, and as ServerCalls."""
        policy = self.policy(room)
        if policy is None or (event.type == TYPE and event.state_key == "") or _is_endorsed(policy, event):
            return event
        endorsed = replace(event, pdu=_merged(event.pdu, self._ask(policy, room, event)))
        if not _is_endorsed(policy, endorsed):
            raise Forbidden(
                f"The policy server {policy.server} did not sign the event with the key that the room names."
            )
        return endorsed

    def _ask(self, policy: Policy, room: RoomNid, event: Event) -> Mapping[str, Any]:
        if policy.server == self._own:
            if self._sign_here is None:
                raise Forbidden("The room names this server as its policy server, and it is none.")
            return self._sign_here(room, event)
        try:
            return self._calls.policy_signature(policy.server, event.pdu, TIMEOUT_MS)
        except RemoteRefusal as refusal:
            if not refusal.answered_errcode:
                raise
            said = PolicyRefusal(refusal.answered_sentence, errcode=refusal.answered_errcode, **refusal.answered_fields)
            if refusal.answered_status in (400, 403, 404, 429):
                said.status = refusal.answered_status
            raise said from refusal


def _is_endorsed(policy: Policy, event: Event) -> bool:
    signature = signatures_of(event.pdu, policy.server).get(KEY_ID)
    if signature is None:
        return False
    return is_signed_by(encode(essential(event.pdu, event.version), strict=False), signature, policy.key)


def _merged(pdu: Mapping[str, Any], signatures: Mapping[str, Any]) -> dict[str, Any]:
    """The PDU with further signatures beside those it has."""
    merged = {server: dict(entry) for server, entry in pdu.get("signatures", {}).items() if isinstance(entry, Mapping)}
    for server, entry in signatures.items():
        if isinstance(entry, Mapping):
            merged.setdefault(server, {}).update(entry)
    return {**pdu, "signatures": merged}
