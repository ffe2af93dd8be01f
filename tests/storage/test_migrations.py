"""Which databases may be touched, and what `hsctl db` says of them."""

import gevent
import pytest

from core.cli.db import migrate_now, status
from core.config.database import DatabaseConfig
from core.storage.configured import settings_from
from core.storage.connections import MysqlSettings, SqliteSettings
from core.storage.database import Database
from core.storage.migrations import Migration, SchemaError, create_tables, migrate
from core.storage.migrations.migrating import core_migrations
from core.storage.opening import open_storage
from core.storage.tables import BigIntegerField, Table
from core.storage.transaction import alone


class Extra(Table):
    nid = BigIntegerField(primary_key=True)

    class Meta:
        table_name = "extras"


LATER = Migration(9999, "from_the_future", False, (create_tables(Extra),))


@pytest.fixture
def empty(database_settings):
    database = Database(database_settings)
    yield database
    database.close()


def test_migrations_run_once(empty):
    assert migrate(empty, core_migrations()) == core_migrations()
    assert migrate(empty, core_migrations()) == []


def test_processes_that_start_together_migrate_once(database_settings, empty):
    others = [Database(database_settings) for _ in range(3)]
    starts = [gevent.spawn(migrate, database, core_migrations()) for database in others]
    gevent.joinall(starts, raise_error=True)
    assert sorted(len(start.value) for start in starts) == [0, 0, len(core_migrations())]
    for database in others:
        database.close()


def test_a_database_from_a_newer_release_is_refused(database_settings, empty, capsys):
    migrate(empty, [*core_migrations(), LATER])
    with pytest.raises(SchemaError, match=r"migration 9999 \(from_the_future\).*newer release"):
        migrate(empty, core_migrations())
    assert status(database_settings) == migrate_now(database_settings) == 2
    assert capsys.readouterr().err.count("newer release") == 2


def test_a_database_that_is_not_ours_is_refused_untouched(database_settings, empty, capsys):
    with alone(empty) as transaction:
        create_tables(Extra)(transaction)
    with pytest.raises(SchemaError, match=r"not this server's \(extras\)"):
        migrate(empty, core_migrations())
    assert status(database_settings) == 2
    assert "extras" in capsys.readouterr().err
    assert empty.rows("SELECT nid FROM extras") == []


def test_a_plugin_has_migrations_of_its_own(database):
    mine = [Migration(1, "extras", True, (create_tables(Extra),))]
    assert migrate(database, mine, "sample") == mine
    assert migrate(database, core_migrations()) == []
    with pytest.raises(SchemaError, match="this release of the plugin sample"):
        migrate(database, [], "sample")


def test_migrations_that_are_not_in_order_are_refused(database):
    with pytest.raises(SchemaError, match=r"numbered \[2, 1\]"):
        migrate(database, [Migration(2, "b", True, ()), Migration(1, "a", True, ())], "sample")


def test_a_step_that_fails_leaves_the_migration_to_be_done(database):
    def broken(transaction):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        migrate(database, [Migration(1, "a", True, (create_tables(Extra), broken))], "sample")
    assert len(migrate(database, [Migration(1, "a", True, (create_tables(Extra),))], "sample")) == 1


class Dying:
    """A connection whose process dies after so many statements, with everything that was not committed."""

    def __init__(self, connection, statements):
        self.connection, self.left = connection, statements

    def cursor(self):
        return DyingCursor(self, self.connection.cursor())

    def close(self):
        if self.left >= 0:
            self.connection.close()

    def __getattr__(self, name):
        return getattr(self.connection, name)


class DyingCursor:
    def __init__(self, owner, cursor):
        self.owner, self.cursor = owner, cursor

    def execute(self, *arguments):
        self.owner.left -= 1
        if self.owner.left == -1:
            self.owner.connection.close()
        if self.owner.left < 0:
            raise KeyboardInterrupt
        return self.cursor.execute(*arguments)

    def __getattr__(self, name):
        return getattr(self.cursor, name)


def schema_of(database):
    if database.dialect.is_mysql:
        tables = sorted(name for (name,) in database.rows("SHOW TABLES"))
        return [database.row(f"SHOW CREATE TABLE {name}")[1] for name in tables]
    return sorted(database.rows("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


@pytest.fixture
def fresh(database, request, tmp_path):
    """An empty database of the engine that `database` is of."""
    if not database.dialect.is_mysql:
        yield Database(SqliteSettings(tmp_path / "fresh.db"))
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        yield Database(settings)


def test_migrations_that_are_killed_again_and_again_are_finished_in_the_end(database, fresh, monkeypatch):
    opened = fresh.open_writing
    for statements in range(4, 1000):
        monkeypatch.setattr(fresh, "open_writing", lambda n=statements: Dying(opened(), n))
        try:
            migrate(fresh, core_migrations())
            break
        except KeyboardInterrupt:
            pass
    assert statements > 20
    assert schema_of(fresh) == schema_of(database)
    fresh.close()


def test_status_names_what_is_missing_and_migrate_applies_it(database_settings, empty, capsys):
    empty.rows("SELECT 1")
    assert status(database_settings) == 1
    assert "missing  0001 ground" in capsys.readouterr().out
    assert migrate_now(database_settings) == 0
    assert "applied  0001 ground" in capsys.readouterr().out
    assert status(database_settings) == 0


def test_migrating_by_hand_is_refused_while_a_server_runs(tmp_path, capsys):
    storage = open_storage(SqliteSettings(tmp_path / "hs.db"), "example.org")
    assert migrate_now(SqliteSettings(tmp_path / "hs.db")) == 2
    storage.close()
    assert "is using the database" in capsys.readouterr().err


def test_what_is_no_database_is_a_sentence(tmp_path, capsys):
    (tmp_path / "hs.db").write_text("dear diary, " * 100)
    assert status(SqliteSettings(tmp_path / "hs.db")) == 2
    assert "hs.db cannot be used: file is not a database" in capsys.readouterr().err
    assert status(SqliteSettings(tmp_path / "missing.db")) == 1
    assert status(MysqlSettings("hs", "hs", unix_socket=str(tmp_path / "nobody"))) == 2
    assert "hs at " in capsys.readouterr().err


def test_the_configuration_says_where_the_database_is():
    args = {"host": "db", "user": "u", "password": "secret", "database": "hs", "cp_max": 7}
    settings = settings_from(DatabaseConfig(name="mariadb", args=args))
    assert settings == MysqlSettings(database="hs", user="u", password="secret", host="db", pool_size=7)
    assert settings_from(DatabaseConfig(name="sqlite", synchronous="NORMAL")).synchronous == "NORMAL"
