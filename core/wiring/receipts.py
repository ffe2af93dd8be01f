"""Receipts, read markers, typing and tags: what users say of themselves in rooms without sending events."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.accounts.account_data import AccountData
from core.api.client import read_markers, receipts, tags, typing
from core.rooms.access import RoomAccess
from core.rooms.edu_sink import EduSink
from core.rooms.read_markers import ReadMarkers
from core.rooms.receipts import Receipts
from core.rooms.tags import Tags
from core.rooms.typing import Typing
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart
from core.wiring.sync import SyncPart


@dataclass(frozen=True, slots=True)
class ReceiptsPart:
    """The services others use, and what has to be started and stopped."""

    receipts: Receipts
    typing: Typing
    blueprints: list[Blueprint]


def build_receipts(
    ground: Ground, accounts: AccountsPart, rooms: RoomsPart, sync: SyncPart, edus: EduSink
) -> ReceiptsPart:
    """Build the part over an open database."""
    storage, graph, gate = ground.storage, rooms.graph, accounts.gate
    data_store, access = accounts.account_data_store, RoomAccess(graph)
    account_data = AccountData(data_store, storage.writer, ground.plugins)
    reading = Receipts(graph, access, rooms.viewing, sync.receipt_store, storage.log, storage.writer, edus)
    markers = ReadMarkers(graph, access, reading, account_data, data_store)
    typists = Typing(access, sync.typing_book, edus, ground.server_name, graph.events.in_memory)
    storage.tail.follow(typists.follow, typists.followed)
    blueprints = [
        receipts.blueprint(reading, markers, ground.activity, gate),
        read_markers.blueprint(reading, markers, gate),
        typing.blueprint(typists, ground.activity, gate),
        tags.blueprint(Tags(data_store, storage.writer, ground.plugins), gate),
    ]
    return ReceiptsPart(reading, typists, blueprints)
