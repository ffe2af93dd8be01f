"""`hsctl graph auth`: whether a room's rules let an event in, and which rule does not.

The duties on the event's own `auth_events` are judged on that list, everything else on the state that the case's
`auth_events` make; in room version 12 the create event is the one that `room_id` names. What published cases leave
out since no rule looks at it (hashes, signatures, depth, time) is filled in; what stands there must have the
version's format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import AuthRuleViolation, BadJson, EventRefused
from core.events.auth_rules import auth_event_keys, authorize, check_auth_events
from core.events.event import Event
from core.events.formats import parse_event
from core.events.hashes import event_id_of
from core.events.room_versions import EventFormat, RoomVersion, room_version
from core.ids import EventId, StateKey

_UNREAD = {
    "depth": 0,
    "origin_server_ts": 0,
    "hashes": {"sha256": ""},
    "signatures": {},
    "prev_events": [],
    "auth_events": [],
}
"""What stands in for fields that a case leaves out."""


def auth_case(case: Mapping[str, Any], explain: bool = False) -> dict[str, Any]:
    """The answer to one case. Raises MatrixError with a sentence for one that is malformed."""
    version = room_version(case.get("room_version"))
    events = _events(case, version)
    state_ids, rejected = _ids(case, "auth_events"), frozenset(_ids({"rejected": [], **case}, "rejected"))
    pdu = _judged(case)
    state = _State(version, [_known(events, one) for one in state_ids], events)
    event: Event | None = None
    answer: dict[str, Any] = {"allowed": True, "rule": None, "reason": None}
    try:
        event = _event(pdu, version)
        state.room_id = event.room_id
        listed = [_known(events, one) for one in event.auth_event_ids] if "auth_events" in pdu else state.given
        _judge(event, listed, state, rejected)
    except AuthRuleViolation as violation:
        answer = {"allowed": False, "rule": violation.rule, "reason": violation.sentence}
    except EventRefused as refusal:
        answer = {"allowed": False, "rule": None, "reason": refusal.sentence}
    if explain:
        answer["trace"] = _trace(event, state)
    return answer


def _judge(event: Event, listed: list[Event], state: _State, rejected: frozenset[str]) -> None:
    """All rules in the order of the lists: 1, what the room id names from version 12, the listed events, the rest."""
    if event.version.room_id_is_create_hash and state("m.room.create", "") is None:
        authorize(event, state)
    check_auth_events(event, listed, rejected.__contains__)
    authorize(event, state)


class _State:
    """The state of a case, and which of it was asked for."""

    def __init__(self, version: RoomVersion, given: list[Event], events: Mapping[EventId, Event]) -> None:
        self.given = given
        self.room_id = ""
        self.asked: dict[StateKey, str | None] = {}
        self._version = version
        self._events = events
        self._state = {event.key: event for event in given if event.is_state}

    def __call__(self, event_type: str, state_key: str) -> Event | None:
        key = (event_type, state_key)
        found = self._state.get(key)
        if self._version.room_id_is_create_hash and key == ("m.room.create", ""):
            named = self._events.get(EventId("$" + self.room_id[1:]))
            found = named if named is not None and named.type == "m.room.create" else None
        self.asked[key] = found.event_id if found is not None else None
        return found


def _judged(case: Mapping[str, Any]) -> dict[str, Any]:
    """The PDU to judge: given itself, or by its id."""
    given = case.get("event")
    if isinstance(given, str):
        given = next((pdu for pdu in case["events"] if pdu.get("event_id") == given), None)
    if not isinstance(given, dict):
        raise BadJson("`event` must be a PDU, or the id of one of the events.")
    return given


def _trace(event: Event | None, state: _State) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "state": [{"type": key[0], "state_key": key[1], "event_id": found} for key, found in state.asked.items()]
    }
    if event is not None:
        keys = auth_event_keys(event.version, event.type, event.sender, event.state_key, event.content)
        trace |= {"event_id": event.event_id, "auth_events_selection": [list(key) for key in keys]}
    return trace


def _events(case: Mapping[str, Any], version: RoomVersion) -> dict[EventId, Event]:
    given = case.get("events")
    if not isinstance(given, list):
        raise BadJson("`events` must be a list of PDUs with `event_id`.")
    events: dict[EventId, Event] = {}
    for number, pdu in enumerate(given, start=1):
        if not isinstance(pdu, dict):
            raise BadJson(f"Event {number} of the case is no JSON object.")
        try:
            event = _event(pdu, version)
        except EventRefused as error:
            raise BadJson(f"Event {number} of the case is malformed: {error.sentence}") from error
        events[event.event_id] = event
    return events


def _event(pdu: dict[str, Any], version: RoomVersion) -> Event:
    """The event of a case. An `event_id` is taken as given; invented ones name no hash."""
    label = pdu.get("event_id")
    if not isinstance(label, str):
        label = event_id_of(pdu, version)
    if version.event_format is EventFormat.V1:
        complete = {**_UNREAD, **pdu, **{field: _pairs(pdu.get(field, [])) for field in ("prev_events", "auth_events")}}
    else:
        complete = {**_UNREAD, **pdu}
    return parse_event(complete, version, EventId(label))


def _pairs(references: object) -> object:
    """References as room versions 1 and 2 write them, also where a case gives plain ids."""
    if not isinstance(references, list):
        return references
    return [[entry, {}] if isinstance(entry, str) else entry for entry in references]


def _known(events: Mapping[EventId, Event], event_id: str) -> Event:
    event = events.get(EventId(event_id))
    if event is None:
        raise BadJson(f"{event_id} is not among the events of the case.")
    return event


def _ids(case: Mapping[str, Any], field: str) -> list[str]:
    ids = case.get(field)
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise BadJson(f"`{field}` must be a list of event ids.")
    return ids
