"""Interned strings: event types, state keys and user ids as integers.

Strings are interned beforehand, in a transaction of their own, so that no job has to look one up and a number that was
handed out is valid whatever becomes of the job that needed it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from core.ids import TextNid
from core.storage.database import IDS_PER_QUERY, Database
from core.storage.sql import marks
from core.storage.tables import BigIntegerField, MatrixStringField, Table
from core.storage.writer import Transaction, Writer, advance

CACHED_TEXTS = 200_000
"""How many strings are kept in memory, each way; at most about 60 MB."""


class Text(Table):
    """An interned string."""

    text_nid = BigIntegerField(primary_key=True)
    text = MatrixStringField(255, unique=True)

    class Meta:
        table_name = "texts"


class Interner:
    """Strings to numbers and back. Numbers are never given up."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._nids: dict[str, TextNid] = {}
        self._texts: dict[int, str] = {}
        self._insert = database.dialect.insert_new(Text)

    def nid(self, text: str) -> TextNid:
        """The number of one string, given to it now if it has none."""
        found = self._nids.get(text)
        return found if found is not None else self.nids((text,))[text]

    def nids(self, texts: Iterable[str]) -> dict[str, TextNid]:
        """The number of each string; those that have none get one, committed before this returns."""
        wanted = set(texts)
        found = self.known(wanted)
        missing = sorted(wanted - found.keys())
        if missing:
            self._writer.submit(lambda transaction: self._give(transaction, missing))
            found |= self.known(missing)
        return found

    def nid_in(self, transaction: Transaction, text: str) -> TextNid:
        """The number of one string that goes with what the transaction writes, so that both cost one commit.

        Only for a string nobody else waits for, such as the id of a user who is being made: a job that runs again
        may be given another number.
        """
        found = self._nids.get(text)
        if found is None:
            self._give(transaction, [text])
            found = TextNid(transaction.value("SELECT text_nid FROM texts WHERE text = ?", (text,)))
        return found

    def known(self, texts: Collection[str]) -> dict[str, TextNid]:
        """The number of each string that has one."""
        cached = self._nids
        found = {text: cached[text] for text in texts if text in cached}
        missing = [text for text in texts if text not in found]
        if missing:
            rows = self._database.rows_in("SELECT text, text_nid FROM texts WHERE text IN ({})", missing)
            self._keep(rows)
            found.update(rows)
        return found

    def find(self, text: str) -> TextNid | None:
        """The number of one string, or None: what nobody interned appears nowhere in the database."""
        return self._nids.get(text) or self.known((text,)).get(text)

    def text(self, nid: int) -> str:
        """The string of a number that was given out."""
        found = self._texts.get(nid)
        return found if found is not None else self.texts((nid,))[nid]

    def texts(self, nids: Collection[int]) -> dict[int, str]:
        """The string of each number. Raises KeyError later, by absence, for numbers never given out."""
        cached = self._texts
        found = {nid: cached[nid] for nid in nids if nid in cached}
        missing = [nid for nid in nids if nid not in found]
        if missing:
            rows = self._database.rows_in("SELECT text, text_nid FROM texts WHERE text_nid IN ({})", missing)
            self._keep(rows)
            found.update((nid, text) for text, nid in rows)
        return found

    def _give(self, transaction: Transaction, texts: list[str]) -> None:
        """Number those that still have none: another caller may have asked for the same ones at the same time."""
        for start in range(0, len(texts), IDS_PER_QUERY):
            chunk = texts[start : start + IDS_PER_QUERY]
            rows = transaction.rows(f"SELECT text FROM texts WHERE text IN ({marks(len(chunk))})", chunk)
            known = {text for (text,) in rows}
            new = [text for text in chunk if text not in known]
            if new:
                last = advance(transaction, "texts", len(new))
                transaction.add_all(self._insert, [(last - len(new) + n, text) for n, text in enumerate(new, 1)])

    def _keep(self, rows: Iterable[tuple[str, int]]) -> None:
        if len(self._nids) > CACHED_TEXTS:
            self._nids.clear()
            self._texts.clear()
        for text, nid in rows:
            self._nids[text] = TextNid(nid)
            self._texts[nid] = text
