"""Typing: who is typing where, in memory only, until they stop or their time is up.

One wheel of slots holds everybody's time-out, and turns only while somebody types; so a typist costs two dictionary
entries, whatever they ask for. What is beyond the limits below is not shown, which harms nobody.
Spec: Client-Server API, "Typing Notifications".
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from core.errors import Forbidden
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, Requester, RoomId, RoomNid, UserId
from core.rooms.access import RoomAccess
from core.rooms.edu_sink import EduSink
from core.storage.log import Kind, Line
from core.storage.rooms import RoomName

LOG = logging.getLogger(__name__)

SLOT_SECONDS = 0.25
"""How exactly time-outs are kept."""
LONGEST_MS = 120_000
"""Nobody is typing for longer than this without saying so again."""
SHORTEST_MS = 1_000
MAX_TYPING = 20_000
"""So many are shown as typing at a time, in all rooms together."""
MAX_TYPING_PER_ROOM = 100
MAX_ROOMS = 20_000
"""Of so many rooms it is remembered when somebody began or stopped typing there."""

SAID_TYPES = frozenset({"m.room.message", "m.room.encrypted", "m.sticker", "m.poll.start"})
"""Who sends one of these has said what they were typing."""

_SLOTS = int(LONGEST_MS / 1000 / SLOT_SECONDS) + 2

Announce = Callable[[RoomNid], int]
"""Wakes those who sync and are in the room; returns the count under which the change is filed."""
Typist = tuple[RoomNid, UserId]


@dataclass(slots=True)
class _Room:
    name: RoomName
    changed: int = 0
    typing: dict[UserId, int] = field(default_factory=dict)
    """Each typist's slot."""


class TypingBook:
    """Who is typing, and in which rooms that changed since a count. `announce` is the notifier's."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self._rooms: OrderedDict[RoomNid, _Room] = OrderedDict()
        """Those whose list changed last at the end."""
        self._slots: list[set[Typist]] = [set() for _ in range(_SLOTS)]
        self._now = 0
        self.count = 0
        """How many are typing, in all rooms."""

    def start(self, room: RoomName, user_id: UserId, timeout_ms: int) -> bool:
        """The user types for so long; whether that is shown, which it is not beyond the limits."""
        held = self._rooms.get(room.room_nid)
        slot = (self._now + 1 + int(timeout_ms / 1000 / SLOT_SECONDS)) % _SLOTS
        former = None if held is None else held.typing.get(user_id)
        if held is not None and former is not None:
            self._slots[former].discard((room.room_nid, user_id))
        elif self.count >= MAX_TYPING or (held is not None and len(held.typing) >= MAX_TYPING_PER_ROOM):
            return False
        else:
            self.count += 1
        if held is None:
            held = self._rooms[room.room_nid] = _Room(room)
            self._bound()
        held.typing[user_id] = slot
        self._slots[slot].add((room.room_nid, user_id))
        if former is None:
            self._changed(held)
        return True

    def stop(self, room: RoomNid, user_id: UserId) -> bool:
        """The user stopped typing; whether they were."""
        held = self._rooms.get(room)
        slot = None if held is None else held.typing.pop(user_id, None)
        if held is None or slot is None:
            return False
        self._slots[slot].discard((room, user_id))
        self.count -= 1
        self._changed(held)
        return True

    def room(self, room: RoomNid) -> RoomName | None:
        """The name of a room in which somebody is typing."""
        held = self._rooms.get(room)
        return held.name if held is not None and held.typing else None

    def turn(self) -> list[tuple[RoomName, UserId]]:
        """Go on by one slot; those whose time was up, who have been stopped."""
        self._now = (self._now + 1) % _SLOTS
        late = [(self._rooms[room].name, user_id) for room, user_id in self._slots[self._now]]
        for name, user_id in late:
            self.stop(name.room_nid, user_id)
        return late

    def typing_in(self, room: RoomNid) -> list[UserId]:
        """Who is typing in a room, who began first first."""
        held = self._rooms.get(room)
        return [] if held is None else list(held.typing)

    def rooms_with_typing(self, rooms: Iterable[RoomNid]) -> list[RoomNid]:
        """Those of `rooms` in which somebody is typing."""
        return [room for room in rooms if (held := self._rooms.get(room)) is not None and held.typing]

    def changed_since(self, count: int) -> Iterator[RoomNid]:
        """The rooms whose list changed after `count`, last first; cost: as many as there are."""
        for room in reversed(self._rooms):
            if self._rooms[room].changed <= count:
                return
            yield room

    def _changed(self, held: _Room) -> None:
        room = held.name.room_nid
        held.changed = self._announce(room)
        self._rooms.move_to_end(room)

    def _bound(self) -> None:
        if len(self._rooms) > MAX_ROOMS:
            _, oldest = self._rooms.popitem(last=False)
            self.count -= len(oldest.typing)
            for user_id, slot in oldest.typing.items():
                self._slots[slot].discard((oldest.name.room_nid, user_id))


class Typing:
    """Takes what local users say of themselves, and what other servers say; ends what nobody renews."""

    followed = (Kind.EVENT,)
    """The kinds of lines it hears of."""

    def __init__(
        self,
        access: RoomAccess,
        book: TypingBook,
        edus: EduSink,
        server_name: str,
        event_of: Callable[[EventNid], StoredEvent | None],
    ) -> None:
        """`event_of` gives an event that is in memory."""
        self._access = access
        self._event_of = event_of
        self._book = book
        self._edus = edus
        self._suffix = f":{server_name}"
        self._busy = Event()
        self._ended: list[tuple[RoomName, UserId]] = []
        """Local users whose typing has ended, of which other servers are yet to be told."""
        self._is_stopping = False
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to end what nobody renews."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End the greenlet."""
        self._is_stopping = True
        self._busy.set()
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def set(
        self, requester: Requester, room_id: RoomId, user_id: UserId, is_typing: bool, timeout_ms: int = 30_000
    ) -> None:
        """The requester begins, goes on or stops typing. Raises `Forbidden` outside the room and for another user."""
        if requester.user_id != user_id:
            raise Forbidden("You may say only of yourself that you are typing.")
        room = self._access.joined(requester, room_id)
        if is_typing:
            shown = self.receive(room, user_id, True, timeout_ms)
        else:
            shown = self._book.stop(room.room_nid, user_id)
        if shown:
            self._edus.typing(room, user_id, is_typing)

    def receive(self, room: RoomName, user_id: UserId, is_typing: bool, timeout_ms: int = 30_000) -> bool:
        """As `set`, for a user of another server, of whom the caller knows that they are in the room; whether shown."""
        if not is_typing:
            return self._book.stop(room.room_nid, user_id)
        shown = self._book.start(room, user_id, max(SHORTEST_MS, min(timeout_ms, LONGEST_MS)))
        self._busy.set()
        return shown

    def follow(self, lines: list[Line]) -> None:
        """A follower of the log: who sends a message or leaves has stopped typing."""
        if not self._book.count:
            return
        for line in lines:
            room = self._book.room(RoomNid(line.subject)) if line.kind is Kind.EVENT else None
            if room is None or (stored := self._event_of(EventNid(line.reference))) is None:
                continue
            if stored.type in SAID_TYPES:
                self._end(room, stored.sender)
            elif stored.type == "m.room.member" and stored.content.get("membership") != "join":
                self._end(room, UserId(stored.state_key or ""))

    def _end(self, room: RoomName, user_id: UserId) -> None:
        if self._book.stop(room.room_nid, user_id) and user_id.endswith(self._suffix):
            self._ended.append((room, user_id))
            self._busy.set()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._is_stopping:
            if not self._book.count and not self._ended:
                self._busy.clear()
                self._busy.wait()
                due = time.monotonic()
            due += SLOT_SECONDS
            gevent.sleep(max(0.0, due - time.monotonic()))
            late = [(room, user_id) for room, user_id in self._book.turn() if user_id.endswith(self._suffix)]
            ended, self._ended = self._ended, []
            for room, user_id in (*ended, *late):
                self._tell_end(room, user_id)

    def _tell_end(self, room: RoomName, user_id: UserId) -> None:
        try:
            self._edus.typing(room, user_id, False)
        except Exception:  # other servers end it by their own time-outs; the wheel must go on
            LOG.exception("Other servers could not be told that %s has stopped typing.", user_id)
