"""History that arrives late is searched as well, and is older than everything live."""

import sqlite3
from types import SimpleNamespace

from core.hooks import LogKind, LogLine
from plugins.message_search.criteria import Batch
from plugins.message_search.plugin import MessageSearch
from plugins.message_search.tables import TABLES, Query, SearchTables
from plugins.message_search.words import query_tokens


class Tables:
    """The plugin's tables, in memory."""

    engine = "sqlite"

    def __init__(self):
        self._connection = sqlite3.connect(":memory:")
        for migration in TABLES.migrations:
            for statement in migration.sqlite:
                self._connection.execute(statement)

    def read(self, sql, params=()):
        """Rows of a SELECT."""
        return self._connection.execute(sql, params).fetchall()

    def transaction(self, write):
        """Write at once."""
        write(SimpleNamespace(run=self._connection.execute, rows=self.read))


def line(position, kind, body):
    event = SimpleNamespace(
        type="m.room.message", event_id=f"${body}", room_id="!r", sender="@a:b", redacts=None, content={"body": body}
    )
    return LogLine(position, kind, "!r", event=event)


def test_late_history_comes_after_all_that_was_live_and_pages_reach_it():
    api = SimpleNamespace(tables=Tables())
    search = MessageSearch({}, api)
    lines = [(1, LogKind.EVENT, "word one"), (2, LogKind.BACKFILL, "word two"), (3, LogKind.BACKFILL, "word three")]
    search.follow([line(*one) for one in (*lines, (4, LogKind.EVENT, "word four"))])
    query, tables = Query(query_tokens(["word"]), ["!r"], [0]), SearchTables(api)
    found = tables.matches(query, 2**63 - 1, 10)
    assert [one.event_id for one in found] == ["$word four", "$word one", "$word two", "$word three"]
    below = Batch.parse(str(Batch(4, found[2].nid, 0))).below
    assert [one.event_id for one in tables.matches(query, below, 10)] == ["$word three"]
