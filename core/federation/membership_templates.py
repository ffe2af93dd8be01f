"""Member events of our users made from the templates of other servers.

Spec: Server-Server API, "GET /_matrix/federation/v1/make_join/{roomId}/{userId}" and its siblings: what must be checked.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from core.errors import EventRefused
from core.events.event import Event
from core.events.formats import parse_event
from core.events.room_versions import EventFormat, RoomVersion, room_version
from core.events.signatures import SigningKey, sign_event
from core.federation.calls import Template
from core.federation.remote_errors import RemoteNonsense
from core.ids import RoomId, ServerName, UserId

_LEFT_OUT = ("hashes", "signatures", "unsigned", "event_id", "origin")
_AUTHORIZER = "join_authorised_via_users_server"


class MembershipTemplates:
    """Completes templates and signs them."""

    def __init__(self, server_name: ServerName, signing_key: SigningKey) -> None:
        self._server_name = server_name
        self._signing_key = signing_key

    def complete(
        self, server: ServerName, template: Template, room_id: RoomId, user_id: UserId, content: Mapping[str, Any]
    ) -> Event:
        """The signed event. Raises RemoteNonsense for a template of something else, UnsupportedRoomVersion."""
        version = room_version(template.room_version or "1")
        given = template.event
        proposed = given.get("content")
        wanted = {"type": "m.room.member", "room_id": room_id, "sender": user_id, "state_key": user_id}
        for key, value in wanted.items():
            if given.get(key) != value:
                raise RemoteNonsense(server, f"`{key}` of the event must be {value}.")
        if not isinstance(proposed, dict) or proposed.get("membership") != content["membership"]:
            raise RemoteNonsense(server, f"the event's membership must be {content['membership']}.")
        kept = {_AUTHORIZER: proposed[_AUTHORIZER]} if _AUTHORIZER in proposed else {}
        pdu = {key: value for key, value in given.items() if key not in _LEFT_OUT}
        pdu |= {"content": {**content, **kept}, "origin_server_ts": int(time.time() * 1000)}
        if version.event_format is EventFormat.V1:
            pdu |= {"event_id": f"${secrets.token_urlsafe(15)}:{self._server_name}", "origin": self._server_name}
        return self._signed(server, pdu, version)

    def _signed(self, server: ServerName, pdu: Mapping[str, Any], version: RoomVersion) -> Event:
        try:
            return parse_event(sign_event(pdu, version, self._server_name, self._signing_key), version)
        except EventRefused as refused:
            raise RemoteNonsense(server, f"its event cannot be signed: {refused.sentence}") from refused
