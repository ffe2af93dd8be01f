"""The directory's rows are searched, filtered and paged the same on both engines."""

import pytest

from core.storage.room_aliases import PublishedRoomStore
from core.storage.room_stats import RoomStats, RoomStatsStore, Wanted

JOINED = {1: 5, 2: 9, 3: 5, 4: 1, 5: 7, 6: 0}


@pytest.fixture
def stats(database, writer):
    store, published = RoomStatsStore(database), PublishedRoomStore(database)

    def fill(transaction):
        for nid, joined in JOINED.items():
            sql = "INSERT INTO rooms VALUES (?, ?, '11', 0, ?, 0, 0, ?, 0)"
            transaction.run(sql, (nid, f"!{nid}:x", nid, joined))
            published.set(transaction, nid, True, "" if nid != 4 else "irc|net")
        rooms = [
            RoomStats(nid, nid != 5, "m.space" if nid == 3 else None, f"tëxt 好 {nid}".encode(), b"{}")
            for nid in JOINED
        ]
        store.put(transaction, rooms)
        store.put(transaction, rooms)

    writer.submit(fill)
    return store


def listed(stats, wanted=None, beyond=None, is_backwards=False, limit=10):
    return [one.room_nid for one in stats.listed(wanted or Wanted(), beyond, is_backwards, limit)]


def test_the_largest_come_first_and_pages_go_both_ways(stats):
    assert listed(stats) == [2, 1, 3]
    assert listed(stats, beyond=(5, 1)) == [3]
    assert listed(stats, beyond=(5, 3), is_backwards=True) == [1, 2]
    assert listed(stats, beyond=(9, 2), limit=1) == [1]


def test_words_types_and_networks_narrow_the_list(stats):
    assert listed(stats, Wanted(words=["好".encode(), b"3"])) == [3]
    assert listed(stats, Wanted(words=["Ë".encode()])) == []
    assert listed(stats, Wanted(types=["m.space"])) == [3]
    assert listed(stats, Wanted(types=[None])) == [2, 1]
    assert listed(stats, Wanted(types=[])) == []
    assert listed(stats, Wanted("irc|net")) == [4]
    assert listed(stats, Wanted(None)) == [2, 1, 3, 4]
    assert stats.count(Wanted(None)) == 4


def test_rooms_with_a_state_are_listed_in_parts(stats):
    assert stats.rooms_with_state(0, 4) == [1, 2, 3, 4]
    assert stats.rooms_with_state(4, 4) == [5, 6]
