"""kill -9 at any moment: nothing acknowledged is lost, and a migration is finished by the next start."""

import random
import subprocess
import sys
from pathlib import Path

from core.storage.connections import SqliteSettings

ROOT = Path(__file__).parents[2]


def lives(what, settings, *more):
    """What `tests.storage.lives` printed."""
    if isinstance(settings, SqliteSettings):
        where = ["sqlite", str(settings.path)]
    else:
        where = ["mysql", settings.unix_socket, settings.database]
    command = [sys.executable, "-m", "tests.storage.lives", what, *where, *map(str, more)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_no_acknowledged_write_is_lost_in_a_hundred_kills(database, log):
    seed = random.randrange(1_000_000)
    count = 100 if isinstance(database.settings, SqliteSettings) else 25
    acknowledged = [line.split() for line in lives("writes", database.settings, count, seed) if " " in line]
    promised = {int(reference): int(position) for reference, position in acknowledged}
    logged = {line.reference: line.position for line in log.lines(0, 2**62, limit=10_000_000)}
    written = {
        int(name) for (name,) in database.rows("SELECT name FROM facts WHERE name NOT IN ('server_name', 'owner')")
    }
    print(f"{len(promised)} acknowledged, {len(written)} written, seed {seed}")
    assert len(promised) > count
    assert {reference: logged.get(reference) for reference in promised} == promised
    assert written == logged.keys()


def test_a_migration_killed_at_any_statement_is_finished_by_the_next_start(database_settings):
    rows = [line.split("\t") for line in lives("migrations", database_settings)]
    statuses = [int(status) for _, status, _, _ in rows]
    assert len(rows) > 15
    assert statuses == [9] * (len(rows) - 1) + [0]
    assert {int(resumed) for _, _, resumed, _ in rows} == {0}
    assert len({schema for _, _, _, schema in rows}) == 1
