"""Push: the rules, and the counter of what is unread."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flask import Blueprint

from core.api.client import notifications as notifications_api
from core.api.client import pusher
from core.hooks.api import Http
from core.push.counting import SETTLE_SECONDS, NotificationCounter
from core.push.evaluating import Evaluator
from core.push.ignoring import Ignoring
from core.push.joins import Joins
from core.push.ledger import Ledger
from core.push.messages import Messages, Style
from core.push.notifications import Notifications
from core.push.outbox import Outbox
from core.push.pushers import Pushers
from core.push.rules import PushRules
from core.push.sending import PushSender
from core.storage.consumers import ConsumerRunner
from core.storage.devices import RemovalListener
from core.storage.notification_counts import CountStore
from core.storage.notifications import NotificationStore
from core.storage.push_rules import PushRuleStore
from core.storage.pushers import PusherStore
from core.storage.receipts import ReceiptStore
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class PushPart:
    """The services others use, and what has to be started and stopped."""

    counter: NotificationCounter
    counter_runner: ConsumerRunner
    sender: PushSender | None
    blueprints: list[Blueprint]

    def start(self) -> None:
        """Begin to count."""
        self.counter.start()
        if self.sender is not None:
            self.sender.start()
        self.counter_runner.start()

    def stop(self) -> None:
        """Write what was counted, and end."""
        self.counter_runner.stop()
        self.counter.stop()
        if self.sender is not None:
            self.sender.stop()


def build_push_rules(ground: Ground) -> PushRules:
    """Build the rules, which accounts show as account data, over an open database."""
    storage = ground.storage
    rules = PushRules(PushRuleStore(storage.database), storage.writer, storage.interner)
    storage.tail.follow(rules.follow)
    return rules


def pusher_departures(ground: Ground) -> RemovalListener:
    """Removes the pushers of a device with it; the device store is built with it."""
    return PusherStore(ground.storage.database).remove_of_devices


def build_push(
    ground: Ground, accounts: AccountsPart, rooms: RoomsPart, rules: PushRules, http: Http | None = None
) -> PushPart:
    """Build the part over an open database. Without `http`, the door to gateways, pushes wait in their queues."""
    storage, graph = ground.storage, rooms.graph
    writer, gate, pusher_store = storage.writer, accounts.gate, PusherStore(storage.database)
    counts = CountStore(storage.database)
    ignoring = Ignoring(counts, accounts.account_data_store)
    evaluator = Evaluator(graph, rules, ignoring, counts, ground.server_name)
    ledger = Ledger(graph, evaluator, Joins(graph), ignoring, ReceiptStore(storage.database), counts)
    graph.purger.follow(ledger.forget_room)
    settings = ground.config.push
    messages = Messages(graph, ledger, Style(settings.include_content, settings.group_unread_count_by_room))
    jitter_s = (settings.jitter_delay or 0) / 1000
    sender = None if http is None else PushSender(pusher_store, messages, http, writer, jitter_s=jitter_s)
    outbox = Outbox(pusher_store, _nobody if sender is None else sender.wake)
    counter = NotificationCounter(ledger, counts, storage.log, storage.tail, storage.cursors, writer, outbox)
    runner = storage.runner(counter, settle_s=SETTLE_SECONDS)
    notifications = Notifications(
        NotificationStore(storage.database),
        counter,
        evaluator,
        graph.events,
        rooms.client_events,
        lambda: storage.tail.position,
    )
    blueprints = [
        notifications_api.blueprint(notifications, gate),
        pusher.blueprint(Pushers(pusher_store, accounts.devices, writer), gate),
    ]
    return PushPart(counter, runner, sender, blueprints)


def _nobody(pushers: Collection[int]) -> None:
    pass
