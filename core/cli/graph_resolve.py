"""`hsctl graph resolve CASE.json`: resolve states as a server would, outside of any server.

A case is `{"room_version": "11", "events": [PDUs with event_id], "state_sets": [[event ids], ...]}`, and optionally
`"rejected": [event ids]`. The answer is `{"resolved": [event ids, sorted]}`, with `--explain` the trace beside it.
Event ids are taken as given, since published cases use invented ones, and so is whatever resolution does not read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.cli.graph_cases import answer_cases, json_kind
from core.errors import BadJson
from core.events.event import Event
from core.events.room_versions import RoomVersion, room_version
from core.events.state_resolution import Trace, resolve
from core.ids import EventId, RoomId, StateKey, UserId


def add_resolve(subparsers: Any) -> None:
    """Add `resolve` to the subcommands of `hsctl graph`; it sets `run`, a function from arguments to the exit code."""
    parser = subparsers.add_parser("resolve", help="merge the state sets of a case", description=__doc__)
    _add_arguments(parser)
    parser.set_defaults(run=run)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command on its own: `python -m core.cli.graph_resolve`."""
    parser = argparse.ArgumentParser("graph resolve", description=__doc__)
    _add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Answer every case of the file; the exit code."""
    return answer_cases(arguments.case, lambda case: resolve_case(case, explain=arguments.explain))


def resolve_case(case: Mapping[str, Any], explain: bool = False) -> dict[str, Any]:
    """The answer to one case. Raises BadJson or UnsupportedRoomVersion for one that is malformed."""
    version = room_version(case.get("room_version"))
    events = _read_events(case, version)
    state_sets = [
        _read_state_set(ids, number, events) for number, ids in enumerate(_array(case, "state_sets", "the case"), 1)
    ]
    rejected = frozenset(_ids(case, "rejected", "the case"))
    trace = Trace() if explain else None
    create = _create(version, events)
    lookup = _CaseLookup(_in_room_of(create, events), rejected)
    resolved = resolve(version, state_sets, lookup, trace=trace, create=create)
    answer: dict[str, Any] = {"resolved": sorted(resolved.values())}
    if trace is not None:
        answer["trace"] = trace.as_json()
    return answer


@dataclass(frozen=True, slots=True)
class _CaseLookup:
    """The events of a case."""

    by_id: Mapping[EventId, Event]
    rejected: frozenset[str]

    def events(self, ids: Collection[EventId]) -> Mapping[EventId, Event]:
        return {one: self.by_id[one] for one in ids if one in self.by_id}

    def auth_edges(self, ids: Collection[EventId]) -> Mapping[EventId, Collection[EventId]]:
        return {one: self.by_id[one].auth_event_ids for one in ids if one in self.by_id}

    def is_rejected(self, one: EventId) -> bool:
        return one in self.rejected


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", help="a file with one case, or JSON Lines with one case a line; - is standard input")
    parser.add_argument("--explain", action="store_true", help="add the trace: what was in question, tried and refused")


def _create(version: RoomVersion, events: Mapping[EventId, Event]) -> EventId | None:
    """The create event that room ids of this version name; the only one there is, where ids are invented."""
    if not version.room_id_is_create_hash:
        return None
    creates = [event for event in events.values() if event.type == "m.room.create" and event.state_key == ""]
    if len(creates) == 1:
        return creates[0].event_id
    rooms = {event.room_id[1:] for event in events.values() if event.type != "m.room.create"}
    named = [create.event_id for create in creates if create.event_id[1:] in rooms]
    return named[0] if len(named) == 1 else None


def _in_room_of(create: EventId | None, events: Mapping[EventId, Event]) -> Mapping[EventId, Event]:
    """The events in the room that `create` names, where invented room ids name none."""
    if create is None or any(event.room_id[1:] == create[1:] for event in events.values() if event.event_id != create):
        return events
    return {one: replace(event, room_id=RoomId("!" + create[1:])) for one, event in events.items()}


def _read_events(case: Mapping[str, Any], version: RoomVersion) -> dict[EventId, Event]:
    events: dict[EventId, Event] = {}
    for number, pdu in enumerate(_array(case, "events", "the case"), 1):
        if not isinstance(pdu, dict):
            raise BadJson(f"Event {number} is {json_kind(pdu)}; an event is a JSON object.")
        event = _read_event(pdu, version, f"event {number}")
        known = events.setdefault(event.event_id, event)
        if known.pdu != pdu:
            raise BadJson(f"Two different events have the event_id {event.event_id}.")
    return events


def _read_event(pdu: Mapping[str, Any], version: RoomVersion, where: str) -> Event:
    event_id = _text(pdu, "event_id", where)
    where = f"event {event_id}"
    event_type = _text(pdu, "type", where)
    room_id = pdu.get("room_id")
    if room_id is None and version.room_id_is_create_hash and event_type == "m.room.create":
        room_id = "!" + event_id[1:]
    if not isinstance(room_id, str):
        raise BadJson(f"room_id of {where} is {json_kind(room_id)}; it must be a string.")
    content = pdu.get("content")
    if not isinstance(content, dict):
        raise BadJson(f"content of {where} is {json_kind(content)}; it must be an object.")
    redacts = content.get("redacts") if version.redacts_in_content else pdu.get("redacts")
    return Event(
        version=version,
        event_id=EventId(event_id),
        room_id=RoomId(room_id),
        type=event_type,
        sender=UserId(_text(pdu, "sender", where)),
        state_key=_text(pdu, "state_key", where) if "state_key" in pdu else None,
        content=content,
        prev_event_ids=_ids(pdu, "prev_events", where),
        auth_event_ids=_ids(pdu, "auth_events", where),
        depth=_number(pdu, "depth", where),
        origin_server_ts=_number(pdu, "origin_server_ts", where),
        redacts=EventId(redacts) if isinstance(redacts, str) else None,
        pdu=pdu,
    )


def _read_state_set(ids: object, number: int, events: Mapping[EventId, Event]) -> dict[StateKey, EventId]:
    if not isinstance(ids, list):
        raise BadJson(f"State set {number} is {json_kind(ids)}; a state set is an array of event ids.")
    state: dict[StateKey, EventId] = {}
    for one in ids:
        event = events.get(EventId(one)) if isinstance(one, str) else None
        if event is None:
            raise BadJson(f"State set {number} has {one!r}, which is not among the events of the case.")
        if event.state_key is None:
            raise BadJson(f"State set {number} has {one}, which is not a state event.")
        if state.setdefault(event.key, event.event_id) != event.event_id:
            raise BadJson(f"State set {number} has two events for {event.type} {event.state_key!r}.")
    return state


def _array(of: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = of.get(key)
    if not isinstance(value, list):
        raise BadJson(f"{key} of {where} is {json_kind(value)}; it must be an array.")
    return value


def _text(of: Mapping[str, Any], key: str, where: str) -> str:
    value = of.get(key)
    if not isinstance(value, str):
        raise BadJson(f"{key} of {where} is {json_kind(value)}; it must be a string.")
    return value


def _number(of: Mapping[str, Any], key: str, where: str) -> int:
    value = of.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadJson(f"{key} of {where} is {json_kind(value)}; it must be an integer.")
    return value


def _ids(of: Mapping[str, Any], key: str, where: str) -> tuple[EventId, ...]:
    """Event ids, plain or as the pairs of id and hashes that room versions 1 and 2 use."""
    ids = [entry[0] if isinstance(entry, list) and entry else entry for entry in _array({key: [], **of}, key, where)]
    wrong = next((one for one in ids if not isinstance(one, str)), None)
    if wrong is not None:
        raise BadJson(f"{key} of {where} has {json_kind(wrong)}; its entries must be event ids.")
    return tuple(EventId(one) for one in ids)


if __name__ == "__main__":
    sys.exit(main())
