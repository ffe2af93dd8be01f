"""All that is not about one room's graph: transactions, queries, devices and keys of users, directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.federation.calls import shapes
from core.federation.remote_errors import RemoteNonsense
from core.federation.signed_client import Patience, SignedClient, path_of
from core.ids import RoomAlias, RoomId, ServerName, UserId

_V1 = "/_matrix/federation/v1"


class ServerCalls:
    """Asks servers about themselves and their users."""

    def __init__(self, client: SignedClient) -> None:
        self._client = client

    def version(self, server: ServerName) -> dict[str, Any]:
        """`name` and `version` of the software, as far as it says so."""
        return shapes.obj(server, self._client.get(server, f"{_V1}/version"), "server")

    def send_transaction(
        self, server: ServerName, txn_id: str, content: Mapping[str, Any] | bytes, patience: Patience | None = None
    ) -> dict[str, Any]:
        """Send PDUs and EDUs; returns `pdus`, the errors by event id. Bytes are canonical JSON, sent as they are."""
        path = path_of(f"{_V1}/send", txn_id)
        found = self._client.put(server, path, content, patience=patience or self._client.patiences.once)
        results = shapes.whole(server, found).get("pdus", {})
        return results if isinstance(results, dict) else {}

    def profile(self, user_id: UserId, server: ServerName, field: str | None = None) -> dict[str, Any]:
        """A user's profile, or one field of it."""
        query = {"user_id": user_id, **({"field": field} if field is not None else {})}
        return self._client.get(server, f"{_V1}/query/profile", query)

    def directory(self, alias: RoomAlias, server: ServerName) -> tuple[RoomId, list[ServerName]]:
        """Where an alias leads, and servers that are in the room."""
        found = self._client.get(
            server, f"{_V1}/query/directory", {"room_alias": alias}, self._client.patiences.short.urgent()
        )
        servers = [ServerName(name) for name in shapes.strings(server, found, "servers")]
        return RoomId(shapes.text(server, found, "room_id")), servers

    def complexity(self, server: ServerName, room_id: RoomId) -> float:
        """How complex a room is; an endpoint of Synapse's. Asked once, since a user waits."""
        path = path_of("/_matrix/federation/unstable/rooms", room_id, "complexity")
        found = self._client.get(server, path, patience=self._client.patiences.short.urgent()).get("v1")
        if not isinstance(found, int | float):
            raise RemoteNonsense(server, "it named no complexity.")
        return float(found)

    def public_rooms(
        self, server: ServerName, content: Mapping[str, Any], patience: Patience | None = None
    ) -> dict[str, Any]:
        """A page of the server's room directory; `content` is the body of the POST."""
        found = self._client.post(server, f"{_V1}/publicRooms", content, patience)
        shapes.objects(server, found, "chunk")
        return found

    def devices(self, user_id: UserId, server: ServerName, timeout_ms: int) -> dict[str, Any]:
        """A user's devices, the number of the list's version (`stream_id`), and cross-signing keys."""
        patience = Patience(timeout_ms, 0, 0)
        found = self._client.get(server, path_of(f"{_V1}/user/devices", user_id), patience=patience)
        shapes.objects(server, found, "devices")
        return found

    def query_keys(
        self, server: ServerName, device_keys: Mapping[str, Sequence[str]], timeout_ms: int
    ) -> dict[str, Any]:
        """Identity keys of users' devices; no devices named means all."""
        patience = Patience(timeout_ms, 0, 0)
        found = self._client.post(server, f"{_V1}/user/keys/query", {"device_keys": device_keys}, patience)
        shapes.obj(server, found, "device_keys")
        return found

    def claim_keys(
        self, server: ServerName, one_time_keys: Mapping[str, Mapping[str, str]], timeout_ms: int
    ) -> dict[str, Any]:
        """One-time keys: user to device to algorithm. Asked once, since a key that was given out is gone."""
        patience = Patience(timeout_ms, 0, 0)
        found = self._client.post(server, f"{_V1}/user/keys/claim", {"one_time_keys": one_time_keys}, patience)
        return shapes.obj(server, found, "one_time_keys")

    def openid_userinfo(self, server: ServerName, access_token: str) -> UserId:
        """Whose OpenID token this is; a user of that server."""
        found = self._client.get(server, f"{_V1}/openid/userinfo", {"access_token": access_token})
        return UserId(shapes.text(server, found, "sub"))

    def policy_signature(self, server: ServerName, pdu: Mapping[str, Any], timeout_ms: int) -> dict[str, Any]:
        """The policy server's signatures on an event: server name to key id to signature."""
        return self._client.post(server, "/_matrix/policy/v1/sign", pdu, Patience(timeout_ms, 0, 0))
