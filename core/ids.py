"""The typed identifiers that every layer speaks, and their grammar.

Strings that crossed an edge unchecked stay `str`; once parsed here they carry their `NewType`. Integer ids (`…Nid`) are
this deployment's own numbers for the same things and never leave the process. Imports nothing of ours.

Spec: Appendices, "Identifier Grammar".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

ServerName = NewType("ServerName", str)
UserId = NewType("UserId", str)
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
RoomAlias = NewType("RoomAlias", str)
DeviceId = NewType("DeviceId", str)

RoomNid = NewType("RoomNid", int)
EventNid = NewType("EventNid", int)
TextNid = NewType("TextNid", int)
"""An interned string: an event type, a state key or a user id. One table for all, so a member event's state key and
the user it speaks of are the same number."""
UserNid = TextNid

Position = NewType("Position", int)
"""A place in the server's one durable sequence; see core.storage.log."""

StateKey = tuple[str, str]
"""What a piece of room state is filed under: (event type, state key)."""

MAX_ID_BYTES = 255
"""Longest identifier of any kind, sigil and server name included, in UTF-8 bytes."""

_SERVER_NAME = re.compile(
    r"(?:(?P<ipv6>\[[0-9A-Fa-f:.]{2,45}\])|(?P<ipv4>\d{1,3}(?:\.\d{1,3}){3})|(?P<dns>[0-9A-Za-z.-]{1,255}))(?::\d{1,5})?"
)
_LOCALPART = re.compile(r"[a-z0-9._=/+-]+")
_HISTORICAL_LOCALPART = re.compile(r"[\x21-\x39\x3B-\x7E]*")


@dataclass(frozen=True, slots=True)
class Requester:
    """Who is calling the client-server API: the answer to "authenticate".

    `token_nid` numbers the access token's row, so that transaction ids can be kept per device and logout can name it.
    """

    user_id: UserId
    user_nid: UserNid
    device_id: DeviceId | None
    token_nid: int
    is_guest: bool = False
    is_admin: bool = False
    appservice_id: str | None = None
    is_suspended: bool = False
    consent_version: str | None = None
    """Which version of the server's terms they have accepted last."""


def is_server_name(text: str) -> bool:
    """Whether `text` is a server name: an IPv4 or bracketed IPv6 literal or a DNS name, with an optional port."""
    return len(text.encode()) <= 230 and _SERVER_NAME.fullmatch(text) is not None


def is_local_user_localpart(localpart: str) -> bool:
    """Whether `localpart` may be given to a new account here: lower-case letters, digits and `._=-/+`."""
    return _LOCALPART.fullmatch(localpart) is not None


def is_user_id(text: str) -> bool:
    """Whether `text` is a user id, including the historical ones other servers still have."""
    localpart, server = _split("@", text)
    return server is not None and is_server_name(server) and _HISTORICAL_LOCALPART.fullmatch(localpart) is not None


def is_room_id(text: str) -> bool:
    """Whether `text` is a room id: `!opaque:server`, or `!` and 43 base64 characters from room version 12."""
    return len(text) > 1 and text[0] == "!" and len(text.encode()) <= MAX_ID_BYTES and "\0" not in text


def is_event_id(text: str) -> bool:
    """Whether `text` looks like an event id of any room version: `$` and at least one character more."""
    return len(text) > 1 and text[0] == "$" and len(text.encode()) <= MAX_ID_BYTES and "\0" not in text


def is_room_alias(text: str) -> bool:
    """Whether `text` is a room alias: `#localpart:server`, without NUL, and a localpart that is not empty."""
    localpart, server = _split("#", text)
    return bool(localpart) and server is not None and is_server_name(server) and "\0" not in localpart


def server_of(identifier: str) -> ServerName:
    """The server name of a user id, alias, or of a room or event id that has one; '' where it has none."""
    return ServerName(identifier.partition(":")[2])


def localpart_of(identifier: str) -> str:
    """What stands between the sigil and the first colon."""
    return identifier[1:].partition(":")[0]


def _split(sigil: str, text: str) -> tuple[str, str | None]:
    if not text.startswith(sigil) or len(text.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        return "", None
    localpart, colon, server = text[1:].partition(":")
    return localpart, server if colon else None
