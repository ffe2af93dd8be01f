"""What is kept of other servers, on both engines."""

from __future__ import annotations

import pytest

from core.ids import ServerName
from core.storage.destinations import DestinationStore, Outage
from core.storage.server_keys import PublishedKeys, ServerKeyStore

A, B = ServerName("a.org"), ServerName("A.org")


@pytest.fixture
def keys(database):
    return ServerKeyStore(database)


def published(server, fetched, text):
    return PublishedKeys(server, fetched, fetched + 10, text)


def keep(writer, keys, found, *key_ids):
    writer.submit(lambda transaction: keys.set(transaction, found, key_ids))


def test_a_key_is_found_in_the_newest_object_that_names_it(keys, writer):
    first, second = published(A, 1, b'{"1":1}'), published(A, 2, b'{"2":2}')
    keep(writer, keys, first, "ed25519:old", "ed25519:both")
    keep(writer, keys, second, "ed25519:both", "ed25519:BOTH")
    assert keys.find(A) == [second, first]
    keep(writer, keys, second, "ed25519:old")
    assert keys.find(A) == [second]
    assert keys.find(B) == []


def test_a_key_id_too_long_for_a_row_is_left_out(keys, writer):
    keep(writer, keys, published(A, 1, b"{}"), "ed25519:" + "x" * 250)
    assert keys.find(A) == []


def test_an_outage_is_set_changed_and_removed(database, writer):
    store, first, second = DestinationStore(database), Outage(A, 1, 1, 50), Outage(B, 2, 3, 40)
    for outage in (first, second):
        writer.submit(lambda transaction, one=outage: store.set(transaction, one))
    assert store.all() == [second, first]
    worse = Outage(A, 1, 2, 30)
    writer.submit(lambda transaction: store.set(transaction, worse))
    assert store.find(A) == worse
    writer.submit(lambda transaction: store.remove(transaction, A))
    assert (store.find(A), store.all()) == (None, [second])
