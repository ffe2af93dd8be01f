"""What a write costs: `python -m tests.bench.bench_writer [sqlite|mariadb] ...`; prints one line a setting.

Each of N greenlets submits one event-like job after another: five rows in four tables and one log line, no reading.
"""

# gevent patches before anything else is imported
from gevent import monkey

monkey.patch_all()

import resource
import sys
import tempfile
import time
from pathlib import Path

import gevent
from peewee import CompositeKey

from core.ids import Position
from core.storage.connections import SqliteSettings
from core.storage.database import Database, Settings
from core.storage.log import Kind, LogTail
from core.storage.migrations import add_sequence, create_tables, migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.tables import BigIntegerField, BytesField, MatrixStringField, Table
from core.storage.transaction import Transaction, alone
from core.storage.writer import Writer
from tests.services.mariadb import MariaDb

JOBS = 4000


class BenchEvent(Table):
    event_nid = BigIntegerField(primary_key=True)
    event_id = MatrixStringField(255, unique=True)
    room_nid = BigIntegerField(index=True)

    class Meta:
        table_name = "bench_events"


class BenchJson(Table):
    event_nid = BigIntegerField(primary_key=True)
    body = BytesField()

    class Meta:
        table_name = "bench_json"


class BenchEdge(Table):
    event_nid = BigIntegerField()
    prev_nid = BigIntegerField()

    class Meta:
        table_name = "bench_edges"
        primary_key = CompositeKey("event_nid", "prev_nid")


def measure(settings: Settings, label: str, senders: int) -> None:
    """Print wall time and CPU of this process per job, and jobs per commit."""
    database = Database(settings)
    migrate(database, core_migrations())
    with alone(database) as transaction:
        create_tables(BenchEvent, BenchJson, BenchEdge)(transaction)
        transaction.run("DELETE FROM bench_events")
        transaction.run("DELETE FROM bench_json")
        transaction.run("DELETE FROM bench_edges")
        transaction.run("DELETE FROM sequences WHERE name = 'bench'")
        add_sequence("bench")(transaction)
    dialect = database.dialect
    add_event, add_json, add_edge = (dialect.insert(table) for table in (BenchEvent, BenchJson, BenchEdge))
    writer = Writer(database, LogTail(Position(0)))
    writer.start()
    body = b"x" * 600
    numbers = iter(range(1, 10_000_000))

    def job(transaction: Transaction) -> None:
        nid = next(numbers)
        transaction.add(add_event, (nid, f"${nid}:example.org", 1))
        transaction.add(add_json, (nid, body))
        transaction.add(add_edge, (nid, nid - 1))
        transaction.log(Kind.EVENT, 1, nid)

    def send(count: int) -> None:
        for _ in range(count):
            writer.submit(job)

    gevent.spawn(send, 50).join()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    groups, jobs = writer.figures.groups, max(senders, JOBS if senders > 1 else JOBS // 8)
    gevent.joinall([gevent.spawn(send, jobs // senders) for _ in range(senders)], raise_error=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    done = jobs // senders * senders
    print(
        f"{label:16} {senders:3} senders: {cpu / done * 1e6:6.0f} us CPU, {took / done * 1e6:6.0f} us wall a job, "
        f"{done / (writer.figures.groups - groups):6.1f} jobs a commit"
    )
    writer.close()
    database.close()


def main(engines: list[str]) -> None:
    """Measure the engines named, or all."""
    for senders in (1, 4, 16, 50):
        for synchronous in ("FULL", "NORMAL"):
            with tempfile.TemporaryDirectory() as folder:
                if not engines or "sqlite" in engines:
                    measure(SqliteSettings(Path(folder) / "hs.db", synchronous), f"sqlite {synchronous}", senders)
    if not engines or "mariadb" in engines:
        with MariaDb.started(on_disk=True) as server:
            for senders in (1, 4, 16, 50):
                with server.schema() as settings:
                    measure(settings, "mariadb", senders)


if __name__ == "__main__":
    main(sys.argv[1:])
