"""The notifier: hears of every new line of the log, remembers for whom it is news, and wakes those who wait.

It follows the tail and has a position of its own, up to which syncs may answer: a line counts only once it has been
filed with everybody it concerns. Filing is a matter of dictionaries; only a change of state takes a look at the
database, to see whose membership changed, and is therefore left to the notifier's own greenlet.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from core.ids import Position, RoomNid, UserNid
from core.storage.log import Kind, Line, LogTail
from core.storage.memberships import MembershipStore
from core.sync.active_users import ActiveUser, ActiveUsers
from core.sync.membership_changes import MembershipChanges
from core.sync.recent_lines import RecentLines

BUSY_SECONDS = 0.05
"""A room in which the last two events came within this time is busy."""
COALESCE_SECONDS = 0.015
"""Those who wait for a busy room are woken this much later, so that several events share one reply."""
CAUGHT_UP_SECONDS = 2.0
"""A sync waits for the notifier at most this long before it answers up to where the notifier is."""
RETRY_SECONDS = 0.2
TIMED_ROOMS = 10_000
"""Of so many rooms it is remembered when the last events came."""
UNKNOWN_FLOOR = Position(2**62)

_NEVER = (-1e9, -1e9)
_ROOM_KINDS = frozenset({Kind.EVENT, Kind.STATE_DELTA, Kind.RECEIPT})
_USER_KINDS = frozenset(
    {
        Kind.OUT_OF_BAND,
        Kind.ACCOUNT_DATA,
        Kind.ROOM_ACCOUNT_DATA,
        Kind.PRIVATE_RECEIPT,
        Kind.TO_DEVICE,
        Kind.ONE_TIME_KEYS,
        Kind.PUSH_RULES,
        Kind.NOTIFICATION_COUNTS,
        Kind.ROOM_FORGOTTEN,
        Kind.THREAD_SUBSCRIPTION,
    }
)

Audience = Callable[[int], Iterable[int]]
"""From the subject of a line to the user nids it is news for; may read the database."""

_log = logging.getLogger(__name__)


class Notifier:
    """One per process. `audiences` says, for kinds that concern others than their subject, whom."""

    def __init__(
        self,
        tail: LogTail,
        memberships: MembershipStore,
        changes: MembershipChanges,
        audiences: Mapping[Kind, Audience] | None = None,
    ) -> None:
        self._tail = tail
        self._memberships = memberships
        self._changes = changes
        self._audiences = audiences or {}
        self._active = ActiveUsers()
        self.recent = RecentLines()
        self._filed = tail.position
        self.epoch = random.SystemRandom().randrange(1, 10**9)
        self.count = 0
        """The newest count of what is only in memory, in `epoch`."""
        self.is_stopping = False
        self._backlog: deque[tuple[list[Line], Position]] = deque()
        self._work = Event()
        self._progress = Event()
        self._last_two: dict[int, tuple[float, float]] = {}
        """When the last two events of a room came, later one last."""
        self._deferred: set[ActiveUser] = set()
        self._greenlet: gevent.Greenlet | None = None
        self._timer = get_hub().loop.timer(COALESCE_SECONDS)
        tail.follow(self._feed)

    @property
    def position(self) -> Position:
        """Up to here every line has been filed, and syncs may answer."""
        return self._filed if self._backlog else self._tail.position

    @property
    def announced(self) -> Position:
        """Up to here the tail has announced lines."""
        return self._tail.position

    def start(self) -> None:
        """Begin to file what needs the database."""
        self._greenlet = gevent.spawn(self._run)

    def stop_waiting(self) -> None:
        """End all waiting, now and from now on: each sync answers with what there is."""
        self.is_stopping = True
        for user in self._active:
            user.wake()

    def stop(self) -> None:
        """End all waiting and the greenlet."""
        self.stop_waiting()
        self._timer.stop()
        if self._greenlet is not None:
            self._work.set()
            self._greenlet.join()
            self._greenlet = None

    def user(self, user_nid: UserNid) -> ActiveUser:
        """What is known of a user who syncs now. Cost: one query where they did not lately."""
        found = self._active.get(user_nid)
        if found is not None:
            self._active.seen(found)
            return found
        user = ActiveUser(user_nid, UNKNOWN_FLOOR, set())
        for room in self._active.add(user):
            self.recent.unwatch(room)
        try:
            memberships = self._memberships.rooms_of(user_nid)
        except BaseException:
            self._active.drop(user)
            raise
        for membership in memberships:
            if membership.room_nid not in user.own:  # what was filed meanwhile is newer
                self._join(user, membership.room_nid)
        user.floor, user.counted = self.position, self.count
        user.latest = max(user.latest, user.floor)
        return user

    def find_user(self, user_nid: UserNid) -> ActiveUser | None:
        """What is known of a user, if they synced lately; from memory alone."""
        return self._active.get(user_nid)

    def catch_up(self, position: int) -> bool:
        """Wait until the lines up to `position` are announced and filed; False where that takes too long."""
        deadline = time.monotonic() + CAUGHT_UP_SECONDS
        if not self._tail.wait_for(position, CAUGHT_UP_SECONDS):
            return False
        while self._backlog and self._filed < position:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self.is_stopping:
                return False
            self._progress.wait(remaining)
        return True

    def count_in_room(self, room: RoomNid) -> int:
        """Something that is only in memory changed in a room: tell those who are in it. Returns its count."""
        self.count += 1
        for user in self._active.watchers(room):
            user.counted = self.count
            user.wake()
        return self.count

    def count_for_user(self, user_nid: UserNid) -> int:
        """Something that is only in memory changed for a user. Returns its count."""
        self.count += 1
        user = self._active.get(user_nid)
        if user is not None:
            user.counted = self.count
            user.wake()
        return self.count

    def _feed(self, lines: list[Line]) -> None:
        """The follower of the tail: file at once what can be, in order."""
        position = lines[-1].position
        if not self._backlog and not any(self._needs_database(line) for line in lines):
            self._file(lines, position, {})
        else:
            self._backlog.append((lines, position))
            self._work.set()

    def _needs_database(self, line: Line) -> bool:
        return line.kind is Kind.STATE_DELTA or line.kind in self._audiences

    def _run(self) -> None:
        while not self.is_stopping:
            self._work.wait()
            self._work.clear()
            while self._backlog:
                try:
                    self._file_from_database(*self._backlog[0])
                except Exception:
                    _log.exception("Could not look up whom new lines of the log concern; trying again.")
                    gevent.sleep(RETRY_SECONDS)
                else:
                    self._backlog.popleft()
                if self.is_stopping:
                    return

    def _file_from_database(self, lines: list[Line], position: Position) -> None:
        deltas = [line.reference for line in lines if line.kind is Kind.STATE_DELTA]
        audiences = {
            (line.kind, line.subject): list(self._audiences[line.kind](line.subject))
            for line in lines
            if line.kind in self._audiences
        }
        memberships = self._changes.of(deltas, lambda user: self._active.get(user) is not None) if deltas else []
        self._file(lines, position, audiences)
        touched: set[ActiveUser] = set()
        for room, user_nid, membership in memberships:
            user = self._active.get(user_nid)
            if user is not None:
                self._move(user, room, membership, position)
                touched.add(user)
        self._wake(touched)

    def _file(self, lines: list[Line], position: Position, audiences: Mapping[tuple[Kind, int], Iterable[int]]) -> None:
        now = time.monotonic()
        touched: set[ActiveUser] = set()
        later: set[ActiveUser] = set()
        for line in lines:
            if line.kind in _ROOM_KINDS:
                woken = later if self._is_busy(line.subject, now) else touched
                self._file_in_room(line, woken)
            elif line.kind in _USER_KINDS:
                self._file_for(line.subject, line, touched)
            for user_nid in audiences.get((line.kind, line.subject), ()):
                self._file_for(user_nid, line, touched)
        for line in lines:
            if line.kind is Kind.EVENT:
                self._last_two[line.subject] = (self._last_two.get(line.subject, _NEVER)[1], now)
        self._filed = position
        self._progressed()
        self._wake(touched)
        self._wake_later(later - touched)

    def _file_in_room(self, line: Line, woken: set[ActiveUser]) -> None:
        room = RoomNid(line.subject)
        watchers = self._active.watchers(room)
        if not watchers:
            return
        if line.kind is not Kind.RECEIPT:
            self.recent.add(room, line)
        for user in watchers:
            user.note_room(room, line.position)
            if line.kind is Kind.RECEIPT:
                user.kinds[Kind.RECEIPT] = line.position
        woken |= watchers

    def _file_for(self, user_nid: int, line: Line, woken: set[ActiveUser]) -> None:
        user = self._active.get(user_nid)
        if user is not None:
            user.note_kind(line.kind, line.position)
            woken.add(user)

    def _move(self, user: ActiveUser, room: RoomNid, membership: str, position: Position) -> None:
        """A user's membership changed."""
        user.note_room(room, position)
        user.own[room] = position
        if membership == "join":
            self._join(user, room)
        elif room in user.joined and self._active.leave(user, room):
            self.recent.unwatch(room)

    def _join(self, user: ActiveUser, room: RoomNid) -> None:
        self._active.join(user, room)
        self.recent.watch(room, self.position)

    def _is_busy(self, room: int, now: float) -> bool:
        return now - self._last_two.get(room, _NEVER)[0] < BUSY_SECONDS

    def _progressed(self) -> None:
        progress, self._progress = self._progress, Event()
        progress.set()
        if len(self._last_two) > TIMED_ROOMS:
            self._last_two.clear()

    def _wake(self, users: Iterable[ActiveUser]) -> None:
        for user in users:
            if user.waiters:
                user.wake()

    def _wake_later(self, users: Iterable[ActiveUser]) -> None:
        waiting = [user for user in users if user.waiters]
        if waiting:
            if not self._deferred:
                self._timer.start(self._wake_deferred)
            self._deferred.update(waiting)

    def _wake_deferred(self) -> None:
        deferred, self._deferred = self._deferred, set()
        self._wake(deferred)
