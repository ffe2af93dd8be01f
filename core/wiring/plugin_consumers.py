"""Plugins' followers of the log: lines in the words of `core.hooks`, handed over under the guard.

Each is a durable consumer of its own, so a plugin that is slow, failing or switched off keeps nobody but itself from
going on. Its cursor is filed under `plugin:<plugin>:<consumer>`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import gevent

from core.graph.graph import Graph
from core.hooks.declarations import Consumer, LogKind, LogLine, StateChange
from core.hooks.errors import PluginError
from core.hooks.manager import Contribution, PluginManager
from core.ids import EventId, EventNid, Position, RoomNid, UserId
from core.storage.consumers import Apply, ConsumerRunner, only_the_cursor
from core.storage.cursors import CursorStore
from core.storage.log import Kind, Line, LogReader, LogTail
from core.storage.receipts import ReceiptStore

_KINDS = {
    LogKind.EVENT: (Kind.EVENT,),
    LogKind.BACKFILL: (Kind.BACKFILL,),
    LogKind.STATE: (Kind.STATE_DELTA,),
    LogKind.PROFILE: (Kind.PROFILE,),
    LogKind.ACCOUNT_DATA: (Kind.ACCOUNT_DATA, Kind.ROOM_ACCOUNT_DATA),
    LogKind.RECEIPT: (Kind.RECEIPT,),
    LogKind.DEVICES: (Kind.DEVICE_LIST,),
}
_OF_EVENTS = {Kind.EVENT: LogKind.EVENT, Kind.BACKFILL: LogKind.BACKFILL}
_OF_USERS = {
    Kind.PROFILE: LogKind.PROFILE,
    Kind.ACCOUNT_DATA: LogKind.ACCOUNT_DATA,
    Kind.ROOM_ACCOUNT_DATA: LogKind.ACCOUNT_DATA,
    Kind.DEVICE_LIST: LogKind.DEVICES,
}
_ROOMS_AT_ONCE = 20
_EVENTS_AT_ONCE = 500
"""How many events are looked up before others may run."""


@dataclass(frozen=True, slots=True)
class LogTranslator:
    """Says lines of the log in the words of `core.hooks`; those whose event or receipt is gone are left out."""

    graph: Graph
    receipts: ReceiptStore

    def translated(self, lines: Sequence[Line]) -> list[LogLine]:
        """The lines, in their order."""
        events = self.graph.events.by_nids([EventNid(line.reference) for line in lines if line.kind in _OF_EVENTS])
        moved = self.receipts.by_nids([line.reference for line in lines if line.kind is Kind.RECEIPT])
        deltas = self._deltas([line.reference for line in lines if line.kind is Kind.STATE_DELTA])
        found = []
        for line in lines:
            if line.kind in _OF_EVENTS:
                stored = events.get(EventNid(line.reference))
                if stored is not None and stored.is_visible:
                    kind = _OF_EVENTS[line.kind]
                    found.append(LogLine(line.position, kind, stored.room_id, event=stored.event))
            elif line.kind is Kind.STATE_DELTA:
                if changes := deltas.get(line.reference):
                    room_id = self.graph.rooms.name(RoomNid(line.subject)).room_id
                    found.append(LogLine(line.position, LogKind.STATE, room_id, changes=changes))
            elif line.kind is Kind.RECEIPT:
                if receipt := moved.get(line.reference):
                    room_id, user_id = self.graph.rooms.name(receipt.room_nid).room_id, self._user(receipt.user_nid)
                    found.append(LogLine(line.position, LogKind.RECEIPT, room_id, user_id))
            elif line.kind is not Kind.DEVICE_LIST or line.subject == line.reference:
                found.append(LogLine(line.position, _OF_USERS[line.kind], user_id=self._user(line.subject)))
        return found

    def current_states(self, position: Position) -> Iterator[list[LogLine]]:
        """The present state of every room as lines of STATE, a few rooms at a time: for who has missed changes."""
        rooms = self.graph.rooms.all()
        for start in range(0, len(rooms), _ROOMS_AT_ONCE):
            batch = []
            for name in rooms[start : start + _ROOMS_AT_ONCE]:
                events = self.graph.states.current(name.room_nid).events()
                changes = [StateChange(key, None, stored.event_id) for key, stored in events.items()]
                if changes:
                    batch.append(LogLine(position, LogKind.STATE, name.room_id, changes=changes))
            if batch:
                yield batch

    def _deltas(self, nids: Collection[int]) -> dict[int, list[StateChange]]:
        changed = {nid: self.graph.states.changes(delta) for nid, delta in self.graph.deltas.by_nids(nids).items()}
        wanted = [nid for changes in changed.values() for _, old, new in changes for nid in (old, new) if nid]
        ids: dict[EventNid, EventId] = {}
        for start in range(0, len(wanted), _EVENTS_AT_ONCE):
            found = self.graph.events.by_nids(wanted[start : start + _EVENTS_AT_ONCE])
            ids.update((nid, stored.event_id) for nid, stored in found.items())
            if start + _EVENTS_AT_ONCE < len(wanted):
                gevent.idle()
        return {
            nid: [
                StateChange(key, ids.get(old or EventNid(0)), ids.get(new or EventNid(0))) for key, old, new in changes
            ]
            for nid, changes in changed.items()
        }

    def _user(self, user_nid: int) -> UserId:
        return UserId(self.graph.texts.text(user_nid))


class PluginConsumer:
    """One plugin's follower, as the log's runner takes it. Implements core.storage.consumers.Consumer."""

    def __init__(
        self,
        plugins: PluginManager,
        contribution: Contribution[Consumer],
        translator: LogTranslator,
        log: LogReader,
        cursors: CursorStore,
    ) -> None:
        self._plugins = plugins
        self._plugin = contribution.plugin
        self._consumer = contribution.item
        self._translator = translator
        self._log = log
        self._cursors = cursors
        self.name = f"plugin:{contribution.plugin}:{contribution.item.name}"
        self.kinds = frozenset(kind for wanted in contribution.item.kinds for kind in _KINDS[wanted])

    @property
    def batch_size(self) -> int:
        """How many lines the plugin takes at once."""
        return max(1, self._consumer.batch_size)

    @property
    def settle_seconds(self) -> float:
        """How long new lines gather before the plugin gets them."""
        return self._consumer.settle_seconds

    @property
    def is_from_start(self) -> bool:
        """Whether it begins with the log, where it has never run."""
        return self._consumer.from_start

    def handle(self, lines: list[Line]) -> Apply | None:
        """Hand a batch over. Raises PluginFailed, upon which it comes again."""
        self._hand_over(self._translator.translated(lines))
        return None if self._consumer.may_repeat else only_the_cursor

    def resynchronise(self, upto: Position) -> Apply | None:
        """Changes of state were dropped unseen: what else is in the log up to `upto`, then every room's state."""
        position = self._cursors.find(self.name) or Position(0)
        kinds = self.kinds - {Kind.STATE_DELTA}
        while kinds and (lines := self._log.lines(position, upto, kinds, self.batch_size)):
            self._hand_over(self._translator.translated(lines))
            position = lines[-1].position
        for batch in self._translator.current_states(upto):
            self._hand_over(batch)
        return None

    def _hand_over(self, batch: list[LogLine]) -> None:
        if batch:
            name, seconds = f"consumer:{self._consumer.name}", self._consumer.time_limit_seconds
            self._plugins.run(self._plugin, name, seconds, self._consumer.handle, batch)


class CatchUp:
    """Waits for one plugin's consumers."""

    def __init__(self, plugin: str, runners: Sequence[ConsumerRunner], tail: LogTail) -> None:
        self._prefix = f"plugin:{plugin}:"
        self._runners = {runner.consumer.name: runner for runner in runners}
        self._tail = tail

    def __call__(self, consumer: str, seconds: float) -> bool:
        """Whether the consumer has handled what is in the log now, within `seconds`. Raises PluginError."""
        runner = self._runners.get(self._prefix + consumer)
        if runner is None:
            raise PluginError(f"There is no consumer {consumer} to catch up with.")
        return runner.wait_for(self._tail.position, seconds)
