"""Opening the database: the lease, the migrations, the server name it belongs to, and everything that stands on it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.storage.compaction import LogKeeper
from core.storage.configured import describe
from core.storage.connections import SqliteSettings
from core.storage.cursors import CursorStore
from core.storage.database import Database, Settings
from core.storage.facts import FactStore
from core.storage.failures import DatabaseUnusable, drivers_words
from core.storage.interning import Interner
from core.storage.leases import Leases
from core.storage.log import LogReader, LogTail
from core.storage.migrations.migrating import Migration, SchemaError, core_migrations, migrate
from core.storage.owning import FileLease, begin_ownership, file_lease
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
    fence: int
    """This opening's number: larger than that of every opening before it, restored backups included."""
    file_lease: FileLease | None

    def close(self) -> None:
        """Apply what waits, and give the database to the next owner."""
        if isinstance(self.tail, PolledTail):
            self.tail.stop()
        self.writer.close()
        self.database.close()
        if self.file_lease is not None:
            self.file_lease.release()


def open_storage(
    settings: Settings,
    server_name: str,
    wait_s: float = 30.0,
    plugin_migrations: Mapping[str, Sequence[Migration]] | None = None,
    wake: WakeSource | None = None,
) -> Storage:
    """Open, migrate and start. Waits `wait_s` for another owner of a SQLite file to go.

    Raises StorageRefused with a sentence for the administrator: DatabaseInUse, SchemaError (not ours, newer, another
    server's), DatabaseUnusable; and OSError where the folder of a SQLite file is missing or not ours.
    """
    database = Database(settings)
    lease = file_lease(database)
    if lease is not None:
        lease.take(wait_s)
    try:
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
        writer = Writer(database, tail)
        writer.start()
    except BaseException as error:
        database.close()
        if lease is not None:
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
        fence=fence,
        file_lease=lease,
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
