"""A private MariaDB: its own data folder and socket, no network, started in about two seconds."""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

from core.storage.connections import MysqlSettings
from tests.services import program, start, stop, wait_until

SOCKET_VARIABLE = "TRELLIS_TEST_MARIADB"
"""Names the socket of a running instance: set for test runs started by tests, which then share it."""
NO_SUCH_THREAD = 1094
MEMORY_BYTES = 1 << 30
"""Free memory that the server's files want."""


class MariaDb:
    """A running server that holds one empty schema a test."""

    def __init__(self, unix_socket: str) -> None:
        self.unix_socket = unix_socket
        self._numbers = itertools.count(1)
        self._template: tuple[MysqlSettings, dict[str, list[tuple[object, ...]]]] | None = None

    @classmethod
    @contextmanager
    def started(cls, on_disk: bool = False) -> Iterator[MariaDb]:
        """A server for the length of the block, or the one SOCKET_VARIABLE names. Skips where it is not installed.

        Its files are in memory where the system allows, since each test makes tables; `on_disk` is for measuring.
        """
        if inherited := os.environ.get(SOCKET_VARIABLE):
            yield cls(inherited)
            return
        daemon, installer = program("mariadbd", "mysqld"), program("mariadb-install-db", "mysql_install_db")
        folder = Path(tempfile.mkdtemp(prefix="trellis-mariadb-", dir=None if on_disk else _memory_folder()))
        try:
            with _process(daemon, installer, folder) as unix_socket:
                os.environ[SOCKET_VARIABLE] = unix_socket
                yield cls(unix_socket)
        finally:
            os.environ.pop(SOCKET_VARIABLE, None)
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def schema(self, pool_size: int = 10) -> Iterator[MysqlSettings]:
        """A fresh schema for the length of the block."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        try:
            yield MysqlSettings(database=name, user="root", unix_socket=self.unix_socket, pool_size=pool_size)
        finally:
            self.run(f"DROP DATABASE {name}")

    @contextmanager
    def migrated_schema(self, migrate: Callable[[MysqlSettings], None]) -> Iterator[MysqlSettings]:
        """A schema as `migrate` makes it, for the length of the block; emptied and used again, which is much faster."""
        if self._template is None:
            name = f"t{os.getpid()}_migrated"
            self.run(f"DROP DATABASE IF EXISTS {name}")
            self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
            settings = MysqlSettings(database=name, user="root", unix_socket=self.unix_socket)
            migrate(settings)
            self._template = (
                settings,
                {table: self.run(f"SELECT * FROM {name}.{table}") for table in self._tables(name)},
            )
        settings, rows = self._template
        try:
            yield settings
        finally:
            self.kill_connections_to(settings.database)
            self._restore(settings.database, rows)

    def _tables(self, schema: str) -> list[str]:
        found = self.run(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'")
        return [str(name) for (name,) in found]

    def _restore(self, schema: str, rows: dict[str, list[tuple[object, ...]]]) -> None:
        connection = pymysql.connect(unix_socket=self.unix_socket, user="root", database=schema, ssl_disabled=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET foreign_key_checks = 0")
                for table in self._tables(schema):
                    if table not in rows:
                        cursor.execute(f"DROP TABLE {table}")
                        continue
                    cursor.execute(f"DELETE FROM {table}")
                    for row in rows[table]:
                        cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)
            connection.commit()
        finally:
            connection.close()

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement as the administrator."""
        connection = pymysql.connect(unix_socket=self.unix_socket, user="root", autocommit=True, ssl_disabled=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def kill_connections_to(self, schema: str) -> int:
        """Cut every connection that uses `schema`, as a restart of the server would; how many there were."""
        rows = self.run(f"SELECT id FROM information_schema.processlist WHERE db = '{schema}'")
        return sum(self._kill(number) for (number,) in rows)

    def _kill(self, connection: object) -> bool:
        try:
            self.run(f"KILL {connection}")
        except pymysql.err.OperationalError as error:
            if error.args[0] != NO_SUCH_THREAD:
                raise
            return False  # it ended by itself in the meantime
        return True


def _memory_folder() -> str | None:
    """A folder in memory with room for the server, or None."""
    folder = "/dev/shm"
    has_room = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > MEMORY_BYTES
    return folder if has_room else None


@contextmanager
def _process(daemon: str, installer: str, folder: Path) -> Iterator[str]:
    log, unix_socket = folder / "log", str(folder / "socket")
    common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
    small = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M", "--skip-log-bin"]
    installing = [installer, *common, *small, "--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(installing, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{installer} failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    process = start(
        [daemon, *common, *small, "--skip-networking", f"--socket={unix_socket}", f"--pid-file={folder / 'pid'}"], log
    )
    try:
        wait_until(lambda: _answers(unix_socket), process, log)
        yield unix_socket
    finally:
        stop(process)


def _answers(unix_socket: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(unix_socket)
            return bool(connection.recv(1))
        except OSError:
            return False
