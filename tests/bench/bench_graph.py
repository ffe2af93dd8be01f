"""What the graph costs: `python -m tests.bench.bench_graph [send] [old] [split]`; prints one line a figure.

`send`: CPU of creating rooms and sending messages. `old`: reading old states of a room with a million changes of state
and 2,000 members. `split`: a netsplit with 5,000 changes of state on either side.
"""

# gevent patches before anything else is imported
from gevent import monkey

monkey.patch_all()

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from immutables import Map

from core.events.event import Event
from core.events.room_versions import V10
from core.events.signatures import SigningKey
from core.graph.appending.admission import Admission
from core.graph.appending.line_book import LineBook
from core.graph.drafts import TransactionId
from core.graph.graph import Graph, build_graph
from core.graph.lines import StateReader
from core.graph.stored_event import StateRef
from core.ids import RoomNid, ServerName
from core.storage.connections import SqliteSettings
from core.storage.database import Database
from core.storage.interning import Interner
from core.storage.log import LogTail
from core.storage.migrations.migrating import core_migrations, migrate
from core.storage.state_lines import StateLineStore, pack_state
from core.storage.writer import Writer
from tests.graph.local_room import create_drafts, create_room, message
from tests.graph.replay import ALICE, BOB, Recorder, Replayer

STATE_TABLES = ("state_changes", "state_lines", "state_keyframes", "current_state")


class Bench:
    """A graph over a fresh SQLite file."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "hs.db"
        self.database = Database(SqliteSettings(self.path))
        migrate(self.database, core_migrations())
        self.writer = Writer(self.database, LogTail(0))
        self.writer.start()
        self.graph = self.open()

    def open(self) -> Graph:
        """The graph with nothing in memory."""
        texts = Interner(self.database, self.writer)
        key = SigningKey("ed25519:bench", b"b" * 32)
        return build_graph(self.database, self.writer, LogTail(0), texts, ServerName("here.test"), key)

    def state_bytes(self) -> int:
        """The pages of the tables that hold states, indexes included."""
        return int(
            self.database.value(
                "SELECT SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
                "WHERE m.tbl_name IN (?, ?, ?, ?)",
                STATE_TABLES,
            )
        )

    def close(self) -> None:
        self.writer.close()
        self.database.close()
        self.folder.cleanup()


def cpu_us(work: Callable[[], object], count: int) -> float:
    """CPU of the process for each of `count` units of work."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / count * 1e6


def bench_send(bench: Bench) -> None:
    """Messages of one sender and of a hundred, and rooms."""
    graph = bench.graph
    room = create_room(graph, V10)

    def send(number: int) -> None:
        graph.write.send(room.room_nid, [message(body=f"hello {number}")], TransactionId(1, "D", str(number), "send"))

    def together() -> None:
        gevent.joinall([gevent.spawn(send, number) for number in range(10_000, 14_000)], raise_error=True)

    def rooms() -> None:
        for _ in range(200):
            graph.write.create(V10, create_drafts(V10))

    print(f"send, one sender: {cpu_us(lambda: [send(n) for n in range(1000)], 1000):.0f} us")
    print(f"send, many senders: {cpu_us(together, 4000):.0f} us")
    print(f"create a room of {len(create_drafts(V10))} events: {cpu_us(rooms, 200):.0f} us")


def bench_old(bench: Bench, changes: int = 1_000_000, members: int = 2_000) -> None:
    """Old states of a big room whose lines alone are written: what is read does not depend on events."""
    store, events = StateLineStore(bench.database), bench.graph.write._bench.stores.events
    events.reserve_nids(100)
    reader, room, rng = StateReader(bench.database, store), RoomNid(1), random.Random(1)
    book = LineBook(room, reader, None, events.take_nid)
    line, state, nid = book.new_main_line(), Map(), 0
    for _ in range(0, changes, 10_000):
        for _ in range(10_000):
            key = (1, nid if nid < members else rng.randrange(members))
            nid += 1
            change = (*key, state.get(key), nid)
            state = state.set(key, nid)
            book.extend(line, [change], state)
        bench.writer.submit(lambda transaction: _write_book(transaction, store, book))
        book.changes.clear()
        book.keyframes.clear()
        book.fresh_states.clear()
    took = []
    for _ in range(30):
        cold, index = StateReader(bench.database, store), rng.randrange(members, changes)
        began = time.perf_counter()
        cold.read(StateRef(line, index))
        took.append((time.perf_counter() - began) * 1000)
    print(
        f"old state of {members} entries after {changes} changes: "
        f"median {sorted(took)[15]:.1f} ms, worst {max(took):.1f} ms"
    )
    print(f"stored: {bench.state_bytes() / changes:.0f} bytes a change")


def bench_split(bench: Bench, count: int = 5_000) -> None:
    """Two sides of a netsplit, `count` changes each, in transactions of 50, then a message that joins them."""
    record = Recorder(V10)
    start = record.start(BOB)
    replayer = Replayer(bench.graph, V10, start[0].room_id, bench.open)
    bench.graph.write.append(replayer.room, [Admission(one) for one in start])
    auth = {ALICE: [start[0], start[2], start[1]], BOB: [start[0], start[2], start[4]]}

    def side(user: str) -> list[Event]:
        events = [start[-1]]
        for number in range(count):
            content, key = {"number": number}, f"{number}" if number % 4 == 0 else f"{number} of {user}"
            events.append(record.event("x.state", user, content, events[-1:], key, auth=auth[user], is_noted=False))
        return events[1:]

    left, right = side(ALICE), side(BOB)
    for name, events in (("first side", left), ("second side", right)):
        began = time.process_time()
        for first in range(0, count, 50):
            bench.graph.write.append(replayer.room, [Admission(one) for one in events[first : first + 50]])
        rows = {table: bench.database.value(f"SELECT COUNT(*) FROM {table}") for table in STATE_TABLES}
        print(f"{name}: {(time.process_time() - began) / count * 1e6:.0f} us a change, rows {rows}")
    raw = bench.database.value("SELECT SUM(LENGTH(pdu)) FROM events WHERE state_key_nid IS NOT NULL")
    print(f"states take {bench.state_bytes() / raw:.2f} times the bytes of the state events")


def _write_book(transaction: object, store: StateLineStore, book: LineBook) -> None:
    for line in book.changed_lines.values():
        store.put_line(transaction, line)  # type: ignore[arg-type]  # a transaction
    for nid, runs in book.changes.items():
        for first, changes in runs:
            store.add_changes(transaction, nid, first, changes)  # type: ignore[arg-type]  # as above
    for nid, index, state in book.keyframes:
        store.add_keyframe(transaction, nid, index, pack_state(state.items()))  # type: ignore[arg-type]  # as above


def main(names: list[str]) -> None:
    """Run the benches named, or all."""
    for name, run in {"send": bench_send, "old": bench_old, "split": bench_split}.items():
        if not names or name in names:
            bench = Bench()
            try:
                run(bench)
            finally:
                bench.close()


if __name__ == "__main__":
    main(sys.argv[1:])
