"""Unread counts by the model: which events notify whom, and what is left of them after reading.

Spec: Client-Server API, "Push Rules" (the predefined rules, in their order) and "Receiving notifications".
"""

from __future__ import annotations

from collections import defaultdict

from tests.model.events import Event
from tests.model.rooms import Room
from tests.model.world import World

ROOM_LEVEL = 50
"""The power it takes to notify a whole room."""


def sent(world: World, room: Room, event: Event) -> None:
    """Note whom an event that was just appended notifies, and that its sender has read so far."""
    for user in room.joined:
        if user != event.sender:
            event.notifies[user] = _outcome(world, room, event, user)
    if not event.is_state and event.type != "m.room.redaction":
        read(room, event.sender, event.thread, event)


def read(room: Room, user: str, thread: str, event: Event) -> None:
    """A user has read a thread up to an event."""
    reads = room.reads[user]
    reads[thread] = max(reads.get(thread, -1), event.index)


def counts(room: Room, user: str) -> dict[str, tuple[int, int]]:
    """(notifications, highlights) by thread, where there are any."""
    reads, found = room.reads[user], defaultdict(lambda: (0, 0))
    for event in room.events[room.joined_at[user] :]:
        notify, highlight = event.notifies.get(user, (0, 0))
        read_upto = max(reads.get("", -1), reads.get(event.thread, -1))
        if notify and not event.is_redacted and event.index > read_upto:
            before = found[event.thread]
            found[event.thread] = (before[0] + notify, before[1] + highlight)
    return dict(found)


def total(by_thread: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """The counts of a whole room."""
    return sum(count[0] for count in by_thread.values()), sum(count[1] for count in by_thread.values())


def _outcome(world: World, room: Room, event: Event, user: str) -> tuple[int, int]:
    """(notifies, highlights): the first rule that matches decides."""
    content = event.content
    if event.sender in world.ignored[user] or room.room_id in world.muted[user]:
        return 0, 0
    if event.type not in ("m.room.message", "m.reaction") or content.get("msgtype") == "m.notice":
        return 0, 0
    mentions = content.get("m.mentions", {})
    if user in mentions.get("user_ids", ()):
        return 1, 1
    if mentions.get("room") and room.level(event.sender) >= ROOM_LEVEL:
        return 1, 1
    is_suppressed = event.type == "m.reaction" or event.relation[0] == "m.replace"
    return (0, 0) if is_suppressed or room.room_id in world.quiet[user] else (1, 0)
