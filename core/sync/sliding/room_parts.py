"""What one room's part of a sliding sync says: timeline, required state, name, heroes and counts of members, as JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import orjson

from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.states import RoomState
from core.graph.stays import end_of_stay
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, RoomNid, TextNid, UserNid
from core.storage.log import Kind, LogReader
from core.storage.state_lines import StateNidKey
from core.sync.asking import Asking
from core.sync.reading_ahead import ReadingAhead
from core.sync.sliding.connections import ToldRoom
from core.sync.sliding.invites import Invites
from core.sync.sliding.request import RoomConfig
from core.sync.sliding.required_state import NOTHING
from core.sync.sliding.standings import Standing
from core.sync.sliding.state_choice import StateChoice
from core.sync.state_changes import NO_CHANGES, StateChangeReader, StateChanges
from core.sync.summaries import Summaries
from core.sync.timelines import RoomTimeline, Timelines

Parts = list[bytes]
"""Members of a room's JSON object, `"key":value`."""


@dataclass(frozen=True, slots=True)
class RoomAnswer:
    """What is told of a room, None for nothing, and what the client knows of it then; None for a room that is gone."""

    parts: Parts | None
    told: ToldRoom | None
    is_initial: bool = False


class RoomParts:
    """Puts rooms together."""

    def __init__(
        self,
        graph: Graph,
        viewing: Viewing,
        client_events: ClientEvents,
        log: LogReader,
        timelines: Timelines,
        changes: StateChangeReader,
        summaries: Summaries,
    ) -> None:
        self._graph = graph
        self._viewing = viewing
        self._client_events = client_events
        self._log = log
        self._timelines = timelines
        self._changes = changes
        self._summaries = summaries
        self._choice = StateChoice(graph.texts)
        self._invites = Invites(graph, client_events)
        self._ahead = ReadingAhead(graph, viewing, client_events, timelines)

    def of(
        self, asking: Asking, room: RoomNid, standing: Standing, config: RoomConfig, told: ToldRoom | None
    ) -> RoomAnswer:
        """A room, given how the user stands with it and what the client knows of it."""
        if standing.membership == "join":
            return self._joined(asking, room, standing, config, told)
        if told is not None and (told.membership, told.event_nid) == (standing.membership, standing.event_nid):
            return RoomAnswer(None, told)
        now = ToldRoom(standing.membership, standing.event_nid, 0, config.timeline_limit, config.required)
        if standing.membership in ("invite", "knock"):
            return RoomAnswer(self._invites.parts(room, standing), now, True)
        if standing.out_of_band is not None:
            return RoomAnswer(self._invites.ended(asking.viewer, standing), None)
        parts = self._left(asking, room, standing, config, told)
        return RoomAnswer(parts, now if standing.is_listed else None)

    def load(self, asking: Asking, rooms: Sequence[RoomNid], limit: int) -> None:
        """Read ahead rooms that are new to the client, with timelines of `limit` events."""
        self._ahead.load(asking, rooms, limit)

    def required_events(
        self, asking: Asking, room: RoomNid, standing: Standing, config: RoomConfig
    ) -> Collection[EventNid]:
        """The state events that a room that is new to the client will need: to be read for many rooms at once."""
        if standing.membership != "join":
            return (standing.event_nid,)
        state = self._graph.states.current(room)
        return self._choice.of(state, config.required, asking.viewer.user_id).values()

    def _joined(
        self, asking: Asking, room: RoomNid, standing: Standing, config: RoomConfig, told: ToldRoom | None
    ) -> RoomAnswer:
        window = asking.window
        changes, is_initial = NO_CHANGES, told is None or told.membership != "join"
        since = 0 if told is None or is_initial else told.since or window.since
        if not is_initial:
            changes = self._changes.between(room, since, window.upto)
            is_initial = changes.is_replaced or not self._stayed(asking, room, since, changes)
        if told is None or is_initial:
            told = ToldRoom("join", standing.event_nid, 0, config.timeline_limit, NOTHING)
            is_expanded, since = False, 0
        else:
            is_expanded = config.timeline_limit > told.timeline_limit
        timeline = self._timeline(asking, room, 0 if is_expanded else since, config.timeline_limit, None)
        state = self._graph.states.current(room)
        wanted = self._wanted(asking, state, config, told, changes, is_initial)
        members = self._lazy(state, config, told, timeline.events, wanted, changes)
        parts = self._meta(asking, room, state, None if is_initial else changes)
        is_told = is_initial or bool(parts or timeline.events or timeline.limited or wanted)
        # what is not required any more, and changed, is told whole if it is required again
        required = config.required if changes.net or is_initial else told.required | config.required
        limit = max(told.timeline_limit, config.timeline_limit)
        if timeline.limited and not is_expanded:
            limit = config.timeline_limit
        now = replace(
            told, event_nid=standing.event_nid, since=0, timeline_limit=limit, required=required, members=members
        )
        if not is_told:
            return RoomAnswer(None, told if now == told else now)
        parts += self._timeline_parts(asking, timeline, 0 if is_expanded else since)
        if wanted:
            parts.append(self._required(asking, wanted.values()))
        parts.append(b'"membership":"join"')
        if is_initial:
            parts.append(b'"initial":true')
        if is_expanded:
            parts.append(b'"unstable_expanded_timeline":true')
        return RoomAnswer(parts, now, is_initial)

    def _left(
        self, asking: Asking, room: RoomNid, standing: Standing, config: RoomConfig, told: ToldRoom | None
    ) -> Parts:
        """A room the user left, or was kicked or banned from: up to then and no further."""
        viewer = asking.viewer
        until = end_of_stay(self._graph.states, room, viewer.user_nid)
        limit = max(config.timeline_limit, 1)
        since = 0 if told is None or told.membership != "join" else told.since or asking.window.since
        timeline = self._timeline(asking, room, since, 1 if until is None else limit, standing.event_nid)
        wanted: dict[StateNidKey, EventNid] = {}
        if until is not None:
            state = self._graph.states.at(until)
            wanted = self._choice.of(state, config.required, viewer.user_id)
            wanted.pop((self._graph.texts.nid("m.room.member"), TextNid(viewer.user_nid)), None)  # a later one is told
        parts = self._timeline_parts(asking, timeline, since)
        parts.append(self._required(asking, {*wanted.values(), standing.event_nid}))
        parts.append(b'"membership":"%b"' % standing.membership.encode())
        if told is None:
            parts.append(b'"initial":true')
        return parts

    def _timeline(
        self, asking: Asking, room: RoomNid, since: int, limit: int, own_leave: EventNid | None
    ) -> RoomTimeline:
        viewer, upto = asking.viewer, asking.window.upto
        if own_leave is not None:
            upto = self._log.positions_of(Kind.EVENT, (own_leave,)).get(own_leave, upto)

        def accepts(events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
            listed = asking.without_ignored(events)
            seen = self._viewing.visible(listed, viewer.user_nid, viewer.user_id)
            if own_leave is None or len(seen) == len(listed):
                return seen
            kept = {stored.nid for stored in seen} | {own_leave}
            return [stored for stored in listed if stored.nid in kept]

        oldest = self._viewing.useless_before(room, viewer.user_nid, viewer.user_id)
        return self._timelines.read(room, since, upto, limit, accepts, oldest)

    def _stayed(self, asking: Asking, room: RoomNid, since: int, changes: StateChanges) -> bool:
        """Whether the user was in the room all through the window."""
        window = asking.window
        if changes.after_index is None or (window.is_known and window.user.own.get(room, 0) <= since >= window.since):
            return True
        viewer, after = asking.viewer, changes.after_index
        intervals = self._viewing.memberships(room, viewer.user_nid, viewer.user_id)
        later = [value for start, value in zip(intervals.starts, intervals.values, strict=True) if start > after]
        return intervals.at(after) == "join" and all(value == "join" for value in later)

    def _wanted(
        self,
        asking: Asking,
        state: RoomState,
        config: RoomConfig,
        told: ToldRoom,
        changes: StateChanges,
        is_initial: bool,
    ) -> dict[StateNidKey, EventNid]:
        """The required state that the client lacks, by key."""
        me, required = asking.viewer.user_id, config.required
        if is_initial:
            return self._choice.of(state, required, me)
        wanted: dict[StateNidKey, EventNid] = {}
        if not told.required.holds(required):
            known = told.required
            wanted = {
                key: nid
                for key, nid in self._choice.of(state, required, me).items()
                if not self._choice.matches(key, known, me)
            }
        for key, (old, new) in changes.net.items():
            if new and new != old and self._choice.matches(key, required, me):
                wanted[key] = EventNid(new)
        return wanted

    def _lazy(
        self,
        state: RoomState,
        config: RoomConfig,
        told: ToldRoom,
        timeline: Sequence[StoredEvent],
        wanted: dict[StateNidKey, EventNid],
        changes: StateChanges,
    ) -> frozenset[UserNid]:
        """Add the members whom the timeline needs, or who have changed; all whom the client has then."""
        if not config.required.is_lazy:
            return frozenset() if changes.net else told.members
        members, entries = self._choice.member_type, state.nids()
        for key, (old, new) in changes.net.items():
            if key[0] == members and new and new != old and key[1] in told.members:
                wanted[key] = EventNid(new)
        needed = {stored.sender_nid for stored in timeline}
        needed |= {
            stored.state_key_nid
            for stored in timeline
            if stored.type_nid == members and stored.state_key_nid is not None
        }
        missing = needed - told.members
        if not missing:
            return told.members
        for user in missing:
            nid = entries.get((members, user))
            if nid is not None:
                wanted[members, user] = nid
        return told.members | missing

    def _timeline_parts(self, asking: Asking, timeline: RoomTimeline, since: int) -> Parts:
        window, events = asking.window, timeline.events
        if not window.since:
            num_live = 0
        elif since >= window.since:
            num_live = len(events)
        else:
            positions = self._log.positions_of(Kind.EVENT, [stored.nid for stored in events])
            num_live = sum(position > window.since for position in positions.values())
        rendered = self._client_events.render(events, asking.viewer, with_room_id=False)
        return [
            b'"timeline":[%b]' % b",".join(rendered),
            b'"prev_batch":"%b"' % str(timeline.prev_batch).encode(),
            b'"limited":true' if timeline.limited else b'"limited":false',
            b'"num_live":%d' % num_live,
        ]

    def _required(self, asking: Asking, nids: Collection[EventNid]) -> bytes:
        events = self._graph.events.by_nids(sorted(nids)).values()
        rendered = self._client_events.render(
            events, asking.viewer, with_room_id=False, is_bundled=False, with_replaced=False
        )
        return b'"required_state":[%b]' % b",".join(rendered)

    def _meta(self, asking: Asking, room: RoomNid, state: RoomState, changes: StateChanges | None) -> Parts:
        """Name, avatar, heroes and counts; given changes, only what they touched."""
        if changes is not None and not changes.net:
            return []
        touched = None if changes is None else {self._graph.texts.text(key[0]) for key in changes.net}
        parts: Parts = []
        names = [_text(state.get(type_), field) for type_, field in (("m.room.name", "name"), ("m.room.avatar", "url"))]
        for type_, key, value in (("m.room.name", b"name", names[0]), ("m.room.avatar", b"avatar", names[1])):
            if (touched is None and value is not None) or (touched is not None and type_ in touched):
                parts.append(b'"%b":%b' % (key, orjson.dumps(value)))
        if touched is None or "m.room.member" in touched:
            parts.append(b'"joined_count":%d,"invited_count":%d' % self._graph.states.member_counts(room))
        if names[0] is None and (touched is None or touched & {"m.room.member", "m.room.name"}):
            heroes = self._summaries.of(room, asking.viewer.user_nid).heroes
            if heroes:
                parts.append(b'"heroes":' + orjson.dumps(self._heroes(state, heroes)))
        return parts

    def _heroes(self, state: RoomState, heroes: Sequence[UserNid]) -> list[dict[str, str]]:
        nids = {hero: state.nids().get((self._choice.member_type, hero)) for hero in heroes}
        events = self._graph.events.by_nids([nid for nid in nids.values() if nid is not None])
        texts = self._graph.texts.texts(heroes)
        found = []
        for hero, nid in nids.items():
            content = events[nid].content if nid is not None and nid in events else {}
            told = {"user_id": texts[hero]}
            for key in ("displayname", "avatar_url"):
                if isinstance(content.get(key), str):
                    told[key] = content[key]
            found.append(told)
        return found


def _text(stored: StoredEvent | None, field: str) -> str | None:
    """A string of an event's content that is not empty, or None."""
    found = None if stored is None else stored.content.get(field)
    return found if isinstance(found, str) and found else None
