"""Matrix strings compare byte for byte, and come back as they were, on both engines."""

import pytest
from peewee import CompositeKey

from core.storage.database import Database
from core.storage.migrations import create_tables
from core.storage.tables import BigIntegerField, BytesField, HashField, IntegerField, MatrixStringField, Table
from core.storage.transaction import alone

LOOKALIKES = [
    "a",
    "A",
    "a ",
    " a",
    "a\0",
    "\0",
    "",
    "ä",
    "a\u0308",
    "ß",
    "ss",
    "😀",
    "😁",
    "x" * 255,
    "x" * 254,
    "%s",
    "?",
    "'\\",
]


class Sample(Table):
    text = MatrixStringField(255)
    number = IntegerField()
    big = BigIntegerField(null=True)
    body = BytesField(null=True)
    digest = HashField(null=True)

    class Meta:
        table_name = "samples"
        primary_key = CompositeKey("text", "number")


@pytest.fixture
def samples(database: Database) -> Database:
    with alone(database) as transaction:
        create_tables(Sample)(transaction)
    return database


def fill(database, *rows):
    with alone(database) as transaction:
        transaction.add_all(database.dialect.insert(Sample), rows)


def test_strings_that_look_alike_are_different_keys(samples):
    fill(samples, *[(text, 1, None, None, None) for text in LOOKALIKES])
    for text in LOOKALIKES:
        assert samples.rows("SELECT text FROM samples WHERE text = ?", (text,)) == [(text,)]


def test_strings_are_sorted_by_their_bytes(samples):
    fill(samples, *[(text, 1, None, None, None) for text in LOOKALIKES])
    found = [text for (text,) in samples.rows("SELECT text FROM samples ORDER BY text")]
    assert found == sorted(LOOKALIKES, key=str.encode)


def test_a_255_byte_id_of_astral_characters_fits(samples):
    text = "$" + "😀" * 63 + "é"
    assert len(text.encode()) == 255
    fill(samples, (text, 1, None, None, None))
    assert samples.value("SELECT text FROM samples") == text


def test_each_type_comes_back_as_itself(samples):
    row = ("text", 7, 2**62, b'{"a":"\xff\x00"}', bytes(31) + b" ")
    fill(samples, row)
    found = samples.row("SELECT text, number, big, body, digest FROM samples")
    assert found == row
    assert [type(value) for value in found] == [str, int, int, bytes, bytes]


def test_nothing_is_none(samples):
    fill(samples, ("t", 1, None, None, None))
    assert samples.row("SELECT big, body, digest FROM samples") == (None, None, None)


def test_literals_and_aggregates_have_python_types(samples):
    fill(samples, ("t", 1, 5, None, None), ("u", 2, 6, None, None))
    assert samples.row("SELECT COUNT(*), MAX(big), MAX(text), 'x' FROM samples") == (2, 6, "u", "x")


def test_a_long_list_of_ids_is_found_whole(samples):
    fill(samples, *[(str(n), n, None, None, None) for n in range(1201)])
    found = samples.rows_in(
        "SELECT number FROM samples WHERE text IN ({}) AND number >= ?", map(str, range(1201)), (), (1,)
    )
    assert sorted(found) == [(n,) for n in range(1, 1201)]


def test_an_upsert_replaces_the_row_and_keeps_what_it_is_told_to(samples):
    fill(samples, ("t", 1, 1, b"old", None))
    with alone(samples) as transaction:
        transaction.add(samples.dialect.upsert(Sample, keep=("big",)), ("t", 1, 2, b"new", None))
    assert samples.rows("SELECT big, body FROM samples") == [(1, b"new")]


def test_insert_new_leaves_an_existing_row_alone(samples):
    fill(samples, ("t", 1, 1, b"old", None))
    with alone(samples) as transaction:
        transaction.add_all(samples.dialect.insert_new(Sample), [("t", 1, 2, b"new", None), ("u", 1, 2, b"new", None)])
    assert samples.rows("SELECT text, body FROM samples ORDER BY text") == [("t", b"old"), ("u", b"new")]


def test_a_write_counts_the_rows_it_matched_though_nothing_changed(samples):
    fill(samples, ("t", 1, 1, None, None), ("t", 2, 1, None, None))
    with alone(samples) as transaction:
        assert transaction.run("UPDATE samples SET big = ? WHERE text = ?", (1, "t")) == 2
        assert transaction.run("UPDATE samples SET big = ? WHERE text = ?", (1, "T")) == 0


def test_a_rare_query_may_be_built_with_peewee(samples):
    fill(samples, ("t", 1, 5, None, None), ("T", 1, 6, None, None))
    query = Sample.select(Sample.big).where((Sample.text == "T") & (Sample.number.in_([1, 2])))
    assert samples.select(query) == [(6,)]
