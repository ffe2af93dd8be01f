"""A room replayed in short lives, each ended by kill -9 before a statement: `python -m tests.graph.lives PATH SEED`.

After each life another process opens the database, with nothing in memory, and compares all there is with the oracle.
It loads everything once and forks for each life. See test_kill.py.
"""

# gevent patches before anything else is imported
from gevent import monkey

monkey.patch_all()

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from core.events.event import Event
from core.events.room_versions import V10
from core.events.signatures import SigningKey
from core.graph.appending.admission import Admission
from core.graph.graph import Graph, build_graph
from core.graph.stored_event import Place
from core.ids import ServerName
from core.storage.connections import Connection, SqliteSettings
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.log import Kind, LogReader, LogTail
from core.storage.migrations.migrating import core_migrations, migrate
from core.storage.writer import Writer
from tests.graph.replay import Recorder, Replayer
from tests.graph.test_random_rooms import any_order, record_room

LIVES = 400


class Mortal(Database):
    """A database whose writing connection ends the process before a statement of a given number."""

    statements_left: int | None = None

    def open_writing(self) -> Connection:
        return _MortalConnection(super().open_writing(), self)  # type: ignore[return-value]  # a stand-in

    def die_if_due(self) -> None:
        if self.statements_left is not None:
            self.statements_left -= 1
            if self.statements_left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


class _MortalConnection:
    def __init__(self, connection: Connection, database: Mortal) -> None:
        self._connection, self._database = connection, database

    def cursor(self) -> "_MortalCursor":
        return _MortalCursor(self._connection.cursor(), self._database)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


class _MortalCursor:
    def __init__(self, cursor: object, database: Mortal) -> None:
        self._cursor, self._database = cursor, database

    def execute(self, *arguments: object) -> object:
        self._database.die_if_due()
        return self._cursor.execute(*arguments)  # type: ignore[attr-defined]  # a cursor of any driver

    def executemany(self, *arguments: object) -> object:
        self._database.die_if_due()
        return self._cursor.executemany(*arguments)  # type: ignore[attr-defined]  # as above

    def __getattr__(self, name: str) -> object:
        return getattr(self._cursor, name)


def open_graph(path: Path, statements: int | None) -> tuple[Graph, Mortal]:
    """The graph of a database; its writer dies before the statement of this number."""
    database = Mortal(SqliteSettings(path, "OFF"))
    migrate(database, core_migrations())
    tail = LogTail(LogReader(database).tip())
    writer = Writer(database, tail)
    writer.start()
    texts = Interner(database, writer)
    database.statements_left = statements
    return build_graph(
        database, writer, tail, texts, ServerName("here.test"), SigningKey("ed25519:h", b"h" * 32)
    ), database


def live(path: Path, statements: int, record: Recorder, events: Sequence[Event]) -> None:
    """Append what is not there yet, one or two at a time."""
    graph, _ = open_graph(path, statements)
    room = graph.rooms.intern(record.room_id, V10).room_nid
    waiting = [event for event in events if graph.events.by_id(event.event_id) is None]
    for event in waiting:
        graph.write.append(room, [Admission(event, Place.LIVE)])


def examine(path: Path, record: Recorder, events: Sequence[Event]) -> None:
    """Compare what is there with the oracle, then die without closing anything."""
    graph, database = open_graph(path, None)
    replayer = Replayer(graph, V10, record.room_id, lambda: graph)
    here = [event for event in events if graph.events.by_id(event.event_id) is not None]
    assert here == list(events[: len(here)]), "what is there is what came first"
    for event in here:
        replayer.oracle.add(event, Place.LIVE)
    lines = LogReader(database).lines(0, 2**62, [Kind.STATE_DELTA], limit=100_000)
    deltas = graph.deltas.by_nids([line.reference for line in lines])
    for line in lines:
        replayer.fold(deltas[line.reference])
    replayer.compare(graph)


def in_a_life(body: Callable[[], None]) -> int:
    """Run `body` in a child; its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            body()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def main(path: Path, seed: int) -> int:
    """Lives until the room is complete. Prints how many were cut short."""
    random = Random(seed)
    record, events = record_room(V10, random, steps=30)
    ordered = any_order(events, random)
    killed = 0
    for _ in range(LIVES):
        status = in_a_life(partial(live, path, random.randrange(80), record, ordered))
        killed += status == signal.SIGKILL
        if in_a_life(partial(examine, path, record, ordered)) != 0:
            return 1
        if status == 0:
            print(killed)
            return 0
    return 2


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
