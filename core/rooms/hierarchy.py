"""The rooms of a space and of the spaces within it, depth first.

A page is found by walking from the beginning past the rooms that were given out before: what is walked costs a look
at states that are in memory, and no page depends on what a server remembers.
Spec: Client-Server API, `GET /rooms/{roomId}/hierarchy`; Server-Server API, `GET /hierarchy/{roomId}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from core.errors import Forbidden, InvalidParam, NotFound
from core.graph.states import RoomState
from core.ids import Requester, RoomId, ServerName, is_room_id, is_server_name
from core.rooms.discovery import Discovery, KnownRoom, UserEye
from core.rooms.remote_directory import RemoteDirectory
from core.rooms.summary_fields import cleaned

MOST_ROOMS = 5_000
"""Rooms of one hierarchy that are looked at; what lies beyond is not shown."""
DEEPEST = 100
"""The largest `max_depth` that is honored, and the default."""

_ORDER = re.compile(r"[\x20-\x7e]{1,50}")
_TOKEN = re.compile(r"h([0-9]{1,6})_([01])_([0-9]{1,3})")

Child = Mapping[str, Any]
"""A stripped `m.space.child` event with its `origin_server_ts`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One room of a hierarchy, with those children that count."""

    summary: Mapping[str, Any]
    children: Sequence[Child]

    def shown(self) -> dict[str, Any]:
        """As the answer has it."""
        return {**self.summary, "children_state": list(self.children)}


@dataclass(slots=True)
class _Walk:
    """One walk: who looks, and what other servers said on the way."""

    eye: UserEye
    requester: Requester
    is_suggested_only: bool
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


class Hierarchy:
    """Walks spaces for users, and shows one space's children to other servers."""

    def __init__(self, discovery: Discovery, remote: RemoteDirectory) -> None:
        self._discovery = discovery
        self._remote = remote

    def page(
        self,
        requester: Requester,
        room_id: RoomId,
        is_suggested_only: bool,
        max_depth: int | None,
        limit: int,
        token: str | None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """(at most `limit` rooms, a token for more or None). Raises Forbidden for a room that may not be seen.

        Raises InvalidParam for a token that is none, or that was given out for another question.
        """
        depth = DEEPEST if max_depth is None else min(max_depth, DEEPEST)
        skip = _read_token(token, is_suggested_only, depth)
        walk = _Walk(self._discovery.user_eye(requester), requester, is_suggested_only)
        entries = self._rooms(walk, room_id, depth)
        first = next(entries, None)
        if first is None:
            raise Forbidden(f"You may not see {room_id}, or there is no such room.")
        found = list(islice((entry for part in ([first], entries) for entry in part), skip, skip + limit + 1))
        more = f"h{skip + limit}_{int(is_suggested_only)}_{depth}" if len(found) > limit else None
        return [entry.shown() for entry in found[:limit]], more

    def for_server(self, server: ServerName, room_id: RoomId, is_suggested_only: bool) -> dict[str, Any]:
        """One room and its children, as a server may see them. Raises NotFound.

        Children that are not known here are in neither list: others may know them.
        """
        eye, known = self._discovery.server_eye(server), self._discovery.find(room_id)
        if known is None or not self._discovery.server_may_learn_of(eye, known):
            raise NotFound(f"There is no room {room_id} here that {server} may see.")
        entry = _entry(known, is_suggested_only)
        children, hidden = [], []
        for event in entry.children:
            child = self._discovery.find(RoomId(event["state_key"]))
            if child is not None and self._discovery.server_may_learn_of(eye, child):
                children.append(dict(child.summary))
            elif child is not None:
                hidden.append(event["state_key"])
        return {"room": entry.shown(), "children": children, "inaccessible_children": hidden}

    def _rooms(self, walk: _Walk, root: RoomId, max_depth: int) -> Iterator[Entry]:
        """The rooms that the walk's user may see, each once, a space before its children."""
        waiting: list[tuple[RoomId, int, Sequence[ServerName]]] = [(root, 0, ())]
        seen: set[RoomId] = set()
        while waiting and len(seen) < MOST_ROOMS:
            room_id, depth, via = waiting.pop()
            if room_id in seen:
                continue
            seen.add(room_id)
            entry = self._look(walk, room_id, via)
            if entry is None:
                continue
            yield entry
            if depth < max_depth:
                waiting += [(RoomId(one["state_key"]), depth + 1, _via(one)) for one in reversed(entry.children)]

    def _look(self, walk: _Walk, room_id: RoomId, via: Sequence[ServerName]) -> Entry | None:
        """One room, as far as the walk's user may see it."""
        known = self._discovery.find(room_id)
        if known is not None:
            if walk.eye.membership_of(known.room) == "ban" and not known.summary["world_readable"]:
                return None
            is_allowed = self._discovery.user_may_learn_of(walk.eye, known)
            return _entry(known, walk.is_suggested_only) if is_allowed else None
        if room_id in walk.refused:
            return None
        return self._look_elsewhere(walk, room_id, via)

    def _look_elsewhere(self, walk: _Walk, room_id: RoomId, via: Sequence[ServerName]) -> Entry | None:
        told = walk.told.get(room_id)
        is_space = told is None or told.get("room_type") == "m.space"
        children: list[Child] = []
        if is_space and via and (space := self._remote.space(room_id, via, walk.is_suggested_only)) is not None:
            told = space.room
            walk.refused |= space.inaccessible
            walk.told.update((str(one.get("room_id")), one) for one in space.children)
            children = _sound(space.room.get("children_state"), walk.is_suggested_only)
        summary = None if told is None else cleaned(told)
        invited = self._discovery.invitation(walk.requester, room_id)
        if summary is None or summary["room_id"] != room_id:
            return None if invited is None else Entry(invited, [])
        if invited is None and not self._discovery.user_may_come_in(walk.eye, summary):
            return None
        return Entry(summary, children if summary.get("room_type") == "m.space" else [])


def _entry(known: KnownRoom, is_suggested_only: bool) -> Entry:
    if known.summary.get("room_type") != "m.space":
        return Entry(known.summary, [])
    return Entry(known.summary, _children(known.state, is_suggested_only))


def _children(state: RoomState, is_suggested_only: bool) -> list[Child]:
    """The child events of a space, in order."""
    events = [stored.event for stored in state.of_type("m.space.child").values()]
    stripped = [
        {
            "type": event.type,
            "state_key": event.state_key,
            "content": event.content,
            "sender": event.sender,
            "origin_server_ts": event.origin_server_ts,
        }
        for event in events
    ]
    return _sound(stripped, is_suggested_only)


def _sound(events: Any, is_suggested_only: bool) -> list[Child]:
    """Those events that name a child and servers that know it, in the order of the children."""
    listed = events if isinstance(events, list) else []
    return sorted((one for one in listed if _counts(one, is_suggested_only)), key=_place)


def _counts(event: Any, is_suggested_only: bool) -> bool:
    if (
        not isinstance(event, dict)
        or event.get("type") != "m.space.child"
        or not isinstance(event.get("content"), dict)
    ):
        return False
    child, via, sent = event.get("state_key"), event["content"].get("via"), event.get("origin_server_ts")
    if not isinstance(child, str) or not is_room_id(child) or type(sent) is not int:
        return False
    if not isinstance(via, list) or not any(isinstance(server, str) for server in via):
        return False
    return event["content"].get("suggested") is True or not is_suggested_only


def _place(event: Child) -> tuple[bool, str, int, str]:
    """Where a child comes. Spec: "Ordering of children within a space"."""
    order = event["content"].get("order")
    is_ordered = isinstance(order, str) and _ORDER.fullmatch(order) is not None
    return (not is_ordered, order if is_ordered else "", event["origin_server_ts"], event["state_key"])


def _via(event: Child) -> list[ServerName]:
    return [ServerName(one) for one in event["content"]["via"] if isinstance(one, str) and is_server_name(one)]


def _read_token(token: str | None, is_suggested_only: bool, max_depth: int) -> int:
    """How many rooms were given out before."""
    if token is None:
        return 0
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise InvalidParam("'from' must be a next_batch of an earlier answer to this request.")
    if (found[2] == "1", int(found[3])) != (is_suggested_only, max_depth):
        raise InvalidParam("'suggested_only' and 'max_depth' must stay as they were for the first page.")
    return int(found[1])
