"""A counter in this process that moves when it is told to, and what is asked of it."""

from __future__ import annotations

from core.ids import Position, ServerName, UserNid
from core.push.counting import NotificationCounter
from core.push.evaluating import Evaluator
from core.push.ignoring import Ignoring
from core.push.joins import Joins
from core.push.ledger import KINDS, Ledger
from core.push.outbox import Outbox
from core.push.rules import PushRules
from core.storage.account_data import AccountDataStore
from core.storage.cursors import CursorStore
from core.storage.log import LogReader
from core.storage.notification_counts import CountStore
from core.storage.push_rules import PushRuleStore
from core.storage.pushers import PusherStore
from core.storage.receipts import ReceiptStore


class Counting:
    """A counter over the test's database that moves when it is told to."""

    def __init__(self, database, writer, tail, graph) -> None:
        self._database, self._writer, self._log = database, writer, LogReader(database)
        self._at = Position(0)
        store, ignoring = CountStore(database), None
        ignoring = Ignoring(store, AccountDataStore(database))
        self.rules = PushRules(PushRuleStore(database), writer, graph.texts)
        evaluator = Evaluator(graph, self.rules, ignoring, store, ServerName("here.test"))
        self.ledger = Ledger(graph, evaluator, Joins(graph), ignoring, ReceiptStore(database), store)
        self.ledger.begin(Position(0))
        outbox = Outbox(PusherStore(database), {})
        self.counter = NotificationCounter(self.ledger, store, self._log, tail, CursorStore(database), writer, outbox)

    def follow(self) -> None:
        """Follow the log to its end, in memory."""
        self.ledger.advance(self._lines())

    def handled(self):
        """Follow the log to its end; what is to be written."""
        lines = self._lines()
        self._at = lines[-1].position
        return self.counter.handle(lines)

    def write(self) -> None:
        """Follow the log to its end, and write."""
        self._writer.submit(self.handled())

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return self._database.value(f"SELECT COUNT(*) FROM {table}")

    def _lines(self):
        return self._log.lines(self._at, self._log.tip(), KINDS, 10_000)


def nid(graph, user) -> UserNid:
    return UserNid(graph.texts.nid(user))


def total(counting, graph, user, room):
    return counting.ledger.unread(nid(graph, user), [room])[room].total
