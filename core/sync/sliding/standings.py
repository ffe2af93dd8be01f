"""How a user stands with each room that a client may hear of: joined, invited, knocking, banned, kicked.

Read once for a connection, and then only for the rooms in which the user's own membership changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, RoomNid, UserId, UserNid
from core.storage.log import Kind
from core.storage.memberships import MEMBERSHIPS, Membership, OutOfBand
from core.sync.asking import Asking


class Standing(NamedTuple):
    """A user in a room. `since_index` is the index of the room's main line at which it began.

    `is_listed`: it belongs in lists; a room that the user left does not, and is told of once.
    """

    membership: str
    event_nid: EventNid
    since_index: int
    is_listed: bool = True
    out_of_band: OutOfBand | None = None


Standings = Mapping[RoomNid, Standing]


class StandingReader:
    """Reads standings. `hides_invite` says whose invites a user has blocked; of `excluded` rooms nobody hears."""

    def __init__(
        self, graph: Graph, hides_invite: Callable[[UserNid, UserId], bool], excluded: Collection[str] = ()
    ) -> None:
        self._graph = graph
        self._excluded = frozenset(excluded)
        self._hides_invite = hides_invite

    def all(self, asking: Asking) -> dict[RoomNid, Standing]:
        """Every room that belongs in the user's lists."""
        user = asking.viewer.user_nid
        found = self._judged(asking, self._graph.memberships.rooms_of(user, MEMBERSHIPS[1:]))
        found = {room: standing for room, standing in found.items() if standing.is_listed}
        found.update(self._out_of_bands(asking))
        self._graph.rooms.names(found)
        return found

    def changed(self, asking: Asking, known: Standings, told: Collection[RoomNid]) -> Standings:
        """The standings at the end of the window, given those at its start; `told` rooms are known to the client.

        The same object where nothing changed.
        """
        window, user = asking.window, asking.viewer.user_nid
        if not window.is_known:
            now = self.all(asking)
            gone = [room for room in told if room not in now]
            now.update(self._ended(asking, gone))
            now.update(self._now(asking, gone))
            return now
        moved = [room for room, position in window.user.own.items() if position > window.since]
        has_others = window.has(Kind.OUT_OF_BAND)
        if not moved and not has_others and not window.has(Kind.ACCOUNT_DATA, Kind.ROOM_FORGOTTEN):
            return known
        if window.has(Kind.ROOM_FORGOTTEN):
            moved += [room for room, standing in known.items() if standing.membership in ("leave", "ban")]
        if window.has(Kind.ACCOUNT_DATA):  # whom the user ignores, and whose invites are hidden, may have changed
            moved += [room for room, standing in known.items() if standing.membership == "invite"]
            moved += [one.room_nid for one in self._graph.memberships.rooms_of(user, ("invite",))]
            has_others = True
        now = dict(known)
        if has_others:
            others = self._out_of_bands(asking)
            ended = [room for room, one in known.items() if one.out_of_band is not None and room not in others]
            for room in ended:
                now.pop(room)
            moved += ended
            now.update(others)
            now.update(self._ended(asking, [room for room in ended if room in told]))
        for room in moved:
            if room not in now or now[room].out_of_band is None:
                now.pop(room, None)
        now.update(self._now(asking, [room for room in moved if room not in now], told))
        self._graph.rooms.names(now)
        return now

    def _now(
        self, asking: Asking, rooms: Collection[RoomNid], told: Collection[RoomNid] | None = None
    ) -> dict[RoomNid, Standing]:
        """The standings in some rooms; those that do not belong in lists only of rooms that were told."""
        user, memberships = asking.viewer.user_nid, self._graph.memberships
        found: list[Membership] = []
        for room in set(rooms):
            membership = memberships.of(room, user)
            if membership is not None:
                found.append(membership)
        judged = self._judged(asking, found)
        for room in [room for room in judged if memberships.is_forgotten(room, user)]:
            judged[room] = judged[room]._replace(is_listed=False)
        if told is None:
            return judged
        return {room: one for room, one in judged.items() if one.is_listed or room in told}

    def _judged(self, asking: Asking, memberships: Collection[Membership]) -> dict[RoomNid, Standing]:
        if self._excluded:
            memberships = [one for one in memberships if not self._is_excluded(one.room_nid)]
        doubtful = [one.event_nid for one in memberships if one.membership in ("leave", "invite", "knock")]
        events = self._graph.events.by_nids(doubtful)
        me = asking.viewer.user_id
        found: dict[RoomNid, Standing] = {}
        for one in memberships:
            is_listed, own = True, events.get(one.event_nid)
            if own is not None and one.membership == "leave":
                is_listed = own.sender != me and self._was_joined(asking, one.room_nid)
            elif own is not None and one.membership == "invite" and self._is_hidden(asking, own.sender):
                before = self._before_invite(asking, own)
                if before is not None:
                    found[one.room_nid] = before
                continue
            found[one.room_nid] = Standing(one.membership, one.event_nid, one.since_index, is_listed)
        return found

    def _before_invite(self, asking: Asking, invite: StoredEvent) -> Standing | None:
        """What a room that was something to the user is during an invite that is kept from them: as if they had left."""
        before = self._graph.states.former(invite)
        if before is None:
            return None
        intervals = self._graph.states.membership_intervals(invite.room_nid, asking.viewer.user_nid)
        left_at = [index for index, membership in intervals if membership in ("leave", "ban")]
        return Standing("leave", before.nid, left_at[-1] if left_at else 0, False)

    def _was_joined(self, asking: Asking, room: RoomNid) -> bool:
        """Whether it is a kick; the end of an invite is told to those who know of the invite, and to nobody else."""
        intervals = self._graph.states.membership_intervals(room, asking.viewer.user_nid)
        return len(intervals) > 1 and intervals[-2][1] == "join"

    def _is_excluded(self, room: RoomNid) -> bool:
        return self._graph.rooms.name(room).room_id in self._excluded

    def _is_hidden(self, asking: Asking, inviter: UserId) -> bool:
        return inviter in asking.ignored or self._hides_invite(asking.viewer.user_nid, inviter)

    def _ended(self, asking: Asking, rooms: Collection[RoomNid]) -> dict[RoomNid, Standing]:
        """Those of some rooms of other servers in which an invite or knock has come to its end."""
        if not rooms:
            return {}
        listed = self._graph.out_of_band.of(asking.viewer.user_nid, ("leave", "ban"))
        wanted = set(rooms)
        return {
            one.room_nid: Standing(one.membership, one.event_nid, 0, False, one)
            for one in listed
            if one.room_nid in wanted
        }

    def _out_of_bands(self, asking: Asking) -> dict[RoomNid, Standing]:
        found: dict[RoomNid, Standing] = {}
        listed = self._graph.out_of_band.of(asking.viewer.user_nid)
        events = self._graph.events.by_nids([one.event_nid for one in listed])
        for one in listed:
            own = events[one.event_nid]
            if self._excluded and self._is_excluded(one.room_nid):
                continue
            if one.membership == "invite" and self._is_hidden(asking, own.sender):
                continue
            found[one.room_nid] = Standing(one.membership, one.event_nid, 0, True, one)
        return found
