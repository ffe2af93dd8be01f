"""Sliding sync: made of the parts of sync, beside it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.api.client import sliding_sync, thread_subscriptions
from core.push.counting import NotificationCounter
from core.push.rules import PushRules
from core.rooms.thread_subscriptions import ThreadSubscriptions
from core.storage.thread_subscriptions import ThreadSubscriptionStore
from core.sync.account_data import AccountDataSection, RoomAccountDataSection
from core.sync.counts import CountsSection
from core.sync.push_rules import PushRulesSection
from core.sync.receipts import ReceiptSection
from core.sync.sliding.answering import SlidingAnswers
from core.sync.sliding.bump_stamps import BumpStamps
from core.sync.sliding.extensions import Extensions, Sections
from core.sync.sliding.room_facts import RoomFacts
from core.sync.sliding.room_parts import RoomParts
from core.sync.sliding.selecting import Selector
from core.sync.sliding.service import SlidingService
from core.sync.sliding.standings import StandingReader
from core.sync.summaries import Summaries
from core.sync.thread_subscriptions import ThreadSubscriptionSection
from core.sync.timelines import Timelines
from core.sync.typing import TypingSection
from core.wiring.accounts import AccountsPart
from core.wiring.encryption import EncryptionPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart
from core.wiring.sync import SyncPart


@dataclass(frozen=True, slots=True)
class SlidingPart:
    """The service, and its endpoint."""

    service: SlidingService
    blueprints: list[Blueprint]


def build_sliding(
    ground: Ground,
    accounts: AccountsPart,
    rooms: RoomsPart,
    encryption: EncryptionPart,
    rules: PushRules,
    counter: NotificationCounter,
    sync: SyncPart,
) -> SlidingPart:
    """Build the part over an open database."""
    storage, graph, data = ground.storage, rooms.graph, accounts.account_data_store
    database, log = storage.database, storage.log
    stamps, facts = BumpStamps(database, graph.events, graph.texts), RoomFacts(database, graph)
    for follower in (stamps, facts):
        storage.tail.follow(follower.follow, follower.followed)
    to_device, device_lists, key_counts = encryption.sections
    subscriptions = ThreadSubscriptionStore(database)
    threads = ThreadSubscriptionSection(subscriptions, graph.rooms)
    sections = Sections(
        to_device,
        device_lists,
        key_counts,
        (AccountDataSection(data), PushRulesSection(rules, log)),
        RoomAccountDataSection(data, graph.rooms),
        ReceiptSection(sync.receipt_store, graph.rooms, graph.texts),
        TypingSection(sync.typing_book, graph.rooms),
        threads,
        encryption.always_in_sync,
        encryption.acknowledged,
    )
    parts = RoomParts(
        graph,
        rooms.viewing,
        rooms.client_events,
        log,
        Timelines(sync.notifier.recent, log, graph.events),
        sync.changes,
        Summaries(database, graph),
    )
    standings = StandingReader(graph, rooms.invite_permissions.hides, ground.config.rooms.exclude_rooms_from_sync)
    selector = Selector(graph, standings, data, facts, stamps)
    extensions = Extensions(sections, graph.rooms)
    answers = SlidingAnswers(database, graph, selector, stamps, parts, CountsSection(counter, log), extensions)
    service = SlidingService(sync.notifier, log, answers, rooms.ignored.of)
    following = ThreadSubscriptions(
        graph, rooms.access, rooms.viewing, subscriptions, database, log, storage.writer, lambda: storage.tail.position
    )
    blueprints = [
        sliding_sync.blueprint(service, ground.activity, accounts.gate),
        thread_subscriptions.blueprint(following, threads, lambda: storage.tail.position, accounts.gate),
    ]
    return SlidingPart(service, blueprints)
