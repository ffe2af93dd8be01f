"""Events as one append sees them: its own, those of earlier jobs of its group, and the committed ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from core.events.event import Event
from core.graph.events import EventReader
from core.graph.stored_event import StoredEvent
from core.ids import EventId, EventNid
from core.storage.writer import Transaction

AuthEntry = tuple[int, tuple[EventNid, ...]]
"""(auth level, auth events) of a state event."""


class KnownEvents:
    """Looks events up, newest version first. It is also the lookup that state resolution works through."""

    def __init__(self, reader: EventReader, source: Transaction | None) -> None:
        self.fresh: dict[EventNid, StoredEvent] = {}
        self.fresh_auth: dict[EventNid, AuthEntry] = {}
        self._auth_read: dict[EventNid, AuthEntry] = {}
        self._fresh_ids: dict[EventId, EventNid] = {}
        self._reader = reader
        self._source = source
        self._overlay: Mapping[object, object] = source.overlay if source is not None else {}

    def put(self, stored: StoredEvent) -> None:
        """Show a new event, or a new version of one, from now on."""
        self.fresh[stored.nid] = stored
        self._fresh_ids[stored.event_id] = stored.nid

    def by_nid(self, nid: EventNid) -> StoredEvent:
        """One event. Raises KeyError where there is none."""
        found = self.fresh.get(nid) or self._overlay.get(("event", nid))
        return found if found is not None else self._reader.by_nid(nid)  # type: ignore[return-value]  # see put

    def by_nids(self, nids: Iterable[EventNid]) -> dict[EventNid, StoredEvent]:
        """Events by number; those unknown are left out."""
        wanted = list(nids)
        found: dict[EventNid, StoredEvent] = {}
        for nid in wanted:
            stored = self.fresh.get(nid) or self._overlay.get(("event", nid))
            if stored is not None:
                found[nid] = stored  # type: ignore[assignment]  # the overlay holds anything
        missing = [nid for nid in wanted if nid not in found]
        if missing:
            found.update(self._reader.by_nids(missing, self._source))
        return found

    def by_ids(self, event_ids: Collection[EventId]) -> dict[EventId, StoredEvent]:
        """Events by id; those unknown are left out."""
        found: dict[EventId, StoredEvent] = {}
        missing: list[EventId] = []
        for event_id in event_ids:
            nid = self._fresh_ids.get(event_id) or self._overlay.get(("event id", event_id))
            if nid is None:
                missing.append(event_id)
            else:
                found[event_id] = self.by_nid(nid)  # type: ignore[arg-type]  # the overlay holds anything
        if missing:
            for event_id, stored in self._reader.by_ids(missing, self._source).items():
                found[event_id] = self._overlay.get(("event", stored.nid), stored)  # type: ignore[assignment]  # as above
        return found

    def events(self, ids: Collection[EventNid]) -> dict[EventNid, Event]:
        """For state resolution: the events of `ids`."""
        return {nid: stored.event for nid, stored in self.by_nids(ids).items()}

    def is_rejected(self, one: EventNid) -> bool:
        """For state resolution: whether the event was rejected."""
        return self.by_nid(one).is_rejected

    def auth_edges(self, ids: Collection[EventNid]) -> dict[EventNid, tuple[EventNid, ...]]:
        """For state resolution: the auth events of state events."""
        return {nid: entry[1] for nid, entry in self.auth_entries(ids).items()}

    def auth_levels(self, ids: Collection[EventNid]) -> dict[EventNid, int]:
        """For state resolution: the auth levels of state events."""
        return {nid: entry[0] for nid, entry in self.auth_entries(ids).items()}

    def auth_entries(self, ids: Collection[EventNid]) -> dict[EventNid, AuthEntry]:
        """Auth level and auth events of state events."""
        found: dict[EventNid, AuthEntry] = {}
        missing: list[EventNid] = []
        for nid in ids:
            entry = self.fresh_auth.get(nid) or self._overlay.get(("auth", nid)) or self._auth_read.get(nid)
            if entry is None:
                missing.append(nid)
            else:
                found[nid] = entry  # type: ignore[assignment]  # the overlay holds anything
        if missing:
            read = self._reader.auth_edges(missing, self._source)
            self._auth_read.update(read)
            found.update(read)
        return found
