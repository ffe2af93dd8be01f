"""`hsctl db`: what the database's schema is, and bringing it to this release's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from core.cli.control import socket_path
from core.config import Config, load_config
from core.control.client import NotRunning, ask
from core.storage.configured import describe, settings_from
from core.storage.connections import SqliteSettings
from core.storage.database import Database, Settings
from core.storage.failures import StorageRefused, drivers_words
from core.storage.migrations.migrating import core_migrations, migrate, schema_report
from core.storage.owning import lease_of

EXIT_REFUSED = 2


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `db` and what it can do."""
    parser = subparsers.add_parser("db", help="look at the database's schema, or migrate it")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, help_text, run in (
        ("status", "say which migrations the database has had and which it lacks; changes nothing", status_of),
        (
            "migrate",
            "apply what is missing, as a start of the server would",
            lambda config: migrate_now(settings_from(config.database)),
        ),
    ):
        action = actions.add_parser(name, help=help_text)
        action.add_argument("file", nargs="?", help="the configuration; HS_CONFIG or ./homeserver.yaml without it")
        action.set_defaults(run=lambda arguments, run=run: run(load_config(arguments.file)))


def status_of(config: Config) -> int:
    """What `status` says; the server is asked where one runs, since the database is its own."""
    settings = settings_from(config.database)
    try:
        return _print_report(settings, ask(socket_path(config), "db status", {}))
    except NotRunning:
        return status(settings)


def status(settings: Settings) -> int:
    """Print the migrations, one a line. Exit code 1 where some are missing, 2 where the database is not to be used."""
    if isinstance(settings, SqliteSettings) and not settings.path.exists():
        print(f"{describe(settings)} does not exist yet; the first start makes it.")
        return 1
    with _database(settings) as database:
        return _print_report(settings, schema_report(database, core_migrations()))
    return EXIT_REFUSED


def _print_report(settings: Settings, report: Mapping[str, Sequence[str]]) -> int:
    print(f"{describe(settings)}:")
    for state in ("applied", "missing"):
        for name in report[state]:
            print(f"  {state}  {name}")
    return 1 if report["missing"] else 0


def migrate_now(settings: Settings) -> int:
    """Apply what is missing; refused while a server is using the database. Exit code 2 where it must not be done."""
    with _database(settings) as database:
        lease = lease_of(database)
        lease.take(wait_s=0)
        try:
            done = migrate(database, core_migrations())
        finally:
            lease.release()
        for migration in done:
            print(f"applied  {migration.number:04d} {migration.name}")
        print(f"{describe(settings)} is up to date.")
        return 0
    return EXIT_REFUSED


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database; what it refuses becomes a sentence on stderr, and ends the block."""
    database = Database(settings)
    try:
        yield database
    except StorageRefused as refused:
        print(refused, file=sys.stderr)
    except Exception as error:
        words = drivers_words(error)
        if words is None:
            raise
        print(f"{describe(settings)} cannot be used: {words}.", file=sys.stderr)
    finally:
        database.close()
