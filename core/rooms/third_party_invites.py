"""Invites to an e-mail address or phone number.

Whoever has published the address is invited as usual. Otherwise the identity server is told of the invite, and the room
gets its token and keys, with which it can later check that somebody who joins has shown the address to be theirs.
Spec: Client-Server API, "Third-party invites".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import Unavailable
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.hooks.manager import PluginManager
from core.hooks.specs import permissions
from core.ids import Requester, RoomId, UserId, is_user_id
from core.rooms.access import RoomAccess
from core.rooms.membership import Memberships
from core.rooms.profiles import Profiles
from core.rooms.room_view import GraphRoomView
from core.storage.rooms import RoomName

_TOKEN = re.compile(r"[0-9a-zA-Z.=_-]{1,255}")
_FACTS = {
    "room_name": ("m.room.name", "name"),
    "room_alias": ("m.room.canonical_alias", "alias"),
    "room_avatar_url": ("m.room.avatar", "url"),
    "room_join_rules": ("m.room.join_rules", "join_rule"),
    "room_type": ("m.room.create", "type"),
}
"""What the mail may say of the room: the key of the request, and the state it is read from."""


@dataclass(frozen=True, slots=True)
class Address:
    """Who is invited, and by which identity server they are found."""

    medium: str
    address: str
    id_server: str
    id_access_token: str


class AddressBook(Protocol):
    """Identity servers; core.accounts.identity_servers has them."""

    def lookup(self, id_server: str, access_token: str, medium: str, address: str) -> str | None:
        """Who has published an address."""

    def store_invite(self, id_server: str, access_token: str, invite: Mapping[str, Any]) -> dict[str, Any]:
        """Leave an invite for whoever will publish it."""


class ThirdPartyInvites:
    """Invites to addresses. With `looks_up` False they always go through the identity server."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        memberships: Memberships,
        profiles: Profiles,
        book: AddressBook,
        plugins: PluginManager,
        looks_up: bool = True,
        web_client: str | None = None,
    ) -> None:
        """`web_client` is the address of one that the mail may lead to."""
        self._web_client = web_client
        self._graph = graph
        self._access = access
        self._memberships = memberships
        self._profiles = profiles
        self._book = book
        self._plugins = plugins
        self._looks_up = looks_up

    def invite(
        self,
        requester: Requester,
        room_id: RoomId,
        who: Address,
        reason: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Invite whoever has the address. Raises MatrixError, that of the identity server included.

        `extra` goes into the content of the invite where the address is somebody's, such as `is_direct`.
        """
        room = self._access.joined(requester, room_id)
        self._plugins.require(
            permissions.user_may_send_3pid_invite,
            inviter=requester.user_id,
            medium=who.medium,
            address=who.address,
            room_id=room_id,
            room=GraphRoomView(self._graph, room),
        )
        found = None
        if self._looks_up:
            found = self._book.lookup(who.id_server, who.id_access_token, who.medium, who.address)
        if found is not None and is_user_id(found):
            fields = {**(extra or {}), **({} if reason is None else {"reason": reason})}
            self._memberships.send_invite(requester, room, UserId(found), fields)
            return
        kept = self._book.store_invite(who.id_server, who.id_access_token, self._letter(requester, room, who))
        token, content = _content(kept, who.id_server)
        draft = Draft("m.room.third_party_invite", requester.user_id, content, token)
        self._graph.write.send(room.room_nid, [draft])

    def _letter(self, requester: Requester, room: RoomName, who: Address) -> dict[str, Any]:
        state = self._graph.states.current(room.room_nid)
        letter: dict[str, Any] = {
            "medium": who.medium,
            "address": who.address,
            "room_id": room.room_id,
            "sender": requester.user_id,
        }
        for key, (event_type, field) in _FACTS.items():
            stored = state.get(event_type)
            if stored is not None and isinstance(value := stored.content.get(field), str):
                letter[key] = value
        fields = self._profiles.member_fields(requester.user_id)
        for key, field in (("sender_display_name", "displayname"), ("sender_avatar_url", "avatar_url")):
            if isinstance(fields.get(field), str):
                letter[key] = fields[field]
        if self._web_client is not None:
            letter["org.matrix.web_client_location"] = self._web_client
        return letter


def _content(kept: Mapping[str, Any], id_server: str) -> tuple[str, dict[str, Any]]:
    """(token, content of the event) from an identity server's answer. Raises `Unavailable` for one that is no answer."""
    token, keys, display_name = kept.get("token"), kept.get("public_keys"), kept.get("display_name")
    well_formed = (
        isinstance(token, str)
        and _TOKEN.fullmatch(token) is not None
        and isinstance(display_name, str)
        and isinstance(keys, list)
        and 0 < len(keys) <= 10
        and all(isinstance(key, dict) and isinstance(key.get("public_key"), str) for key in keys)
    )
    if not well_formed or not isinstance(keys, list):
        raise Unavailable(f"{id_server} gave no answer that an invite could be made of.")
    shown = [
        {name: key[name] for name in ("public_key", "key_validity_url") if isinstance(key.get(name), str)}
        for key in keys
    ]
    first = shown[0]
    content = {
        "display_name": display_name,
        "public_key": first["public_key"],
        "key_validity_url": first.get("key_validity_url", f"https://{id_server}/_matrix/identity/v2/pubkey/isvalid"),
        "public_keys": shown,
    }
    return str(token), content
