"""Delivers `event_persisted`: each plugin that implements it gets a durable consumer of the log of its own.

So a plugin that is slow or failing holds nobody up but itself, and sees the events of an outage afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.hooks.api import RoomView
from core.hooks.declarations import Consumer, LogKind, LogLine
from core.hooks.guard import Implementation
from core.hooks.manager import Contribution, PluginManager
from core.hooks.specs import observers
from core.ids import RoomId

EVENTS_AT_ONCE = 20
"""Events after which a cursor is written; as many may come again after a failure."""


def event_consumers(plugins: PluginManager, room_of: Callable[[RoomId], RoomView]) -> list[Contribution[Consumer]]:
    """The consumers to run besides those that plugins contribute. `room_of` gives the view of a room in the log."""
    return [
        Contribution(
            implementation.plugin.name,
            Consumer(
                "event_persisted",
                frozenset({LogKind.EVENT}),
                _handler(implementation, room_of),
                batch_size=EVENTS_AT_ONCE,
                time_limit_seconds=(implementation.seconds or 60.0) * EVENTS_AT_ONCE,
            ),
        )
        for implementation in plugins.implementers(observers.event_persisted)
    ]


def _handler(
    implementation: Implementation, room_of: Callable[[RoomId], RoomView]
) -> Callable[[Sequence[LogLine]], None]:
    def handle(batch: Sequence[LogLine]) -> None:
        for line in batch:
            if line.event is not None:
                values = {"event": line.event, "room": room_of(line.event.room_id)}
                implementation.function(*[values[name] for name in implementation.argument_names])

    return handle
