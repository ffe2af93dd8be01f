"""The extensions: to-device messages, keys, account data, receipts and typing, made of the sections of /sync.

What lies in rooms is told of the rooms that the client knows, or those of them that it names. Of each room and
extension it is remembered whether the client has all there is; where something was kept from it, all is told again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from core.ids import Requester, RoomId, RoomNid
from core.storage.rooms import RoomStore
from core.sync.asking import Asking, Window
from core.sync.sections import RoomSection, Section
from core.sync.sliding.connections import Told
from core.sync.sliding.request import Extension
from core.sync.tokens import SyncToken

ACCOUNT_DATA, RECEIPTS, TYPING, TO_DEVICE, E2EE = "account_data", "receipts", "typing", "to_device", "e2ee"
THREADS = "io.element.msc4308.thread_subscriptions"


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of /sync that the extensions show. `always` are the key counts, `acknowledged` hears of tokens."""

    to_device: Section
    device_lists: Section
    key_counts: Section
    account_data: Sequence[Section]
    room_account_data: RoomSection
    receipts: RoomSection
    typing: RoomSection
    thread_subscriptions: Section
    always: Callable[[Requester], Mapping[str, bytes]]
    acknowledged: Callable[[Requester, int], None]


@dataclass(slots=True)
class ExtensionAnswer:
    """The extensions' JSON by name, whether any of it is worth ending a wait, and which rooms are told of now."""

    fields: dict[str, bytes]
    has_news: bool
    rooms: Mapping[str, frozenset[RoomNid]]


class Extensions:
    """Answers the extensions of a request."""

    def __init__(self, sections: Sections, rooms: RoomStore) -> None:
        self._sections = sections
        self._rooms = rooms

    def answer(self, asking: Asking, told: Told, known: frozenset[RoomNid], is_first: bool) -> ExtensionAnswer:
        """What is new. `known` are the joined rooms of which the client knows, or gets to know with this answer."""
        assert told.body is not None
        wanted = told.body.extensions
        answer = ExtensionAnswer({}, False, dict(told.extensions))
        if TO_DEVICE in wanted:
            self._to_device(asking, wanted[TO_DEVICE], answer)
        if E2EE in wanted:
            self._e2ee(asking, answer, is_first)
        if ACCOUNT_DATA in wanted:
            self._account_data(asking, told, known, answer, is_first)
        if THREADS in wanted:
            threads, is_anew = self._sections.thread_subscriptions, is_first or THREADS not in told.extensions
            found = (threads.current(asking) if is_anew else threads.news(asking)).get("thread_subscriptions", b"{}")
            answer.fields[THREADS] = found  # type: ignore[assignment]  # JSON
            answer.has_news |= found != b"{}"
            answer.rooms = {**answer.rooms, THREADS: frozenset()}
        for name, section in ((RECEIPTS, self._sections.receipts), (TYPING, self._sections.typing)):
            if name in wanted:
                rooms = self._in_rooms(asking, name, section, told, known, answer)
                events = {room: _together(fields["ephemeral"]) for room, fields in rooms.items()}
                answer.fields[name] = b'{"rooms":%b}' % self._by_room(events)
                answer.has_news |= bool(events)
        return answer

    def nothing(self, requester: Requester, told: Told) -> dict[str, bytes]:
        """What an answer without news carries."""
        assert told.body is not None
        wanted = told.body.extensions
        fields: dict[str, bytes] = {}
        if TO_DEVICE in wanted:
            fields[TO_DEVICE] = b'{"next_batch":%b,"events":[]}' % orjson.dumps(str(SyncToken(told.token.position)))
        if E2EE in wanted:
            fields[E2EE] = _object(self._sections.always(requester))
        return fields

    def _to_device(self, asking: Asking, wanted: Extension, answer: ExtensionAnswer) -> None:
        """Messages have a token of their own, which the client keeps for longer than a connection."""
        window, requester, section = asking.window, asking.request.requester, self._sections.to_device
        since = None if wanted.since is None else SyncToken.parse(wanted.since).position
        if since is None or since > window.upto:
            found = section.current(asking)
        else:
            self._sections.acknowledged(requester, since)
            own = Window(window.user, since, window.upto, window.counted_since, window.counted_upto)
            found = section.news(replace(asking, window=own))
        events = found.get("to_device", [])
        token = orjson.dumps(str(SyncToken(window.upto)))  # type: ignore[arg-type]  # a window's end is a position
        answer.fields[TO_DEVICE] = b'{"next_batch":%b,"events":[%b]}' % (token, b",".join(events))  # type: ignore[arg-type]  # a list
        answer.has_news |= bool(events)

    def _e2ee(self, asking: Asking, answer: ExtensionAnswer, is_first: bool) -> None:
        fields: dict[str, Any] = dict(self._sections.always(asking.request.requester))
        if not is_first:
            news = {**self._sections.device_lists.news(asking), **self._sections.key_counts.news(asking)}
            fields |= news
            answer.has_news |= bool(news)
        answer.fields[E2EE] = _object(fields)

    def _account_data(
        self, asking: Asking, told: Told, known: frozenset[RoomNid], answer: ExtensionAnswer, is_first: bool
    ) -> None:
        is_anew = is_first or ACCOUNT_DATA not in told.extensions
        events: list[bytes] = []
        for section in self._sections.account_data:
            found = section.current(asking) if is_anew else section.news(asking)
            events += found.get("account_data", [])  # type: ignore[arg-type]  # a list
        rooms = self._in_rooms(asking, ACCOUNT_DATA, self._sections.room_account_data, told, known, answer)
        in_rooms = {room: b"[%b]" % b",".join(fields["account_data"]) for room, fields in rooms.items()}
        answer.fields[ACCOUNT_DATA] = b'{"global":[%b],"rooms":%b}' % (b",".join(events), self._by_room(in_rooms))
        answer.has_news |= bool(events or in_rooms)

    def _in_rooms(
        self,
        asking: Asking,
        name: str,
        section: RoomSection,
        told: Told,
        known: frozenset[RoomNid],
        answer: ExtensionAnswer,
    ) -> dict[RoomNid, Mapping[str, Any]]:
        """What an extension has to tell of the rooms it is wanted for."""
        assert told.body is not None
        allowed = self._allowed(told, told.body.extensions[name], known)
        had = told.extensions.get(name, frozenset())
        fresh = frozenset() if allowed is had else allowed - had
        found: dict[RoomNid, Mapping[str, Any]] = {}
        if fresh:
            names = {room: named.room_id for room, named in self._rooms.names(fresh).items()}
            found.update(section.current(asking, names))
        kept_back: set[RoomNid] = set()
        if had:
            for room, fields in section.news(asking, {}).items():
                if room in allowed and room not in fresh:
                    found[room] = fields
                elif room in had and room not in allowed:
                    kept_back.add(room)
        if fresh or kept_back or name not in told.extensions:
            have = (had | fresh) - kept_back
            answer.rooms = {**answer.rooms, name: allowed if have == allowed else have}
        return found

    def _allowed(self, told: Told, wanted: Extension, known: frozenset[RoomNid]) -> frozenset[RoomNid]:
        if wanted.lists is None and wanted.rooms is None:
            return known
        allowed: set[RoomNid] = set()
        assert told.body is not None
        for name in told.selection.lists if wanted.lists is None else wanted.lists:
            allowed |= told.selection.lists.get(name, frozenset())
        for room_id in told.body.subscriptions if wanted.rooms is None else wanted.rooms:
            room = self._rooms.find(RoomId(room_id))
            if room is not None:
                allowed.add(room.room_nid)
        return known & allowed

    def _by_room(self, values: Mapping[RoomNid, bytes]) -> bytes:
        names = self._rooms.names(values)
        return _object({names[room].room_id: value for room, value in values.items()})


def _together(events: Sequence[bytes]) -> bytes:
    """Several receipt events of one room, one for each thread, as one: an extension has a single event for each room.

    Of a user's receipts for the same event that for all threads is told, since it says what the others say.
    """
    if len(events) == 1:
        return events[0]
    together: dict[str, dict[str, dict[str, Any]]] = {}
    for event in events:
        for event_id, by_type in orjson.loads(event)["content"].items():
            for type_, users in by_type.items():
                told = together.setdefault(event_id, {}).setdefault(type_, {})
                for user, receipt in users.items():
                    known = told.get(user)
                    if known is None or ("thread_id" in known and _says_more(receipt, known)):
                        told[user] = receipt
    return orjson.dumps({"type": "m.receipt", "content": together})


def _says_more(receipt: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return "thread_id" not in receipt or receipt["ts"] >= known["ts"]


def _object(fields: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (orjson.dumps(key), value) for key, value in fields.items())
