"""Push: the rules, and the counter of what is unread."""

from __future__ import annotations

from collections.abc import Sequence
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
from core.push.mailing.sender import MailSender
from core.push.messages import Messages, Style
from core.push.notifications import Notifications
from core.push.outbox import Outbox, Wake
from core.push.pushers import Pushers
from core.push.rules import PushRules
from core.push.sending import PushSender
from core.storage.consumers import ConsumerRunner
from core.storage.devices import RemovalListener
from core.storage.notification_counts import CountStore
from core.storage.notifications import NotificationStore
from core.storage.push_rules import PushRuleStore
from core.storage.pushers import HTTP, MAIL, PusherStore
from core.storage.receipts import ReceiptStore
from core.wiring.accounts import AccountsPart
from core.wiring.addresses import AddressesPart
from core.wiring.ground import Ground
from core.wiring.mailing import build_mailing
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class PushPart:
    """The services others use, and what has to be started and stopped."""

    counter: NotificationCounter
    counter_runner: ConsumerRunner
    senders: Sequence[PushSender | MailSender]
    blueprints: list[Blueprint]

    def start(self) -> None:
        """Begin to count."""
        self.counter.start()
        for sender in self.senders:
            sender.start()
        self.counter_runner.start()

    def stop(self) -> None:
        """Write what was counted, and end."""
        self.counter_runner.stop()
        self.counter.stop()
        for sender in self.senders:
            sender.stop()


def build_push_rules(ground: Ground) -> PushRules:
    """Build the rules, which accounts show as account data, over an open database."""
    storage = ground.storage
    rules = PushRules(PushRuleStore(storage.database), storage.writer, storage.interner)
    storage.tail.follow(rules.follow, rules.followed)
    return rules


def pusher_departures(ground: Ground) -> RemovalListener:
    """Removes the pushers of a device with it; the device store is built with it."""
    return PusherStore(ground.storage.database).remove_of_devices


def build_push(
    ground: Ground,
    accounts: AccountsPart,
    addresses: AddressesPart,
    rooms: RoomsPart,
    rules: PushRules,
    http: Http | None = None,
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
    mailing = build_mailing(ground, accounts, addresses, rooms, ledger)
    wakes: dict[str, Wake] = {} if sender is None else {HTTP: sender.wake}
    if mailing is not None:
        wakes[MAIL] = mailing.sender.wake
    outbox = Outbox(pusher_store, wakes)
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
        pusher.blueprint(
            Pushers(pusher_store, accounts.devices, writer, None if mailing is None else mailing.may_mail), gate
        ),
        *([] if mailing is None else [mailing.blueprint]),
    ]
    senders = [one for one in (sender, None if mailing is None else mailing.sender) if one is not None]
    return PushPart(counter, runner, senders, blueprints)
