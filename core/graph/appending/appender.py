"""Prepare and apply: an append is worked out for one version of the room, and written if that still is the version.

After three tries it is worked out in the writer, where nothing can come between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import gevent

from core.events.state_resolution import no_checkpoint
from core.graph.appending import rows
from core.graph.appending.admission import Appended
from core.graph.appending.numbering import NotInterned
from core.graph.appending.work import Bench, Work
from core.graph.tips import TipReader
from core.ids import RoomNid, ServerName
from core.storage.numbers import NumbersExhausted
from core.storage.writer import Transaction, Writer

T = TypeVar("T")

TRIES = 3
"""How often an append is prepared outside the writer before it is prepared inside."""
RESTARTS = 100
"""How many strings or blocks of numbers an append may find missing on the way."""

Plan = Callable[[Work], None]
AlsoWrite = Callable[[Transaction, Appended], None]


class Appender:
    """Runs appends."""

    def __init__(self, bench: Bench, tips: TipReader, writer: Writer, server_name: ServerName) -> None:
        self.bench = bench
        self.tips = tips
        self.server_name = server_name
        self._writer = writer

    def prepared(self, room: RoomNid, plan: Plan, also: AlsoWrite | None = None) -> Appended:
        """Work out `plan` outside the writer and write it; `also` writes more in the same job. Raises what they do."""
        for _ in range(TRIES):
            work = self.restarting(lambda: self._planned(room, plan))
            done = self._writer.submit(partial(self._write_if_current, work=work, also=also), room)
            if done is not None:
                return done
        return self.direct(room, lambda transaction: self._inside(transaction, room, plan, also))

    def direct(self, room: RoomNid, apply: Callable[[Transaction], T]) -> T:
        """Run `apply` as a job of the room, again where it found strings or numbers missing."""
        return self.restarting(lambda: self._writer.submit(apply, room))

    def begin(self, transaction: Transaction, room: RoomNid) -> Work:
        """An append on top of what the jobs before this one have done."""
        return Work(self.tips.in_job(transaction, room), self.bench, transaction, no_checkpoint)

    def write(self, work: Work, transaction: Transaction) -> Appended:
        """Write an append that was worked out."""
        return rows.write(work, transaction, self.tips, self.server_name)

    def restarting(self, attempt: Callable[[], T]) -> T:
        """`attempt()`, again after each string or block of numbers that it found missing."""
        for _ in range(RESTARTS):
            try:
                return attempt()
            except NotInterned as missing:
                self.bench.texts.nids((missing.text,))
            except NumbersExhausted:
                self.bench.stores.events.reserve_nids()
        raise RuntimeError("an append kept finding strings without a number")

    def _planned(self, room: RoomNid, plan: Plan) -> Work:
        work = Work(self.tips.get(room), self.bench, None, gevent.idle)
        plan(work)
        work.settle()
        return work

    def _write_if_current(self, transaction: Transaction, work: Work, also: AlsoWrite | None) -> Appended | None:
        if self.tips.in_job(transaction, work.tip.room_nid).serial != work.tip.serial:
            return None
        return self._finish(transaction, work, also)

    def _inside(self, transaction: Transaction, room: RoomNid, plan: Plan, also: AlsoWrite | None) -> Appended:
        work = self.begin(transaction, room)
        plan(work)
        work.settle()
        return self._finish(transaction, work, also)

    def _finish(self, transaction: Transaction, work: Work, also: AlsoWrite | None) -> Appended:
        appended = self.write(work, transaction)
        if also is not None:
            also(transaction, appended)
        return appended
