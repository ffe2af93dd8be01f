"""How a mail about missed messages reads: its templates' variables, under the names that those of Synapse have.

What is encrypted cannot be shown; a mail then says who wrote, and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from core.graph.graph import Graph
from core.graph.states import RoomState
from core.graph.stored_event import StoredEvent
from core.hooks.declarations import Mail
from core.ids import RoomNid, UserId
from core.mail.templates import Templates
from core.push.mailing.subjects import Subjects
from core.push.mailing.unsubscribing import Unsubscribing

MAX_BODY = 1_000
"""So many characters of a message are shown."""
MAX_NAMES = 3
"""A room without a name is called after so many of its members."""


class MailContent:
    """Writes mails. `client_base_url` is the web client that links lead to; without one it is matrix.to."""

    def __init__(
        self,
        graph: Graph,
        templates: Templates,
        subjects: Subjects,
        unsubscribing: Unsubscribing,
        client_base_url: str | None,
        app_name: str,
    ) -> None:
        self._graph = graph
        self._templates = templates
        self._subjects = subjects
        self._unsubscribing = unsubscribing
        self._client_base_url = client_base_url.rstrip("/") if client_base_url else None
        self._app_name = app_name

    def mail(self, user_id: UserId, address: str, missed: Sequence[StoredEvent]) -> Mail:
        """The mail about some events, of which there is at least one. Raises: jinja2's TemplateError."""
        by_room: dict[RoomNid, list[StoredEvent]] = {}
        for event in missed:
            by_room.setdefault(event.room_nid, []).append(event)
        rooms = [self._room(user_id, events) for events in by_room.values()]
        link, subject = self._unsubscribing.link(user_id, address), self._subject(rooms)
        variables = {
            "app_name": self._app_name,
            "user_display_name": self._own_name(user_id, missed),
            "summary_text": subject.removeprefix(f"[{self._app_name}] "),
            "rooms": rooms,
            "unsubscribe_link": link,
        }
        text, html = (self._templates.render(f"notif_mail.{form}", **variables) for form in ("txt", "html"))
        headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        return Mail(address, subject, text, html, headers)

    def _room(self, user_id: UserId, events: Sequence[StoredEvent]) -> dict[str, Any]:
        state = self._graph.states.current(events[0].room_nid)
        name = _text(state.get("m.room.name"), "name") or _text(state.get("m.room.canonical_alias"), "alias")
        create = state.get("m.room.create")
        messages = [self._message(state, event) for event in events]
        return {
            "title": name or self._members(state, user_id) or "a room",
            "has_name": bool(name),
            "is_space": create is not None and create.content.get("type") == "m.space",
            "invite": events[-1].type == "m.room.member",
            "link": self._link(events[0].room_id),
            "notifs": [
                {"link": self._link(event.room_id, event.event_id), "ts": event.origin_server_ts, "messages": [message]}
                for event, message in zip(events, messages, strict=True)
            ],
        }

    def _message(self, state: RoomState, event: StoredEvent) -> dict[str, Any]:
        body = event.content.get("body")
        if event.type == "m.room.member":
            body = "invites you"
        elif event.type == "m.room.encrypted":
            body = "(an encrypted message)"
        elif not isinstance(body, str):
            body = "(something other than a message)"
        return {
            "event_type": event.type,
            "id": event.event_id,
            "ts": event.origin_server_ts,
            "sender_id": event.sender,
            "sender_name": _name_of(state, event.sender),
            "msgtype": event.content.get("msgtype"),
            "body_text_plain": body[:MAX_BODY],
        }

    def _subject(self, rooms: Sequence[dict[str, Any]]) -> str:
        first = rooms[0]
        messages = [notif["messages"][0] for notif in first["notifs"]]
        values = {"person": messages[0]["sender_name"], "room": first["title"], "space": first["title"]}
        if len(rooms) > 1:
            kind = "messages_in_room_and_others" if first["has_name"] else "messages_from_person_and_others"
        elif first["invite"]:
            where = "_to_space" if first["is_space"] else "_to_room"
            kind = "invite_from_person" + (where if first["has_name"] else "")
        elif len(messages) == 1:
            kind = "message_from_person_in_room" if first["has_name"] else "message_from_person"
        elif first["has_name"]:
            kind = "messages_in_room"
        else:
            kind = "messages_from_person"
        return self._subjects.make(kind, **values)

    def _members(self, state: RoomState, user_id: UserId) -> str:
        """The names of those in a room, without the user."""
        members = state.of_type("m.room.member")
        others = sorted(
            user
            for user, member in members.items()
            if user != user_id and member.content.get("membership") in ("join", "invite")
        )
        names = [_name_of(state, user) for user in others[:MAX_NAMES]]
        if len(others) > MAX_NAMES:
            names.append(f"{len(others) - MAX_NAMES} more")
        return ", ".join(names)

    def _own_name(self, user_id: UserId, missed: Sequence[StoredEvent]) -> str:
        return _name_of(self._graph.states.current(missed[0].room_nid), user_id)

    def _link(self, *ids: str) -> str:
        path = "/".join(quote(one, safe="!$@:") for one in ids)
        return f"{self._client_base_url}/#/room/{path}" if self._client_base_url else f"https://matrix.to/#/{path}"


def _name_of(state: RoomState, user_id: str) -> str:
    return _text(state.get("m.room.member", user_id), "displayname") or user_id


def _text(stored: StoredEvent | None, field: str) -> str:
    found = None if stored is None else stored.content.get(field)
    return found if isinstance(found, str) else ""
