"""What may go on record a little later: positions up to which something was done that does no harm if done twice.

Whoever moves such a position keeps it in memory. Every few seconds, and when the server stops, all that have moved are
written in one commit; after a crash the work of those seconds is done once more."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from core.storage.transaction import Transaction
from core.storage.writer import Writer

SECONDS_PER_NOTE = 2.0
"""How far what is on record may lag behind."""

Note = Callable[[Transaction], None]
Ask = Callable[[], Note | None]
"""What is to be written now, None where nothing is. It must not wait; the answer may be written after later ones."""

logger = logging.getLogger(__name__)


class LateNotes:
    """Asks everybody who follows, in turns. Its greenlet runs while somebody does."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._asked: list[Ask] = []
        self._greenlet: gevent.Greenlet | None = None

    def follow(self, ask: Ask) -> None:
        """Ask from now on."""
        self._asked.append(ask)
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def unfollow(self, ask: Ask) -> None:
        """Write down what there is, everybody's, and ask this one no more. Raises what the writer raises."""
        try:
            self.write()
        finally:
            self._asked.remove(ask)
            if not self._asked and self._greenlet is not None:
                self._greenlet.kill()
                self._greenlet = None

    def write(self) -> None:
        """Write down what there is now; durable when it returns. Raises what the writer raises."""
        notes = [note for ask in self._asked if (note := ask()) is not None]

        def apply(transaction: Transaction) -> None:
            for note in notes:
                note(transaction)

        if notes:
            self._writer.submit(apply)

    def _run(self) -> None:
        while True:
            gevent.sleep(SECONDS_PER_NOTE)
            try:
                self.write()
            except Exception:
                logger.exception("How far the followers of the log got could not be written down; trying again.")
