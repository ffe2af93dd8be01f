"""What is known of who is online, in memory: no I/O, no clock of its own, bounded.

A user is as present as the most present of their devices. A device that has not been heard of for OFFLINE_SECONDS is
gone; a user who has done nothing for IDLE_SECONDS is not online but unavailable, whatever their devices say. Every
record says under which tick it was last told to syncs, so that each sync finds what is new from the end. Times are
seconds of any clock that only goes forward.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from core.hooks import RoomId, UserId

ONLINE: Final = "online"
UNAVAILABLE: Final = "unavailable"
OFFLINE: Final = "offline"
STATES: Final = (OFFLINE, UNAVAILABLE, ONLINE)
"""From the least present to the most."""
OFFLINE_SECONDS: Final = 90.0
"""Longer than most long-polls take (30 s), with time for a client to come back."""
IDLE_SECONDS: Final = 300.0
MAX_USERS: Final = 50_000
"""So many users are remembered; the one whose presence changed longest ago goes first. About 30 MB at most."""
MAX_DEVICES: Final = 100
"""So many devices of one user count at a time."""


@dataclass(slots=True)
class Record:
    """One user. `told` is what syncs were told last, under `tick`; `rooms` are those whose members were told."""

    user_id: UserId
    devices: dict[str, str] = field(default_factory=dict)
    remote_state: str = OFFLINE
    status_msg: str | None = None
    active_at: float | None = None
    is_idle: bool = False
    """Whether the user, of this server, has done nothing for long."""
    told: tuple[str, str | None] = (OFFLINE, None)
    tick: int = 0
    is_own_word: bool = False
    """Whether what was told last is what the user said, of which their other devices should know."""
    rooms: frozenset[RoomId] = frozenset()

    @property
    def state(self) -> str:
        """What the user is now."""
        state = max((self.remote_state, *self.devices.values()), key=STATES.index)
        return UNAVAILABLE if state == ONLINE and self.is_idle else state

    @property
    def is_told(self) -> bool:
        """Whether syncs know what holds now."""
        return self.told == (self.state, self.status_msg)

    def content(self, now: float) -> dict[str, Any]:
        """The content of an `m.presence` event. Spec: Client-Server API, "Presence"."""
        state = self.state
        content: dict[str, Any] = {"presence": state}
        if self.active_at is not None:
            content["last_active_ago"] = max(0, int((now - self.active_at) * 1000))
        if self.status_msg is not None:
            content["status_msg"] = self.status_msg
        if state == ONLINE:
            content["currently_active"] = True
        return content


class Tracker:
    """All records, and who of them is yet to be told."""

    def __init__(self) -> None:
        self._records: OrderedDict[UserId, Record] = OrderedDict()
        """Last told last."""
        self._seen: OrderedDict[tuple[UserId, str], float] = OrderedDict()
        """When each device was heard of, the longest ago first."""
        self._acted: OrderedDict[UserId, float] = OrderedDict()
        """When each local user who is not idle did something, the longest ago first."""
        self._untold: OrderedDict[UserId, None] = OrderedDict()

    def find(self, user_id: UserId) -> Record | None:
        """What is known of a user."""
        return self._records.get(user_id)

    def seen(self, user_id: UserId, device_id: str, state: str, now: float) -> Record:
        """A device of a local user was heard of, and says it is in `state`; offline is as good as gone."""
        record = self._record(user_id)
        self._seen.pop((user_id, device_id), None)
        if state == ONLINE and record.devices.get(device_id) != ONLINE:
            self._act(record, now)
        if state == OFFLINE:
            record.devices.pop(device_id, None)
        elif device_id in record.devices or len(record.devices) < MAX_DEVICES:
            record.devices[device_id] = state
            self._seen[user_id, device_id] = now
        self._note(record)
        return record

    def act(self, user_id: UserId, now: float) -> None:
        """A local user did something; who is nowhere online does not become so by that."""
        record = self._records.get(user_id)
        if record is not None and record.devices:
            self._act(record, now)
            self._note(record)

    def set(self, user_id: UserId, device_id: str, state: str, status_msg: str | None, now: float) -> Record:
        """A local user says what they are, with all their devices, and why."""
        record = self._record(user_id)
        for device in list(record.devices):
            self._seen.pop((user_id, device), None)
        record.devices.clear()
        record.status_msg, record.active_at = status_msg, now
        return self.seen(user_id, device_id, state, now)

    def learn(self, user_id: UserId, state: str, status_msg: str | None, active_at: float | None) -> Record:
        """Another server says what a user of its is."""
        record = self._record(user_id)
        record.remote_state, record.status_msg = state, status_msg
        record.active_at = record.active_at if active_at is None else active_at
        self._note(record)
        return record

    def expire(self, now: float) -> None:
        """Forget devices that were not heard of for long, and note who is idle. Cost: as many as there are."""
        while self._acted:
            user_id, acted_at = next(iter(self._acted.items()))
            if now - acted_at < IDLE_SECONDS:
                break
            del self._acted[user_id]
            if (record := self._records.get(user_id)) is not None:
                record.is_idle = True
                self._note(record)
        while self._seen:
            (user_id, device_id), seen_at = next(iter(self._seen.items()))
            if now - seen_at < OFFLINE_SECONDS:
                return
            del self._seen[user_id, device_id]
            record = self._records.get(user_id)
            if record is not None:
                record.devices.pop(device_id, None)
                self._note(record)

    def untold(self) -> Iterator[Record]:
        """Those of whom syncs do not know what holds now, whoever has waited longest first; take while telling them."""
        while self._untold:
            user_id, _ = self._untold.popitem(last=False)
            record = self._records.get(user_id)
            if record is not None and not record.is_told:
                yield record

    def tell(self, record: Record, tick: int, rooms: frozenset[RoomId], is_own_word: bool = False) -> None:
        """Syncs that reach `tick` know of the record as it is now."""
        record.told, record.tick, record.rooms = (record.state, record.status_msg), tick, rooms
        record.is_own_word = is_own_word
        self._untold.pop(record.user_id, None)
        if record.user_id in self._records:
            self._records.move_to_end(record.user_id)

    def since(self, tick: int) -> Iterator[Record]:
        """The records that were told after `tick`, the last first. Cost: as many as there are."""
        for user_id in reversed(self._records):
            record = self._records[user_id]
            if record.tick <= tick:
                return
            yield record

    @property
    def is_idle(self) -> bool:
        """Whether nothing will change by itself."""
        return not self._seen and not self._untold

    def __len__(self) -> int:
        return len(self._records)

    def _record(self, user_id: UserId) -> Record:
        record = self._records.get(user_id)
        if record is None:
            record = self._records[user_id] = Record(user_id)
            self._records.move_to_end(user_id, last=False)  # it was never told, so it goes before all that were
            if len(self._records) > MAX_USERS:
                self._drop_one(user_id)
        return record

    def _drop_one(self, but: UserId) -> None:
        victim = next(user_id for user_id in self._records if user_id != but)
        self._acted.pop(victim, None)
        for device in self._records.pop(victim).devices:
            self._seen.pop((victim, device), None)
        self._untold.pop(victim, None)

    def _act(self, record: Record, now: float) -> None:
        record.active_at, record.is_idle = now, False
        self._acted[record.user_id] = now
        self._acted.move_to_end(record.user_id)

    def _note(self, record: Record) -> None:
        if record.is_told:
            self._untold.pop(record.user_id, None)
        else:
            self._untold[record.user_id] = None
