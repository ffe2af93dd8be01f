"""One room's part of a sync: its timeline, state and summary, as JSON, for a user who is in it or was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from core.events.event_filter import RoomEventFilter
from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.stays import end_of_stay
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, RoomId, RoomNid, TextNid
from core.storage.log import Kind, LogReader
from core.storage.memberships import Membership
from core.sync.asking import Asking, is_open
from core.sync.reading_ahead import ReadingAhead
from core.sync.room_state import EVENTS_AT_ONCE, RoomStateChoice
from core.sync.sections import Fields
from core.sync.state_changes import StateChangeReader, StateChanges
from core.sync.summaries import Summaries, Summary
from core.sync.timelines import RoomTimeline, Timelines, end_at

DEFAULT_TIMELINE = 10
"""Events in a timeline where the filter says nothing."""


@dataclass(frozen=True, slots=True)
class RoomPart:
    """What goes under the room's id. `is_new`: the client knew nothing of it."""

    room_nid: RoomNid
    room_id: RoomId
    fields: Fields
    is_new: bool


class RoomContents:
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
        most_timeline: int,
    ) -> None:
        self._graph = graph
        self._viewing = viewing
        self._client_events = client_events
        self._log = log
        self._timelines = timelines
        self._changes = changes
        self._summaries = summaries
        self._choice = RoomStateChoice(graph)
        self._most_timeline = most_timeline
        self._ahead = ReadingAhead(graph, viewing, client_events, timelines)

    def load(self, asking: Asking, rooms: Sequence[RoomNid]) -> None:
        """Read ahead rooms that are new to the client."""
        wanted = asking.filter.room.timeline
        limit = 0 if wanted.wants_nothing else wanted.limit_within(DEFAULT_TIMELINE, self._most_timeline)
        self._ahead.load(asking, rooms, limit)
        asking.pause()
        self._choice.load(asking, rooms)

    def joined(self, asking: Asking, room: RoomNid, changes: StateChanges, is_new: bool) -> RoomPart | None:
        """A room the user is in; None where nothing of it is to be told.

        `changes` are those of the window. A new room's timeline reaches back before the window, and its state is whole.
        """
        window, room_id = asking.window, self._graph.rooms.name(room).room_id
        timeline = self._timeline(asking, room, room_id, 0 if is_new else window.since, window.upto, None)
        is_full = is_new or asking.request.full_state
        summary = None
        if is_full or self._has_members(changes):
            summary = self._summaries.of(room, asking.viewer.user_nid)
        heroes = () if summary is None else summary.heroes
        if is_full:
            base = self._graph.states.current(room).nids()
            state = self._choice.full(asking, room, base, timeline.events, heroes)
        else:
            state = self._choice.changed(asking, room, changes, timeline.events, heroes)
            if not timeline.events and not timeline.limited and not state and summary is None:
                return None
        return RoomPart(room, room_id, self._fields(asking, room_id, timeline, state, summary), is_new)

    def left(self, asking: Asking, membership: Membership, was_joined: bool, since_index: int | None) -> RoomPart:
        """A room the user left or was banned from: what they may see, up to that and no further.

        Who is banned after they left is told of that, and of nothing else that came after the end of their stay.

        `was_joined` at the start of the window, whose index of the main line is `since_index`; None: it cannot be told.
        """
        room, window = membership.room_nid, asking.window
        room_id = self._graph.rooms.name(room).room_id
        own = self._log.positions_of(Kind.EVENT, (membership.event_nid,)).get(membership.event_nid)
        upto = window.upto if own is None else min(window.upto, own)
        timeline = self._timeline(asking, room, room_id, window.since, upto, membership.event_nid)
        until = end_of_stay(self._graph.states, room, asking.viewer.user_nid)
        own_key = self._graph.texts.nid("m.room.member"), TextNid(asking.viewer.user_nid)
        if until is None:
            state = []  # an invite that was rejected or taken back, or a ban of a stranger: there is only that to tell
        elif was_joined and since_index is not None and not asking.request.full_state:
            changes = self._changes.read(until.line, since_index, until.index)
            at_start, _ = changes.net.get(own_key, (0, 0))
            net = {**changes.net, own_key: (at_start, int(membership.event_nid))}
            state = self._choice.changed(asking, room, replace(changes, net=net), timeline.events, ())
        else:
            base = {**self._graph.states.at(until).nids(), own_key: membership.event_nid}
            state = self._choice.full(asking, room, base, timeline.events, ())
        return RoomPart(room, room_id, self._fields(asking, room_id, timeline, state, None), not was_joined)

    def gone(self, asking: Asking, room: RoomNid, event: StoredEvent) -> RoomPart:
        """A room of which only the `event` is told that ended the user's membership: forgotten, or not known here."""
        room_id = self._graph.rooms.name(room).room_id
        rendered = self._client_events.render((event,), asking.viewer, False, False, False)
        fields = {"timeline": b'{"events":[%b],"limited":false}' % rendered[0], asking.request.state_key: _events([])}
        return RoomPart(room, room_id, fields, True)

    def _timeline(
        self, asking: Asking, room: RoomNid, room_id: RoomId, since: int, upto: int, always: EventNid | None
    ) -> RoomTimeline:
        wanted, viewer = asking.filter.room.timeline, asking.viewer
        if wanted.wants_nothing or not wanted.wants_room(room_id):
            return RoomTimeline([], False, end_at(upto))
        everything = is_open(wanted)

        def accepts(events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
            listed = asking.without_ignored(events)
            if not everything:
                listed = self._filtered(wanted, room_id, listed)
            seen = self._viewing.visible(listed, viewer.user_nid, viewer.user_id)
            if always is None or len(seen) == len(listed):
                return seen
            kept = {stored.nid for stored in seen} | {always}
            return [stored for stored in listed if stored.nid in kept]

        def hides(stored: StoredEvent) -> bool:
            return not self._viewing.may_see(stored, viewer.user_nid, viewer.user_id)

        limit = wanted.limit_within(DEFAULT_TIMELINE, self._most_timeline)
        oldest = self._viewing.useless_before(room, viewer.user_nid, viewer.user_id)
        return self._timelines.read(room, since, upto, limit, accepts, oldest, hides)

    def _filtered(
        self, wanted: RoomEventFilter, room_id: RoomId, events: Sequence[StoredEvent]
    ) -> Sequence[StoredEvent]:
        related: Mapping[str, list[tuple[str, str]]] = {}
        if wanted.judges_relations:
            related = self._relations(events)
        return [
            stored
            for stored in events
            if wanted.matches_event(
                stored.type,
                stored.sender,
                room_id,
                stored.content if wanted.contains_url is not None else {},
                lambda stored=stored: related.get(stored.event_id, ()),  # type: ignore[misc]  # a default binds it
            )
        ]

    def _relations(self, events: Sequence[StoredEvent]) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        relations = self._graph.relations.children([stored.event_id for stored in events])
        texts = self._graph.texts.texts({nid for one in relations for nid in (one.rel_type_nid, one.sender_nid)})
        for one in relations:
            found.setdefault(one.parent_id, []).append((texts[one.rel_type_nid], texts[one.sender_nid]))
        return found

    def _fields(
        self,
        asking: Asking,
        room_id: RoomId,
        timeline: RoomTimeline,
        state: Sequence[StoredEvent],
        summary: Summary | None,
    ) -> Fields:
        fields: dict[str, bytes | list[bytes]] = {
            "timeline": b'{"events":[%b],"limited":%b,"prev_batch":"%b"}'
            % (
                b",".join(self._rendered(asking, timeline.events, True)),
                b"true" if timeline.limited else b"false",
                str(timeline.prev_batch).encode(),
            ),
            asking.request.state_key: _events(self._rendered(asking, state, False)) if state else _events([]),
        }
        if summary is not None:
            fields["summary"] = summary.json
        return fields

    def _rendered(self, asking: Asking, events: Sequence[StoredEvent], is_timeline: bool) -> list[bytes]:
        """Events as the filter wants them; only those of a timeline say what they took the place of, or relate to."""
        filtered = asking.filter
        if filtered.event_format == "federation":
            return [stored.pdu_bytes for stored in events]
        rendered: list[bytes] = []
        for start in range(0, len(events), EVENTS_AT_ONCE):
            asking.pause()
            rendered += self._client_events.render(
                events[start : start + EVENTS_AT_ONCE],
                asking.viewer,
                with_room_id=False,
                is_bundled=is_timeline,
                with_replaced=is_timeline,
            )
        if filtered.event_fields is None:
            return rendered
        return [orjson.dumps(filtered.cut(orjson.loads(one))) for one in rendered]

    def _has_members(self, changes: StateChanges) -> bool:
        if not changes.net:
            return False
        members = self._graph.texts.nid("m.room.member")
        return any(key[0] == members for key in changes.net)


def _events(rendered: Sequence[bytes]) -> bytes:
    return b'{"events":[%b]}' % b",".join(rendered)
