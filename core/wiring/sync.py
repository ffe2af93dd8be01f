"""Sync: the notifier, what an answer is made of, and the endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.api.client import sync as sync_api
from core.graph.prejoin import USUAL_TYPES
from core.hooks.specs import contributions
from core.push.counting import NotificationCounter
from core.push.rules import PushRules
from core.rooms.typing import TypingBook
from core.storage.log import Kind
from core.storage.receipts import ReceiptStore
from core.sync.account_data import AccountDataSection, RoomAccountDataSection
from core.sync.assembling import Assembler
from core.sync.counts import CountsSection
from core.sync.filters import SyncFilters
from core.sync.membership_changes import MembershipChanges
from core.sync.notifier import Notifier
from core.sync.plugin_sections import PluginSections
from core.sync.push_rules import PushRulesSection
from core.sync.receipts import ReceiptSection
from core.sync.room_contents import RoomContents
from core.sync.room_lists import RoomLister
from core.sync.sections import RoomSection, Section
from core.sync.service import SyncService
from core.sync.snapshots import EphemeralSnapshots
from core.sync.state_changes import StateChangeReader
from core.sync.summaries import Summaries
from core.sync.timelines import Timelines
from core.sync.typing import TypingSection
from core.wiring.accounts import AccountsPart
from core.wiring.encryption import EncryptionPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart

UNLIMITED = 1_000
"""The largest limit of a timeline where the configuration has none."""

LOOKED_UP_TYPES = (
    "m.room.member",
    "m.room.history_visibility",
    "m.room.name",
    "m.room.canonical_alias",
    *USUAL_TYPES,
)
"""Event types that syncs ask for: interned at the start, since looking up what is not asks the database each time."""


@dataclass(frozen=True, slots=True)
class SyncPart:
    """The services others use, and what has to be started and stopped."""

    notifier: Notifier
    service: SyncService
    receipt_store: ReceiptStore
    typing_book: TypingBook
    changes: StateChangeReader
    snapshots: EphemeralSnapshots
    blueprints: list[Blueprint]


def build_sync(
    ground: Ground,
    accounts: AccountsPart,
    rooms: RoomsPart,
    encryption: EncryptionPart,
    rules: PushRules,
    counter: NotificationCounter,
) -> SyncPart:
    """Build the part over an open database."""
    storage, graph = ground.storage, rooms.graph
    storage.interner.nids(LOOKED_UP_TYPES)
    database, log = storage.database, storage.log
    notifier = Notifier(
        storage.tail,
        graph.memberships,
        MembershipChanges(database, graph),
        {Kind.DEVICE_LIST: encryption.lists.followers},
    )
    changes = StateChangeReader(database, graph, log, notifier.recent)
    most_events = ground.config.server.filter_timeline_limit
    contents = RoomContents(
        graph,
        rooms.viewing,
        rooms.client_events,
        log,
        Timelines(notifier.recent, log, graph.events),
        changes,
        Summaries(database, graph),
        UNLIMITED if most_events < 0 else most_events,
    )
    lister = RoomLister(
        database, graph, rooms.viewing, rooms.client_events, log, changes, contents, rooms.invite_permissions.hides
    )
    found = ground.plugins.contributions(contributions.contribute_sync_sections)
    contributed = PluginSections(ground.plugins, found, graph.rooms)
    sections: list[Section] = [
        AccountDataSection(accounts.account_data_store),
        PushRulesSection(rules, log),
        *encryption.sections,
        contributed,
    ]
    receipt_store, typing_book = ReceiptStore(database), TypingBook(notifier.count_in_room)
    room_sections: list[RoomSection] = [
        RoomAccountDataSection(accounts.account_data_store, graph.rooms),
        ReceiptSection(receipt_store, graph.rooms, graph.texts),
        TypingSection(typing_book, graph.rooms),
        CountsSection(
            counter, log
        ),  # last: it adds to every room that is in the answer, whichever section put it there
    ]
    assembler = Assembler(graph, lister, sections, room_sections, encryption.always_in_sync)
    service = SyncService(notifier, log, assembler, rooms.ignored.of, encryption.acknowledged)
    filters = SyncFilters(accounts.filters, ground.config.rooms.exclude_rooms_from_sync)
    snapshots = EphemeralSnapshots(receipt_store, contributed, notifier, graph.texts)
    blueprints = [sync_api.blueprint(service, filters, ground.activity, accounts.gate)]
    return SyncPart(notifier, service, receipt_store, typing_book, changes, snapshots, blueprints)
