"""Opening the database: the lease, the migrations, the server name it belongs to, and everything that stands on it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.storage.compaction import LogKeeper
from core.storage.configured import describe
from core.storage.connections import SqliteSettings
from core.storage.consumers import LINES_PER_BATCH, Consumer, ConsumerRunner
from core.storage.cursors import CursorStore
from core.storage.database import Database, Settings
from core.storage.facts import FactStore
from core.storage.failures import DatabaseUnusable, drivers_words
from core.storage.interning import Interner
from core.storage.late_notes import LateNotes
from core.storage.leases import Leases
from core.storage.log import LogReader, LogTail
from core.storage.migrations.migrating import Migration, SchemaError, core_migrations, migrate
from core.storage.owning import COMMAND, FileLease, NamedLease, begin_ownership, lease_of
from core.storage.tailing import PolledTail, WakeSource
from core.storage.transaction import alone
from core.storage.writer import Writer

SERVER_NAME = "server_name"


@dataclass(frozen=True, slots=True)
class Storage:
    """An open database; running until `close`."""

    database: Database
    writer: Writer
    tail: LogTail
    log: LogReader
    log_keeper: LogKeeper
    interner: Interner
    facts: FactStore
    leases: Leases
    cursors: CursorStore
    notes: LateNotes
    fence: int
    """This opening's number: larger than that of every opening before it, restored backups included."""
    lease: FileLease | NamedLease

    def runner(
        self,
        consumer: Consumer,
        from_the_beginning: bool = True,
        settle_s: float = 0.0,
        lines_per_batch: int = LINES_PER_BATCH,
    ) -> ConsumerRunner:
        """What hands `consumer` the lines of the log, as this opening of the database; not started yet."""
        parts = self.log, self.log_keeper, self.tail, self.writer, self.cursors, self.notes, self.fence
        return ConsumerRunner(consumer, *parts, from_the_beginning, settle_s, lines_per_batch)

    def close(self) -> None:
        """Apply what waits, and give the database to the next owner."""
        if isinstance(self.tail, PolledTail):
            self.tail.stop()
        self.writer.close()
        self.database.close()
        self.lease.release()


def open_storage(
    settings: Settings,
    server_name: str,
    wait_s: float = 30.0,
    plugin_migrations: Mapping[str, Sequence[Migration]] | None = None,
    wake: WakeSource | None = None,
    master: int = COMMAND,
) -> Storage:
    """Open, migrate and start, as a command or as the server that the process `master` runs.

    Waits up to `wait_s` for an owner that is about to go (core.storage.owning says which).

    Raises StorageRefused with a sentence for the administrator: DatabaseInUse, SchemaError (not ours, newer, another
    server's), DatabaseUnusable; and OSError where the folder of a SQLite file is missing or not ours.
    """
    database = Database(settings)
    lease = lease_of(database)
    try:
        lease.take(wait_s, master)
        migrate(database, core_migrations())
        for owner, migrations in (plugin_migrations or {}).items():
            migrate(database, migrations, owner)
        claim_server_name(database, server_name)
        fence = begin_ownership(database)
        log = LogReader(database)
        tail: LogTail
        if isinstance(settings, SqliteSettings):
            tail = LogTail(log.tip())
        else:
            tail = PolledTail(log, wake)
            tail.start()
        if isinstance(lease, NamedLease):
            lease.sign(master)
            writer = Writer(database, tail, lease.hold)
            writer.start(lease.hand_over())
        else:
            writer = Writer(database, tail)
            writer.start()
    except BaseException as error:
        database.close()
        lease.release()
        if words := drivers_words(error):
            raise DatabaseUnusable(f"{describe(settings)} cannot be used: {words}.") from error
        raise
    return Storage(
        database=database,
        writer=writer,
        tail=tail,
        log=log,
        log_keeper=LogKeeper(database),
        interner=Interner(database, writer),
        facts=FactStore(database),
        leases=Leases(writer, f"{fence:x}-{secrets.token_hex(8)}"),
        cursors=CursorStore(database),
        notes=LateNotes(writer),
        fence=fence,
        lease=lease,
    )


def claim_server_name(database: Database, server_name: str) -> None:
    """Make an unclaimed database this server's. Raises SchemaError, naming both, where it is another's."""
    facts = FactStore(database)
    owner = facts.find(SERVER_NAME)
    if owner is None:
        with alone(database) as transaction:
            facts.set(transaction, SERVER_NAME, server_name)
    elif owner != server_name:
        raise SchemaError(
            f"The database belongs to the server {owner}, and the configuration says server_name: {server_name}. "
            "A server's name is part of every id it has given out and cannot change; correct it, or take an empty "
            "database."
        )
