"""One sync being answered: who asks, for what, and which part of the log the answer covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.events.event_filter import RoomEventFilter, SyncFilter
from core.graph.client_events import Viewer
from core.graph.stored_event import StoredEvent
from core.ids import Requester, UserId
from core.storage.log import Kind
from core.sync.active_users import ActiveUser
from core.sync.pausing import Pauses
from core.sync.sent_members import SentMembers
from core.sync.tokens import SyncToken

STATE = "state"


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What a client asked for. `state_key` is the name it wants the state under: `state`, or one of `state_after`."""

    requester: Requester
    filter: SyncFilter
    since: SyncToken | None = None
    timeout_ms: int = 0
    full_state: bool = False
    state_key: str = STATE


@dataclass(frozen=True, slots=True)
class Window:
    """The positions (since, upto] that an answer covers; since 0 is the beginning.

    `counted_since` is how much of what is only in memory the client has been told of; see core.sync.notifier.
    """

    user: ActiveUser
    since: int
    upto: int
    counted_since: int
    counted_upto: int

    @property
    def is_known(self) -> bool:
        """Whether memory knows all that happened for the user in it."""
        return self.since >= self.user.floor

    def has(self, *kinds: Kind) -> bool:
        """Whether there may be a line of one of `kinds` for the user; from memory, yes where memory does not say."""
        if not self.is_known:
            return True
        latest = self.user.kinds
        return any(latest.get(kind, 0) > self.since for kind in kinds)


@dataclass(frozen=True, slots=True)
class Asking:
    """A request and the window of its answer. `is_initial`: the client knows nothing yet."""

    request: SyncRequest
    viewer: Viewer
    window: Window
    ignored: frozenset[UserId]
    sent: SentMembers
    is_initial: bool
    pause: Pauses
    """To be called between rooms, and between parts of large ones."""

    @property
    def filter(self) -> SyncFilter:
        """The filter."""
        return self.request.filter

    @property
    def is_lazy(self) -> bool:
        """Whether members come only as they are needed."""
        return self.request.filter.room.state.lazy_load_members

    @property
    def wants_state_after(self) -> bool:
        """Whether the state is that at the end of the timeline, not at its start."""
        return self.request.state_key != STATE

    def without_ignored(self, events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """`events` without the messages of users whom the asker ignores. Spec: "Ignoring Users"."""
        if not self.ignored:
            return events
        return [stored for stored in events if stored.is_state or stored.sender not in self.ignored]


def is_open(wanted: RoomEventFilter) -> bool:
    """Whether a filter lets every event of the rooms through."""
    return (
        wanted.types is None
        and not wanted.not_types
        and wanted.senders is None
        and not wanted.not_senders
        and wanted.rooms is None
        and not wanted.not_rooms
        and wanted.contains_url is None
        and not wanted.judges_relations
    )
