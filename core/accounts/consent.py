"""Acting in rooms only after accepting the server's terms, where the administrator wants that.

`user_consent.block_events_error` turns it on and is the sentence users read, with the link to their page in it. Bridged
users are not asked. The room in which the server speaks to a user can always be joined.
Spec: Client-Server API, `M_CONSENT_NOT_GIVEN`.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import unquote

from core.accounts.terms import Terms
from core.errors import Forbidden
from core.ids import Requester, RoomId

_ACTING = re.compile(
    r"/_matrix/client/[a-z0-9.]+/(?:createRoom|join/|knock/"
    r"|rooms/[^/]+/(?:join|invite|kick|ban|unban|send|state|redact|upgrade)(?:/|$))"
)
_JOINING = re.compile(r"/_matrix/client/[a-z0-9.]+/(?:join/([^/]+)|rooms/([^/]+)/join)$")
LINK = "%(consent_uri)s"


class NoticeRooms(Protocol):
    """Which rooms are the server's own; core.rooms.server_notices knows."""

    def is_for(self, requester: Requester, room_id: RoomId) -> bool: ...


class ConsentRule:
    """Implements core.web.gate.RequestRule. `notice_rooms` may be set once it is known."""

    def __init__(self, terms: Terms, sentence: str) -> None:
        self._terms = terms
        self._sentence = sentence
        self.notice_rooms: NoticeRooms | None = None

    def check(self, requester: Requester, method: str, path: str) -> None:
        """Raises: `Forbidden` with `M_CONSENT_NOT_GIVEN` and `consent_uri`."""
        if requester.consent_version == self._terms.version or requester.appservice_id is not None:
            return
        if method in ("GET", "HEAD", "OPTIONS") or _ACTING.match(path) is None:
            return
        joining = _JOINING.match(path)
        if joining is not None and self.notice_rooms is not None:
            room_id = RoomId(unquote(joining[1] or joining[2]))
            if self.notice_rooms.is_for(requester, room_id):
                return
        link = self._terms.link(requester.user_id)
        raise Forbidden(self._sentence.replace(LINK, link), errcode="M_CONSENT_NOT_GIVEN", consent_uri=link)


def consent_rule(terms: Terms) -> ConsentRule | None:
    """The rule that the configuration asks for, None where it asks for none."""
    return ConsentRule(terms, terms.refusal) if terms.is_in_force and terms.refusal else None
