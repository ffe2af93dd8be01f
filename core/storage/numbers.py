"""Numbers handed out from blocks that were reserved beforehand, so that no job has to wait for one."""

from __future__ import annotations

from core.storage.writer import Writer, advance


class NumbersExhausted(Exception):
    """More numbers were taken than had been reserved: reserve again, and start anew."""


class Numbers:
    """The numbers of one sequence. Those unused at a stop, or taken by a job that failed, are given up."""

    def __init__(self, writer: Writer, sequence: str, block: int, margin: int) -> None:
        self._writer = writer
        self._sequence = sequence
        self._block = block
        self._margin = margin
        self._next = 0
        self._end = 0

    def reserve(self, count: int = 0) -> None:
        """Make sure that at least `count` numbers, and a margin, can be taken. Call outside any job; it may wait."""
        wanted = self._margin + count
        if self._end - self._next < wanted:
            block = max(self._block, wanted)
            last = self._writer.submit(lambda transaction: advance(transaction, self._sequence, block))
            self._next, self._end = last - block + 1, last + 1

    def take(self) -> int:
        """The next number. Raises NumbersExhausted."""
        if self._next >= self._end:
            raise NumbersExhausted(self._sequence)
        self._next += 1
        return self._next - 1
