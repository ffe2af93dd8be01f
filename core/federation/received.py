"""PDUs as they came from another server, made into events: format, room, content hash, signatures.

The first three of the checks on receipt of a PDU; authorization is the graph's. An event whose content is
not what its hash says is taken in its redacted form. Spec: Server-Server API, "Checks performed on receipt of a PDU".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import gevent

from core.errors import EventRefused, Forbidden, InvalidParam
from core.events.event import Event
from core.events.formats import parse_event
from core.events.hashes import has_valid_content_hash
from core.events.redaction import redact
from core.events.room_versions import EventFormat, RoomVersion
from core.federation.event_signatures import EventSignatures
from core.ids import EventId, RoomId

EVENTS_AT_ONCE = 50
"""How many events are parsed before others may run: some milliseconds."""


@dataclass(slots=True)
class Checked:
    """What became of PDUs: the events that are fit to be judged, in the order given, and why the others are not."""

    events: list[Event] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


class ReceivedEvents:
    """Reads PDUs."""

    def __init__(self, signatures: EventSignatures) -> None:
        self._signatures = signatures

    def check(self, pdus: Iterable[Mapping[str, Any]], version: RoomVersion, room_id: RoomId) -> Checked:
        """Every check that needs no room. What cannot even be named is left out without a word."""
        checked = Checked()
        parsed: dict[EventId, Event] = {}
        source = iter(pdus)
        while chunk := list(islice(source, EVENTS_AT_ONCE)):
            for pdu in chunk:
                self._read(pdu, version, room_id, parsed, checked.problems)
            gevent.idle()
        failures = self._signatures.failures(parsed.values())
        checked.problems.update({str(event_id): reason for event_id, reason in failures.items()})
        checked.events = [event for event_id, event in parsed.items() if event_id not in failures]
        return checked

    def one(self, pdu: Mapping[str, Any], version: RoomVersion, room_id: RoomId, event_id: EventId) -> Event:
        """One event that was announced under an id. Raises EventRefused, InvalidParam, Forbidden for a wrong signature."""
        event = as_event(pdu, version)
        if event.room_id != room_id:
            raise InvalidParam(f"The event is of room {event.room_id}, not {room_id}.")
        if event.event_id != event_id:
            raise InvalidParam(f"The event's id is {event.event_id}, not {event_id}.")
        failures = self._signatures.failures((event,))
        if failures:
            raise Forbidden(failures[event.event_id])
        return event

    def _read(
        self,
        pdu: Mapping[str, Any],
        version: RoomVersion,
        room_id: RoomId,
        parsed: dict[EventId, Event],
        problems: dict[str, str],
    ) -> None:
        try:
            event = as_event(pdu, version)
        except EventRefused as refused:
            problems[_name_of(pdu, version)] = refused.sentence
            return
        if event.room_id != room_id:
            problems[event.event_id] = f"The event is of room {event.room_id}, not {room_id}."
        else:
            parsed[event.event_id] = event


def as_event(pdu: Mapping[str, Any], version: RoomVersion) -> Event:
    """The event in a PDU, redacted where its content hash is wrong. Raises EventRefused."""
    event = parse_event(pdu, version)
    if has_valid_content_hash(pdu, has_floats=not version.strict_canonical_json):
        return event
    return parse_event(redact(pdu, version), version, event.event_id)


def find_by_key(events: Sequence[Event]) -> dict[tuple[str, str], Event]:
    """State events by (type, state key)."""
    return {event.key: event for event in events if event.is_state}


def _name_of(pdu: Mapping[str, Any], version: RoomVersion) -> str:
    claimed = pdu.get("event_id") if version.event_format is EventFormat.V1 else None
    return claimed if isinstance(claimed, str) else "an event without an id"
