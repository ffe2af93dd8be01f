"""What the MySQL dialect is sent must be understood by MySQL 8 and MariaDB 10.11 alike.

No MySQL can be installed where these tests run, so the text is looked at instead: every statement in the code, and the
names of tables and columns, which MySQL 8 reserves more of.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import core.storage
from core.storage.migrations.migrating import core_migrations
from core.storage.sql import Dialect, column_names, table_name
from core.storage.tables import Table

ROOT = Path(__file__).parents[2]
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|WITH|SET)\s")
NOT_SHARED = {
    "RETURNING": "MySQL has none",
    "NEXTVAL": "MySQL has no sequences",
    "LASTVAL": "MySQL has no sequences",
    "CREATE SEQUENCE": "MySQL has no sequences",
    "CREATE OR REPLACE TABLE": "MySQL has none",
    "SYSTEM_TIME": "MySQL has no system versioning",
    "SET STATEMENT": "MySQL has none",
    "ROWS EXAMINED": "MySQL has none",
    "ADD COLUMN IF NOT EXISTS": "MySQL has none",
    "DROP COLUMN IF EXISTS": "MySQL has none",
    "INET6": "MySQL has no such type",
    "INTERSECT": "MySQL has it since 8.0.31 only",
    "EXCEPT": "MySQL has it since 8.0.31 only",
    "SKIP LOCKED": "SQLite and older MariaDB have none",
    "JSON_TABLE": "SQLite has none",
    "NULLS FIRST": "MySQL has none",
    "NULLS LAST": "MySQL has none",
    "FULL OUTER": "MySQL has none",
    "ILIKE": "MySQL has none",
    "||": "MySQL takes it for OR",
}
_RESERVED = """
cube cume_dist dense_rank empty except first_value function grouping groups intersect json_table lag
last_value lateral lead manual nth_value ntile of over parallel percent_rank qualify rank recursive row
row_number rows stored system tablesample virtual window
"""
RESERVED_BY_MYSQL_8 = frozenset(_RESERVED.split())
SQLITE_ONLY = (
    "UPDATE sequences SET value = value + ? WHERE name = ? RETURNING value",
    "SELECT COUNT(*) - COUNT(DISTINCT kind || ",
)
"""Beginnings of statements that stand behind a look at the dialect."""


def statements() -> Iterator[tuple[str, str]]:
    """(where, SQL) of every literal in the code that begins like a statement; what is formatted in is left out."""
    for path in sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("plugins/**/*.py")]):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            text = None
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if text and STATEMENT.match(text):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


FOUND = list(statements())


def tables() -> list[type[Table]]:
    core_migrations()  # which import the modules of all tables
    assert core.storage
    return sorted(Table.__subclasses__(), key=table_name)


def test_the_search_finds_the_statements() -> None:
    assert len(FOUND) > 300


@pytest.mark.parametrize("words", NOT_SHARED, ids=str)
def test_no_statement_needs_what_only_one_engine_has(words: str) -> None:
    pattern = re.compile(rf"(?<![\w']){re.escape(words)}(?![\w'])" if words != "||" else r"\|\|")
    guilty = [(where, sql) for where, sql in FOUND if pattern.search(sql) and not sql.startswith(SQLITE_ONLY)]
    assert guilty == [], NOT_SHARED[words]


def test_no_table_or_column_has_a_name_that_mysql_8_reserves() -> None:
    names = {name for table in tables() for name in (table_name(table), *column_names(table))}
    assert len(names) > 200
    assert {name.lower() for name in names} & RESERVED_BY_MYSQL_8 == set()
    aliases = {(where, name) for where, sql in FOUND for name in re.findall(r"\b[Aa][Ss] (\w+)", sql)}
    assert [one for one in aliases if one[1].lower() in RESERVED_BY_MYSQL_8] == []


def test_tables_are_made_in_words_that_mysql_knows() -> None:
    dialect = Dialect("mysql")
    made = [statement for table in tables() for statement in dialect.schema(table)]
    assert [sql for sql in made if sql.startswith("CREATE INDEX IF NOT EXISTS")] == []
    assert [sql for sql in made if sql.startswith("CREATE UNIQUE INDEX IF NOT EXISTS")] == []
    assert [sql for sql in made if any(words in sql for words in ("WITHOUT ROWID", "RETURNING", "UUID"))] == []
