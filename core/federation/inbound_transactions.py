"""Transactions of other servers: PDUs checked and staged before the answer, EDUs handed on.

The trouble of one PDU or one room is told beside its event id and fails nothing else.
Spec: Server-Server API, "Transactions".
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from gevent.event import AsyncResult

from core.errors import BadJson, EventRefused, MatrixError
from core.events.canonical_json import encode
from core.events.hashes import event_id_of
from core.events.room_versions import EventFormat, RoomVersion
from core.federation.inbound_edus import InboundEdus
from core.federation.inbound_rooms import InboundRooms
from core.federation.participation import Participation
from core.federation.received import ReceivedEvents
from core.federation.rescinded_invites import RescindedInvites
from core.graph.graph import Graph
from core.ids import RoomId, ServerName
from core.storage.rooms import RoomName

MAX_PDUS = 50
MAX_EDUS = 100
REMEMBERED = 5_000
"""How many transactions' answers are kept for those who ask again. After a restart event ids tell what is known."""

Pdu = Mapping[str, Any]
Results = dict[str, dict[str, str]]

logger = logging.getLogger(__name__)


class InboundTransactions:
    """Receives transactions."""

    def __init__(
        self,
        graph: Graph,
        participation: Participation,
        received: ReceivedEvents,
        rooms: InboundRooms,
        edus: InboundEdus,
        rescinded: RescindedInvites,
    ) -> None:
        self._graph = graph
        self._participation = participation
        self._received = received
        self._rooms = rooms
        self._edus = edus
        self._rescinded = rescinded
        self._answers: OrderedDict[tuple[ServerName, str], AsyncResult[Results]] = OrderedDict()

    def receive(self, origin: ServerName, txn_id: str, content: Mapping[str, Any]) -> Results:
        """What became of each PDU, by event id; `{}` where it was taken. Raises BadJson."""
        pdus, edus = _lists(content)
        key = (origin, txn_id)
        earlier = self._answers.get(key)
        if earlier is not None:
            return earlier.get()  # type: ignore[no-any-return]  # gevent ships no type for it
        answer = self._answers[key] = AsyncResult()
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        try:
            results = self._take(origin, pdus)
        except BaseException as error:
            self._answers.pop(key, None)
            answer.set_exception(error)
            raise
        for edu in edus:
            self._edus.receive(origin, edu)
        answer.set(results)
        return results

    def _take(self, origin: ServerName, pdus: Sequence[Pdu]) -> Results:
        results: Results = {}
        rooms: dict[str, list[Pdu]] = {}
        for pdu in pdus:
            room_id = _room_of(pdu)
            if room_id is not None:
                rooms.setdefault(room_id, []).append(pdu)
        for room_id, of_room in rooms.items():
            try:
                self._take_room(origin, RoomId(room_id), of_room, results)
            except MatrixError as error:
                self._refuse(RoomId(room_id), of_room, error.sentence, results)
            except Exception:
                logger.exception("PDUs of room %s could not be taken.", room_id)
                self._refuse(RoomId(room_id), of_room, "The server failed.", results)
        return results

    def _take_room(self, origin: ServerName, room_id: RoomId, pdus: Sequence[Pdu], results: Results) -> None:
        named = self._graph.rooms.find(room_id)
        if named is not None and not self._participation.is_here(room_id):
            checked = self._received.check(pdus, named.version, room_id)
            if self._rescinded.take(origin, named, checked.events):
                results.update({str(event.event_id): {} for event in checked.events})
                return
        room = self._participation.room(origin, room_id)
        checked = self._received.check(pdus, room.version, room_id)
        for event in [one for one in checked.events if not one.prev_event_ids]:
            checked.events.remove(event)
            checked.problems[event.event_id] = "It follows no event, but the room has begun."
        known = self._graph.events.by_ids([event.event_id for event in checked.events])
        new = [event for event in checked.events if event.event_id not in known or known[event.event_id].is_outlier]
        if new:
            self._rooms.stage(room.room_nid, origin, new, [encode(event.pdu, strict=False) for event in new])
        results.update({str(event.event_id): {} for event in checked.events})
        for event_id, problem in checked.problems.items():
            logger.info("%s of %s, sent by %s, is dropped: %s", event_id, room_id, origin, problem)
            if event_id.startswith("$"):
                results[event_id] = {"error": problem}

    def _refuse(self, room_id: RoomId, pdus: Sequence[Pdu], sentence: str, results: Results) -> None:
        room = self._graph.rooms.find(room_id)
        for pdu in pdus:
            event_id = _id_of(pdu, room)
            if event_id is not None:
                results[event_id] = {"error": sentence}


def _lists(content: Mapping[str, Any]) -> tuple[Sequence[Pdu], Sequence[Any]]:
    pdus, edus = content.get("pdus", []), content.get("edus", [])
    if not isinstance(pdus, list) or not isinstance(edus, list):
        raise BadJson("'pdus' and 'edus' must be lists.")
    if len(pdus) > MAX_PDUS or len(edus) > MAX_EDUS:
        raise BadJson(f"A transaction holds at most {MAX_PDUS} PDUs and {MAX_EDUS} EDUs.")
    return [pdu for pdu in pdus if isinstance(pdu, dict)], edus


def _room_of(pdu: Pdu) -> str | None:
    """The room a PDU says it is of; a create event of room version 12 is never sent, as nobody else was there."""
    room_id = pdu.get("room_id")
    return room_id if isinstance(room_id, str) else None


def _id_of(pdu: Pdu, room: RoomName | None) -> str | None:
    """The event's id, as far as it can be told without knowing the room's version."""
    version: RoomVersion | None = room.version if room is not None else None
    claimed = pdu.get("event_id")
    if version is None or version.event_format is EventFormat.V1:
        return claimed if isinstance(claimed, str) else None
    try:
        return event_id_of(pdu, version)
    except EventRefused:
        return None
