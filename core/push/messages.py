"""What a push gateway is told. Spec: Push Gateway API, `POST /_matrix/push/v1/notify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import UserNid
from core.push.ledger import Ledger
from core.push.outbox import BADGE
from core.storage.pushers import Push, Pusher

MAX_CONTENT_BYTES = 4_096
"""The content of a larger event is left out, which the specification allows for any reason."""
_URGENT_TYPES = frozenset({"m.room.encrypted", "m.call.invite"})


@dataclass(frozen=True, slots=True)
class Style:
    """What the administrator wants in notifications: the events' contents, and a badge that counts rooms."""

    includes_content: bool = True
    badge_counts_rooms: bool = False


PLAIN = Style()


class Messages:
    """Makes notifications."""

    def __init__(self, graph: Graph, ledger: Ledger, style: Style = PLAIN) -> None:
        self._graph = graph
        self._ledger = ledger
        self._style = style

    def notification(self, pusher: Pusher, push: Push) -> dict[str, Any] | None:
        """The body for the gateway; None where there is nothing to tell any more."""
        details = orjson.loads(pusher.details)
        data = {key: value for key, value in details["data"].items() if key != "url"}
        device = {
            "app_id": pusher.app_id,
            "pushkey": pusher.pushkey,
            "pushkey_ts": pusher.set_ms // 1000,
            "data": data,
        }
        unread = self.badge(pusher.user_nid)
        counts = {"unread": unread} if unread else {}
        if push.event_nid == BADGE:
            return {"notification": {"counts": counts, "devices": [device]}}
        stored = self._graph.events.by_nids((push.event_nid,)).get(push.event_nid)
        if stored is None or stored.is_redacted:
            return None
        tweaks = orjson.loads(push.tweaks)
        about: dict[str, Any] = {
            "event_id": stored.event_id,
            "room_id": stored.room_id,
            "counts": counts,
            "prio": "high" if tweaks or stored.type in _URGENT_TYPES else "low",
        }
        if data.get("format") != "event_id_only":
            device["tweaks"] = tweaks
            about |= self._of_event(stored, pusher.user_nid)
        return {"notification": {**about, "devices": [device]}}

    def badge(self, user: UserNid) -> int:
        """What is unread in all rooms the user is in, or in how many of them, and the invites they have."""
        memberships = self._graph.memberships.rooms_of(user, ("join", "invite"))
        joined = [one.room_nid for one in memberships if one.membership == "join"]
        invites = len(memberships) - len(joined) + len(self._graph.out_of_band.of(user, ("invite",)))
        unread = [one.total[0] for one in self._ledger.unread(user, joined).values()]
        return invites + (sum(count > 0 for count in unread) if self._style.badge_counts_rooms else sum(unread))

    def _of_event(self, stored: StoredEvent, user: UserNid) -> dict[str, Any]:
        state = self._graph.states.current(stored.room_nid)
        name, alias = state.get("m.room.name"), state.get("m.room.canonical_alias")
        member = state.get("m.room.member", stored.sender)
        found: dict[str, Any] = {
            "type": stored.type,
            "sender": stored.sender,
            "sender_display_name": None if member is None else member.content.get("displayname"),
            "room_name": None if name is None else name.content.get("name"),
            "room_alias": None if alias is None else alias.content.get("alias"),
        }
        found = {key: value for key, value in found.items() if isinstance(value, str)}
        if stored.type == "m.room.member":
            found["user_is_target"] = stored.state_key == self._graph.texts.text(user)
        content = dict(stored.content)
        if self._style.includes_content and len(orjson.dumps(content)) <= MAX_CONTENT_BYTES:
            found["content"] = content
        return found
