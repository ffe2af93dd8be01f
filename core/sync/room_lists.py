"""Which rooms an answer speaks of, and as what: joined, invited, knocked on, left.

For somebody whom memory knows this costs what happened, not how many rooms there are; only rooms in which the user's
own membership changed, or of which memory is too short, are looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.graph.client_events import ClientEvents
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.graph.viewing import Viewing
from core.ids import EventNid, RoomId, RoomNid, UserId, UserNid
from core.storage.database import Database
from core.storage.log import Kind, LogReader
from core.storage.memberships import MEMBERSHIPS, Membership, OutOfBand
from core.sync.asking import Asking
from core.sync.reading_ahead import ROOMS_AT_ONCE
from core.sync.room_contents import RoomContents, RoomPart
from core.sync.state_changes import NO_CHANGES, StateChangeReader, StateChanges

OUT_OF_BAND_AT_ONCE = 1_000
"""So many invites to rooms of other servers are told in one answer; the newest."""


@dataclass(slots=True)
class RoomLists:
    """The rooms of an answer. Invites and knocks are ready as JSON."""

    joined: list[RoomPart] = field(default_factory=list)
    left: list[RoomPart] = field(default_factory=list)
    invited: dict[RoomId, bytes] = field(default_factory=dict)
    knocked: dict[RoomId, bytes] = field(default_factory=dict)


class RoomLister:
    """Finds the rooms of an answer and has them put together."""

    def __init__(
        self,
        database: Database,
        graph: Graph,
        viewing: Viewing,
        client_events: ClientEvents,
        log: LogReader,
        changes: StateChangeReader,
        contents: RoomContents,
        hides_invite: Callable[[UserNid, UserId], bool] = lambda _invited, _inviter: False,
    ) -> None:
        self._database = database
        self._graph = graph
        self._viewing = viewing
        self._client_events = client_events
        self._log = log
        self._changes = changes
        self._contents = contents
        self._hides_invite = hides_invite

    def all(self, asking: Asking) -> RoomLists:
        """Every room the user is in, is invited to or knocked on, and those they left if the filter includes them."""
        lists = RoomLists()
        wanted = ["join", "invite", "knock"]
        if asking.filter.room.include_leave:
            wanted += ["leave", "ban"]
        memberships = self._graph.memberships.rooms_of(asking.viewer.user_nid, wanted)
        self._graph.rooms.names([membership.room_nid for membership in memberships])
        memberships = [one for one in memberships if self._wants(asking, one.room_nid)]
        for number, membership in enumerate(memberships):
            asking.pause()
            if number % ROOMS_AT_ONCE == 0:
                some = memberships[number : number + ROOMS_AT_ONCE]
                self._contents.load(asking, [one.room_nid for one in some if one.membership == "join"])
            if membership.membership == "join":
                self._add(lists.joined, self._contents.joined(asking, membership.room_nid, NO_CHANGES, True))
            elif membership.membership in ("leave", "ban"):
                lists.left.append(self._contents.left(asking, membership, False, None))
            else:
                self._add_stripped(asking, lists, membership)
        for one in self._graph.out_of_band.of(asking.viewer.user_nid):
            self._add_out_of_band(asking, lists, one)
        return lists

    def changed(self, asking: Asking) -> RoomLists:
        """The rooms in which something happened in the window; with `full_state`, all that the user is in as well."""
        lists, window = RoomLists(), asking.window
        rooms, user = self._changed_rooms(asking), window.user
        stayed = {room for room in rooms if window.is_known and user.own.get(room, 0) <= window.since}
        here = stayed & user.joined  # decided now: during a pause, what comes after the window may be filed
        for room in rooms:
            asking.pause()
            if not self._wants(asking, room):
                continue
            if room in here:
                changes = self._changes.between(room, window.since, window.upto)
                self._add(lists.joined, self._contents.joined(asking, room, changes, changes.is_replaced))
            elif room not in stayed:
                self._add_room(asking, lists, room)
        if window.has(Kind.OUT_OF_BAND):
            self._add_out_of_bands(asking, lists)
        return lists

    def _changed_rooms(self, asking: Asking) -> list[RoomNid]:
        window = asking.window
        if window.is_known and not asking.request.full_state:
            return window.user.rooms_since(window.since)
        memberships = self._graph.memberships.rooms_of(asking.viewer.user_nid, MEMBERSHIPS[1:], with_forgotten=True)
        if asking.request.full_state:
            joined = [one.room_nid for one in memberships if one.membership == "join"]
            others = [one.room_nid for one in memberships if one.membership != "join"]
            return joined + self._with_lines(others, window.since)
        return self._with_lines([one.room_nid for one in memberships], window.since)

    def _with_lines(self, rooms: list[RoomNid], since: int) -> list[RoomNid]:
        """Those of `rooms` in which something happened after `since`."""
        rows = self._database.rows_in(
            "SELECT subject, MAX(position) FROM log WHERE subject IN ({}) AND kind IN (1, 2) AND position > ? "
            "GROUP BY subject",
            rooms,
            after=(since,),
        )
        return [RoomNid(row[0]) for row in sorted(rows, key=lambda row: row[1])]

    def _add_room(self, asking: Asking, lists: RoomLists, room: RoomNid) -> None:
        """A room in which the user's own membership changed, or may have."""
        user_nid, window = asking.viewer.user_nid, asking.window
        membership = self._graph.memberships.of(room, user_nid)
        if membership is None:
            return
        changes = self._changes.between(room, window.since, window.upto)
        before, stayed = self._membership_before(asking, membership, changes)
        if membership.membership == "join" or self._left_later(asking, membership):
            self._add(lists.joined, self._contents.joined(asking, room, changes, not stayed))
        elif changes.is_empty or (changes.after_index is not None and membership.since_index <= changes.after_index):
            return  # nothing that happened since concerns somebody who is not there
        elif membership.membership in ("leave", "ban"):
            if not self._graph.memberships.is_forgotten(room, user_nid):
                lists.left.append(self._contents.left(asking, membership, before == "join", changes.after_index))
            elif before in ("join", "invite", "knock"):  # a client that has the room must hear that it is gone
                lists.left.append(self._contents.gone(asking, room, self._graph.events.by_nid(membership.event_nid)))
        elif not self._add_stripped(asking, lists, membership) and before in ("join", "invite", "knock"):
            lists.left.append(self._contents.gone(asking, room, self._member_before(membership)))

    def _member_before(self, membership: Membership) -> StoredEvent:
        """The user's own member event before the one that holds now."""
        own = self._graph.events.by_nid(membership.event_nid)
        return self._graph.states.former(own) or own

    def _left_later(self, asking: Asking, membership: Membership) -> bool:
        """Whether the user was in the room to the end of the window and left after it, which the next answer tells."""
        position = self._log.positions_of(Kind.EVENT, (membership.event_nid,)).get(membership.event_nid, 0)
        if position <= asking.window.upto:
            return False
        intervals = self._viewing.memberships(membership.room_nid, asking.viewer.user_nid, asking.viewer.user_id)
        return intervals.at(membership.since_index - 1) == "join"

    def _membership_before(self, asking: Asking, now: Membership, changes: StateChanges) -> tuple[str, bool]:
        """(the user's membership at the start of the window, whether they were in the room all through it)."""
        if changes.is_replaced:
            return "", False
        if changes.after_index is None:
            return now.membership, now.membership == "join"
        intervals = self._viewing.memberships(now.room_nid, asking.viewer.user_nid, asking.viewer.user_id)
        before = intervals.at(changes.after_index)
        later = [
            value
            for start, value in zip(intervals.starts, intervals.values, strict=True)
            if start > changes.after_index
        ]
        return before, before == "join" and all(value == "join" for value in later)

    def _add_stripped(self, asking: Asking, lists: RoomLists, membership: Membership) -> bool:
        """An invite or knock in a room whose state is here; whether it is told, and not kept from the user."""
        room = membership.room_nid
        own = self._graph.events.by_nid(membership.event_nid)
        if own.sender in asking.ignored or self._is_unwanted(asking, membership.membership, own.sender):
            return False
        state = self._graph.states.current(room)
        shown = [stored for stored in self._graph.prejoin.of(state, own.sender) if stored.nid != own.nid]
        self._put_stripped(lists, membership.membership, own.room_id, self._client_events.stripped([*shown, own]))
        return True

    def _add_out_of_bands(self, asking: Asking, lists: RoomLists) -> None:
        window, user = asking.window, asking.viewer.user_nid
        found = self._log.of_subject(
            Kind.OUT_OF_BAND, user, window.since, window.upto, OUT_OF_BAND_AT_ONCE, newest_first=True
        )
        for one in self._graph.out_of_band.by_events([EventNid(nid) for _, nid in found]).values():
            self._add_out_of_band(asking, lists, one)

    def _add_out_of_band(self, asking: Asking, lists: RoomLists, one: OutOfBand) -> None:
        """An invite or knock, or what ended one, in a room that this server is not in."""
        own = self._graph.events.by_nid(one.event_nid)
        if not self._wants(asking, one.room_nid) or own.sender in asking.ignored:
            return
        if self._is_unwanted(asking, one.membership, own.sender):
            return
        if one.membership in ("invite", "knock"):
            event = self._client_events.stripped([own])
            given = one.stripped_state.strip()
            together = event if given in (b"", b"[]") else b"%b,%b" % (given[:-1], event[1:])
            self._put_stripped(lists, one.membership, own.room_id, together)
        elif not asking.is_initial:
            lists.left.append(self._contents.gone(asking, one.room_nid, own))

    def _put_stripped(self, lists: RoomLists, membership: str, room_id: RoomId, events: bytes) -> None:
        if membership == "invite":
            lists.invited[room_id] = b'{"invite_state":{"events":%b}}' % events
        else:
            lists.knocked[room_id] = b'{"knock_state":{"events":%b}}' % events

    def _is_unwanted(self, asking: Asking, membership: str, inviter: UserId) -> bool:
        """Whether it is an invite that the user has blocked. Spec: Client-Server API, "Invite permission"."""
        return membership == "invite" and self._hides_invite(asking.viewer.user_nid, inviter)

    def _wants(self, asking: Asking, room: RoomNid) -> bool:
        return asking.filter.room.wants_room(self._graph.rooms.name(room).room_id)

    @staticmethod
    def _add(parts: list[RoomPart], part: RoomPart | None) -> None:
        if part is not None:
            parts.append(part)
