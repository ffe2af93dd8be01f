"""Answers a search: what the index finds, less what the searcher may not see or the message no longer says.

Spec: Client-Server API, "Server Side Search".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.hooks import EventId, PluginApi, RoomId, UserId
from plugins.message_search.criteria import Batch, Context, Criteria
from plugins.message_search.tables import Query, SearchTables
from plugins.message_search.words import MOST_WORDS, query_tokens, score, words_of

MATCHES_AT_ONCE = 100
MOST_LOOKED_AT = 2_000
"""Matches of the index that one answer looks at."""
MOST_RANKED = 500
"""Of the newest so many results the closest are given first."""
MOST_COUNTED = 10_000
NEWEST = 2**63 - 1
MOST_PREDECESSORS = 1_000
"""So many rooms are asked which room they took the place of."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One result."""

    nid: int
    event: Mapping[str, Any]
    rank: float

    def value_of(self, group: str) -> str:
        """Which of a kind of groups it is in."""
        return str(self.event[group])


class Searching:
    """Searches for one server's users."""

    def __init__(self, api: PluginApi, tables: SearchTables) -> None:
        self._api = api
        self._tables = tables

    def answer(self, viewer: UserId, criteria: Criteria, batch: Batch | None) -> dict[str, Any]:
        """The category `room_events` of the answer."""
        words = words_of(criteria.term)[:MOST_WORDS]
        rooms = self._rooms(viewer, criteria.filter)
        query = _query(words, rooms, criteria, batch)
        answer: dict[str, Any] = {"count": 0, "highlights": list(dict.fromkeys(words)), "results": []}
        if not words or not query.rooms or not query.fields:
            return answer
        start = batch or Batch(NEWEST, NEWEST, 0)
        if criteria.is_recent_first:
            page, more = self._by_time(viewer, words, query, criteria, start)
        else:
            page, more = self._by_rank(viewer, words, query, criteria, start)
        answer["results"] = [self._result(viewer, hit, criteria.context) for hit in page]
        is_all = batch is None and not more
        answer["count"] = len(page) if is_all else self._tables.count(query, MOST_COUNTED)
        if criteria.groups:
            answer["groups"] = {key: _grouped(key, page, more, start) for key in criteria.groups}
        if criteria.with_state:
            answer["state"] = {
                room: self._state(viewer, room) for room in {RoomId(hit.value_of("room_id")) for hit in page}
            }
        if None in more:
            answer["next_batch"] = str(more[None])
        return answer

    def _by_time(
        self, viewer: UserId, words: Sequence[str], query: Query, criteria: Criteria, start: Batch
    ) -> tuple[list[Hit], dict[Any, Batch]]:
        """(a page of the newest results, where the next one begins for each group and, under None, for all)."""
        page: list[Hit] = []
        for hit in self._hits(viewer, words, query, criteria, start.below):
            if len(page) == criteria.limit:
                below: dict[Any, int] = {None: page[-1].nid}
                below.update(((key, one.value_of(key)), one.nid) for key in criteria.groups for one in page)
                return page, {group: Batch(start.top, nid, 0, group or start.group) for group, nid in below.items()}
            page.append(hit)
        return page, {}

    def _by_rank(
        self, viewer: UserId, words: Sequence[str], query: Query, criteria: Criteria, start: Batch
    ) -> tuple[list[Hit], dict[Any, Batch]]:
        """As `_by_time`, the closest of the newest MOST_RANKED results first."""
        hits: list[Hit] = []
        for hit in self._hits(viewer, words, query, criteria, start.top):
            hits.append(hit)
            if len(hits) == MOST_RANKED:
                break
        top = hits[0].nid + 1 if hits and start.top == NEWEST else start.top
        hits.sort(key=lambda hit: (-hit.rank, -hit.nid))
        end = start.offset + criteria.limit
        if len(hits) <= end:
            return hits[start.offset :], {}
        more: dict[Any, Batch] = {None: Batch(top, 0, end, start.group)}
        for key in criteria.groups:
            for value in {hit.value_of(key) for hit in hits[start.offset : end]}:
                shown = sum(hit.value_of(key) == value for hit in hits[:end])
                more[key, value] = Batch(top, 0, shown, (key, value))
        return hits[start.offset : end], more

    def _hits(
        self, viewer: UserId, words: Sequence[str], query: Query, criteria: Criteria, below: int
    ) -> Iterator[Hit]:
        """The results below a number, the newest first."""
        encrypted: dict[RoomId, bool] = {}
        ignored = self._ignored_by(viewer)
        for _ in range(MOST_LOOKED_AT // MATCHES_AT_ONCE):
            matches = self._tables.matches(query, below, MATCHES_AT_ONCE)
            events = self._api.rooms.visible_events(viewer, [match.event_id for match in matches])
            for match in matches:
                event = events.get(match.event_id)
                if event is None or _is_ignored(event, ignored) or not criteria.lets_through(event):
                    continue
                if match.room_id not in encrypted:
                    encrypted[match.room_id] = self._is_encrypted(match.room_id)
                found = searched_text(event["type"], event["content"])
                rank = score(words, found[1]) if found and not encrypted[match.room_id] else 0.0
                if rank:
                    yield Hit(match.nid, event, rank)
            if len(matches) < MATCHES_AT_ONCE:
                return
            below = matches[-1].nid

    def _ignored_by(self, viewer: UserId) -> Collection[str]:
        """Whom the viewer ignores. Spec: Client-Server API, "Ignoring Users"."""
        content = self._api.users.account_data(viewer, "m.ignored_user_list") or {}
        listed = content.get("ignored_users")
        return listed.keys() - {viewer} if isinstance(listed, Mapping) else ()

    def _with_predecessors(self, rooms: Collection[RoomId]) -> set[RoomId]:
        """Rooms, and those that they took the place of: to who searches they are one."""
        found, due = set(rooms), list(rooms)
        for _ in range(MOST_PREDECESSORS):
            if not due:
                break
            before = self._predecessor(due.pop())
            if before is not None and before not in found:
                found.add(before)
                due.append(before)
        return found

    def _predecessor(self, room_id: RoomId) -> RoomId | None:
        room = self._api.rooms.find(room_id)
        create = None if room is None else room.state_event("m.room.create")
        named = create.content.get("predecessor") if create is not None else None
        found = named.get("room_id") if isinstance(named, Mapping) else None
        return RoomId(found) if isinstance(found, str) else None

    def _rooms(self, viewer: UserId, wanted: Mapping[str, Any]) -> list[RoomId]:
        """The rooms that are searched: those the viewer is or was in, and has not forgotten."""
        rooms = [room for kind in ("join", "leave", "ban") for room in self._api.rooms.rooms_of(viewer, kind)]
        if "rooms" in wanted:
            asked = self._with_predecessors(wanted["rooms"])
            rooms = [room for room in rooms if room in asked]
        unwanted = frozenset(wanted.get("not_rooms", ()))
        return [room for room in rooms if room not in unwanted]

    def _is_encrypted(self, room_id: RoomId) -> bool:
        room = self._api.rooms.find(room_id)
        return room is None or room.state_event("m.room.encryption") is not None

    def _result(self, viewer: UserId, hit: Hit, wanted: Context | None) -> dict[str, Any]:
        result: dict[str, Any] = {"rank": hit.rank, "result": hit.event}
        if wanted is not None:
            found = self._api.rooms.context(viewer, EventId(hit.event["event_id"]), wanted.before, wanted.after)
            ignored = self._ignored_by(viewer)
            before, after = (
                [event for event in events if not _is_ignored(event, ignored)] for events in (found.before, found.after)
            )
            context: dict[str, Any] = {
                "events_before": before,
                "events_after": after,
                "start": found.start,
                "end": found.end,
            }
            if wanted.with_profiles:
                senders = {str(event["sender"]) for event in (*before, hit.event, *after)}
                context["profile_info"] = self._profiles(RoomId(hit.event["room_id"]), senders)
            result["context"] = context
        return result

    def _profiles(self, room_id: RoomId, senders: set[str]) -> dict[str, dict[str, str]]:
        """Names and avatars of senders, as the room's state has them now."""
        room = self._api.rooms.find(room_id)
        found: dict[str, dict[str, str]] = {}
        for sender in senders:
            event = None if room is None else room.state_event("m.room.member", sender)
            fields = {} if event is None else {key: event.content.get(key) for key in ("displayname", "avatar_url")}
            found[sender] = {key: value for key, value in fields.items() if isinstance(value, str)}
        return found

    def _state(self, viewer: UserId, room_id: RoomId) -> list[Mapping[str, Any]]:
        """The current state of a room, as far as the viewer may see it."""
        room = self._api.rooms.find(room_id)
        ids = [] if room is None else [event.event_id for event in room.state()]
        return list(self._api.rooms.visible_events(viewer, ids).values())


def _is_ignored(event: Mapping[str, Any], ignored: Collection[str]) -> bool:
    """Whether it is kept from who ignores these; state is everybody's business."""
    return event["sender"] in ignored and "state_key" not in event


def searched_text(event_type: str, content: Mapping[str, Any]) -> tuple[int, str] | None:
    """(place in FIELDS, text) of an event that is searched; None for others."""
    if event_type == "m.room.message":
        return _text(0, content.get("body"))
    if event_type == "m.room.name":
        return _text(1, content.get("name"))
    if event_type != "m.room.topic":
        return None
    block = content.get("m.topic")
    forms = block.get("m.text") if isinstance(block, Mapping) else None
    plain = [
        form["body"]
        for form in (forms if isinstance(forms, list) else ())
        if isinstance(form, Mapping)
        and form.get("mimetype", "text/plain") == "text/plain"
        and isinstance(form.get("body"), str)
    ]
    topic = content.get("topic")
    return _text(2, "\n".join(dict.fromkeys([*([topic] if isinstance(topic, str) else []), *plain])))


def _text(field: int, value: Any) -> tuple[int, str] | None:
    return (field, value) if isinstance(value, str) and value else None


def _query(words: Sequence[str], rooms: Sequence[RoomId], criteria: Criteria, batch: Batch | None) -> Query:
    senders = criteria.filter.get("senders")
    if batch is not None and batch.group is not None:
        key, value = batch.group
        if key == "room_id":
            rooms = [room for room in rooms if room == value]
        else:
            senders = [value] if senders is None or value in senders else []
    return Query(query_tokens(words), rooms, criteria.fields, senders)


def _grouped(key: str, page: Sequence[Hit], more: Mapping[Any, Batch], start: Batch) -> dict[str, Any]:
    """The groups of one kind, in the order in which they first appear."""
    groups: dict[str, dict[str, Any]] = {}
    for hit in page:
        value = hit.value_of(key)
        group = groups.setdefault(value, {"order": len(groups), "results": []})
        group["results"].append(hit.event["event_id"])
        if (key, value) in more:
            group["next_batch"] = str(more[key, value])
    return groups
