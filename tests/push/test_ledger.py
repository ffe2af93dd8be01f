"""The ledger in this process: what a message costs in rows, what purges and bounds do, and what is read back."""

from __future__ import annotations

import orjson
import pytest

from core.graph.drafts import Draft
from core.storage import notification_counts
from core.storage.account_data import AccountDataStore
from core.storage.notification_counts import CountStore
from tests.graph.local_room import ANNA, BEN, message
from tests.push.conftest import MEMBERS
from tests.push.counting import Counting, nid, total

HIGHLIGHT = {"set_tweak": "highlight"}


@pytest.fixture
def counting(database, writer, tail, graph):
    return Counting(database, writer, tail, graph)


def test_a_message_costs_one_row_whatever_the_number_of_members(counting, graph, room):
    graph.write.send(room, [message(ANNA)])
    counting.write()
    assert (counting.rows("notified_events"), counting.rows("user_notifications")) == (1, 0)
    assert {total(counting, graph, user, room) for user in MEMBERS} == {(1, 0)}


def test_a_mention_costs_a_row_for_whom_it_mentions(counting, graph, room):
    content = {"body": "x", "msgtype": "m.text", "m.mentions": {"user_ids": [BEN, MEMBERS[0], "@gone:here.test"]}}
    draft = message(ANNA)
    graph.write.send(room, [type(draft)(draft.type, ANNA, content)])
    counting.write()
    assert (counting.rows("notified_events"), counting.rows("user_notifications")) == (1, 2)


def test_a_muted_room_costs_no_row_at_all(counting, graph, room, writer):
    about = {"kind": "event_match", "key": "room_id", "pattern": graph.rooms.name(room).room_id}
    mute = {"rule_id": "mute", "default": False, "enabled": True, "actions": [], "conditions": [about]}
    counting.rules.put(nid(graph, BEN), "override", mute, None)
    graph.write.send(room, [message(ANNA), message(ANNA)])
    counting.write()
    assert counting.rows("user_notifications") == 0
    assert total(counting, graph, BEN, room) == (0, 0)


def test_counts_from_memory_are_those_from_the_database(counting, graph, room):
    graph.write.send(room, [message(ANNA), message(BEN), message(ANNA)])
    counting.follow()
    from_memory = [total(counting, graph, user, room) for user in (ANNA, BEN, MEMBERS[0])]
    counting.write()
    for user in (ANNA, BEN, MEMBERS[0]):
        counting.ledger.forget_room(room)
        assert total(counting, graph, user, room) == from_memory.pop(0)


def test_purged_messages_count_no_more(counting, graph, room):
    sent = graph.write.send(room, [message(ANNA, str(number)) for number in range(5)])
    graph.purger.follow(counting.ledger.forget_room)
    counting.write()
    assert total(counting, graph, BEN, room) == (5, 0)
    graph.purger.purge(room, sent[3])
    assert total(counting, graph, BEN, room) == (2, 0)


def test_a_room_keeps_so_many_rows_and_no_more(counting, graph, room, writer, monkeypatch):
    monkeypatch.setattr(notification_counts, "ROOM_ROWS", 3)
    graph.write.send(room, [message(ANNA, str(number)) for number in range(8)])
    counting.write()
    writer.submit(lambda transaction: CountStore(counting._database).trim_room(transaction, room))
    counting.ledger.forget_room(room)
    assert total(counting, graph, BEN, room) == (3, 0)


def test_a_list_of_ignored_users_counts_from_when_it_is_set(counting, graph, room, database, writer):
    graph.write.send(room, [message(ANNA)])
    counting.write()
    content = orjson.dumps({"ignored_users": {ANNA: {}}})
    store = AccountDataStore(database)
    writer.submit(lambda transaction: store.set(transaction, nid(graph, BEN), "m.ignored_user_list", content))
    graph.write.send(room, [message(ANNA), message(MEMBERS[0])])
    counting.write()
    assert total(counting, graph, BEN, room) == (2, 0)
    assert total(counting, graph, MEMBERS[1], room) == (3, 0)


def test_who_begins_to_count_alone_while_something_is_written_goes_on_so(counting, graph, room, writer):
    content = {"body": "x", "msgtype": "m.text", "m.mentions": {"user_ids": [BEN]}}
    loud = {"rule_id": "loud", "default": False, "enabled": True, "pattern": "x", "actions": ["notify", HIGHLIGHT]}
    counting.rules.put(nid(graph, BEN), "content", loud, None)
    graph.write.send(room, [message(ANNA, "y")])
    apply = counting.handled()
    graph.write.send(room, [Draft("m.room.message", ANNA, content)])  # the very next line of the log
    counting.follow()
    writer.submit(apply)
    counting.write()
    counting.ledger.forget_room(room)
    assert total(counting, graph, BEN, room) == (2, 1)
