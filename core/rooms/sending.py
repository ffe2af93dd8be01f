"""Sending events: what is checked before the graph is asked, and what plugins may say about it.

Whether an event is allowed is the auth rules' to say, when it is appended. Here are the things that are not about the
room's graph: contents this server would not make, plugins, repeated requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import BadJson, Forbidden, InvalidParam, NotFound, TooLarge
from core.events.auth_rules.power_levels import LEVELS
from core.events.event import Event
from core.events.limits import MAX_FIELD_BYTES
from core.events.power_levels import PowerLevels
from core.graph.drafts import Draft, TransactionId
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.hooks.manager import PluginManager
from core.hooks.specs import events as event_hooks
from core.hooks.specs import permissions
from core.hooks.verdicts import Reject, Replace
from core.ids import EventId, Requester, RoomId, is_user_id
from core.rooms.access import RoomAccess, scope_of
from core.rooms.aliases import AliasChecks
from core.rooms.annotations import RelationRules
from core.rooms.room_view import GraphRoomView
from core.storage.rooms import RoomName

REDACTIONS_AT_ONCE = 50
"""So many related events are redacted in one transaction."""
_NOT_REDACTED = ("m.room.create", "m.room.server_acl")
"""Without its `room_version` a room is of another version to whoever joins; without its access list it is closed to all."""
_WITH_REL_TYPES = ("org.matrix.msc3912.with_relations", "with_rel_types")
"""What a redaction says about related events: by the name that clients use today, and by the proposal's final one."""


class Sending:
    """Sends message and state events for local users."""

    def __init__(
        self,
        graph: Graph,
        access: RoomAccess,
        aliases: AliasChecks,
        plugins: PluginManager,
        relations: RelationRules,
    ) -> None:
        self._graph = graph
        self._access = access
        self._aliases = aliases
        self._plugins = plugins
        self._relations = relations

    def send(
        self, requester: Requester, room_id: RoomId, event_type: str, content: Mapping[str, Any], txn_id: str | None
    ) -> EventId:
        """Send a message event; the id of the event, which a repeated request made before. Raises MatrixError.

        Requests without a transaction id, as old clients make them, are each a new one.
        """
        redacts = content.get("redacts") if event_type == "m.room.redaction" else None
        if redacts is not None and not isinstance(redacts, str):
            raise BadJson("'redacts' must be the id of an event.")
        room = self._access.known(room_id)
        if redacts is not None:
            target = self._graph.events.by_id(EventId(redacts))
            if target is not None and target.room_nid == room.room_nid and not self._may_redact(requester, target):
                raise Forbidden(f"You may not redact {redacts}: it is not yours, and your power level is too low.")
            if target is not None:
                _check_redactable(target)
            content = _without_redacts(content)
        draft = Draft(event_type, requester.user_id, content, redacts=EventId(redacts) if redacts else None)
        transaction = _transaction(requester, f"send/{room_id}/{event_type}", txn_id)
        if "m.relates_to" in content:
            sent = None if transaction is None else self._graph.write.find_sent(transaction)
            if sent is not None:
                return sent.event_id
            self._access.joined(requester, room_id)
            self._relations.check(room.room_nid, requester.user_nid, event_type, content)
        return self._send(requester, room, draft, transaction)

    def redact(
        self, requester: Requester, room_id: RoomId, event_id: EventId, content: Mapping[str, Any], txn_id: str | None
    ) -> EventId:
        """Redact an event of the room, and what relates to it where the content asks for that (MSC3912).

        An event that is not here may still be elsewhere, and come: its redaction waits for it. Raises NotFound for
        an event of another room, Forbidden where the requester may not redact it.
        """
        room = self._access.joined(requester, room_id)
        target = self._graph.events.by_id(event_id)
        if target is not None and target.room_nid != room.room_nid:
            raise NotFound(f"There is no event {event_id} in this room.")
        if requester.is_suspended and (target is None or target.sender != requester.user_id):
            raise Forbidden("Suspended users may not redact what others sent.", errcode="M_USER_SUSPENDED")
        if target is not None:
            if not self._may_redact(requester, target):
                raise Forbidden(f"You may not redact {event_id}: it is not yours, and your power level is too low.")
            _check_redactable(target)
        with_rel_types = _with_rel_types(content)
        content = {key: value for key, value in _without_redacts(content).items() if key not in _WITH_REL_TYPES}
        draft = Draft("m.room.redaction", requester.user_id, content, redacts=event_id)
        sent = self._send(requester, room, draft, _transaction(requester, f"redact/{room_id}/{event_id}", txn_id))
        if with_rel_types:
            self._redact_related(requester, room, event_id, with_rel_types, content)
        return sent

    def _redact_related(
        self,
        requester: Requester,
        room: RoomName,
        event_id: EventId,
        rel_types: frozenset[str],
        content: Mapping[str, Any],
    ) -> None:
        """Redact those of the related events that the requester may redact."""
        found = self._relations.related_to(room.room_nid, event_id, rel_types)
        drafts = [
            Draft("m.room.redaction", requester.user_id, content, redacts=stored.event_id)
            for stored in found
            if self._may_redact(requester, stored)
        ]
        for first in range(0, len(drafts), REDACTIONS_AT_ONCE):
            self._graph.write.send(room.room_nid, drafts[first : first + REDACTIONS_AT_ONCE])

    def _may_redact(self, requester: Requester, target: StoredEvent) -> bool:
        """Whether the redaction would have an effect; where it would not, the client is to know."""
        if target.sender == requester.user_id:
            return True
        if requester.is_suspended:
            return False
        levels = PowerLevels.of(self._graph.states.current(target.room_nid).event)
        return levels.of_user(requester.user_id) >= levels.to("redact")

    def set_state(
        self, requester: Requester, room_id: RoomId, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> EventId:
        """Send a state event; one that would change nothing is not sent, and the present one's id returned."""
        room = self._access.known(room_id)
        if event_type == "m.room.power_levels":
            check_levels(content)
        if event_type == "m.room.tombstone" and content.get("replacement_room") == room_id:
            raise InvalidParam("A room cannot be replaced by itself; 'replacement_room' must be another one.")
        if event_type == "m.room.canonical_alias":
            self._aliases.check_canonical(room.room_nid, content, self._graph.states.current(room.room_nid))
        current = self._graph.states.current(room.room_nid).get(event_type, state_key)
        if current is not None and current.sender == requester.user_id and current.content == content:
            self._access.joined(requester, room_id)
            return current.event_id
        if self._plugins.has(permissions.user_may_send_state):
            view = GraphRoomView(self._graph, room)
            self._plugins.require(
                permissions.user_may_send_state,
                user_id=requester.user_id,
                room=view,
                event_type=event_type,
                state_key=state_key,
                content=content,
            )
        return self._send(requester, room, Draft(event_type, requester.user_id, content, state_key), None)

    def _send(self, requester: Requester, room: RoomName, draft: Draft, transaction: TransactionId | None) -> EventId:
        check_draft(draft)
        if self._plugins.has(event_hooks.check_event_for_spam) or self._plugins.has(event_hooks.amend_event):
            draft = self._judged(requester, room, draft)
        return self._graph.write.send(room.room_nid, [draft], transaction)[0].event_id

    def _judged(self, requester: Requester, room: RoomName, draft: Draft) -> Draft:
        """The draft as the plugins let it pass. Raises Forbidden with their code and reason."""
        view = GraphRoomView(self._graph, room)
        event = draft_event(room, draft)
        self._plugins.require(event_hooks.check_event_for_spam, event=event, sender=requester.user_id, room=view)
        verdict = self._plugins.ask(event_hooks.amend_event, event=event, sender=requester.user_id, room=view)
        if isinstance(verdict, Reject):
            raise Forbidden(verdict.reason, errcode=verdict.errcode, **verdict.fields)
        if isinstance(verdict, Replace):
            return Draft(draft.type, draft.sender, verdict.content, draft.state_key, draft.redacts)
        return draft


def check_draft(draft: Draft) -> None:
    """Raise TooLarge for a type or state key that no event may have."""
    for name, value in (("type", draft.type), ("state key", draft.state_key or "")):
        if len(value.encode("utf-8", "surrogatepass")) > MAX_FIELD_BYTES:
            raise TooLarge(f"The event's {name} is longer than {MAX_FIELD_BYTES} bytes.")


def check_message(event_type: str, content: Mapping[str, Any]) -> None:
    """Raise BadJson for a message that clients could not show. Spec: Client-Server API, "Instant Messaging"."""
    if event_type != "m.room.message":
        return
    for key in ("msgtype", "body"):
        if not isinstance(content.get(key), str):
            raise BadJson(f"A message needs '{key}', a string.")


def check_levels(content: Mapping[str, Any]) -> None:
    """Raise BadJson for power levels that are no integers: what some room versions bear is not for new events."""
    for name in LEVELS:
        if name in content and type(content[name]) is not int:
            raise BadJson(f"'{name}' must be an integer.")
    for group in ("users", "events", "notifications"):
        levels = content.get(group, {})
        if not isinstance(levels, Mapping) or any(type(level) is not int for level in levels.values()):
            raise BadJson(f"'{group}' must be an object whose values are integers.")
    for user in content.get("users", {}):
        if not is_user_id(user):
            raise BadJson(f"'users' must list user ids, not {user[:100]!r}.")


def draft_event(room: RoomName, draft: Draft) -> Event:
    """The draft as plugins get to see it: without id, and without a place in the graph."""
    return Event(
        room.version,
        EventId(""),
        room.room_id,
        draft.type,
        draft.sender,
        draft.state_key,
        draft.content,
        (),
        (),
        0,
        draft.origin_server_ts or 0,
        draft.redacts,
        {},
    )


def _check_redactable(target: StoredEvent) -> None:
    """Raise Forbidden for events whose redaction would break their room, whatever the levels say."""
    if target.is_state and target.type in _NOT_REDACTED:
        raise Forbidden(f"Events of the type {target.type} cannot be redacted: the room would not work without them.")


def _with_rel_types(content: Mapping[str, Any]) -> frozenset[str]:
    """The relation types that are to be redacted too; '*' stands for all. Raises BadJson."""
    listed: Any = next((content[key] for key in _WITH_REL_TYPES if key in content), [])
    if not isinstance(listed, list) or not all(isinstance(rel_type, str) for rel_type in listed):
        raise BadJson("with_rel_types must be an array of relation types.")
    return frozenset(listed)


def _without_redacts(content: Mapping[str, Any]) -> dict[str, Any]:
    """The graph puts `redacts` where the room's version wants it; clients may have put it elsewhere."""
    return {key: value for key, value in content.items() if key != "redacts"}


def _transaction(requester: Requester, path: str, txn_id: str | None) -> TransactionId | None:
    if txn_id is None:
        return None
    return TransactionId(requester.user_nid, scope_of(requester), txn_id, path)
