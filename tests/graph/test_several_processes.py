"""Two graphs over one database, as two workers have them: each sees what the other has done, once it hears of it."""

import gevent
import pytest

from core.graph.graph import build_graph
from core.storage.interning import Interner
from core.storage.log import LogReader, LogTail
from core.storage.writer import Writer
from tests.graph.conftest import OUR_KEY, OUR_SERVER
from tests.graph.local_room import BEN, create_room, member, message


@pytest.fixture
def other(database):
    """Another process's graph, and what it does when it is woken: read the log on."""
    if not database.dialect.is_mysql:
        pytest.skip("SQLite has one process")
    tail = LogTail(LogReader(database).tip())
    writer = Writer(database, tail)
    writer.start()
    yield build_graph(database, writer, tail, Interner(database, writer), OUR_SERVER, OUR_KEY), tail
    writer.close()


def test_another_process_sees_what_was_appended(graph, other, log):
    reader, tail = other
    room = create_room(graph)
    assert len(reader.states.current(room.room_nid)) == 4
    since = log.tip()
    graph.write.send(room.room_nid, [member(BEN)])
    tail.feed(log.lines(since, log.tip()), log.tip())
    assert reader.states.current(room.room_nid) == graph.states.current(room.room_nid)
    assert len(reader.states.current(room.room_nid)) == 5


def test_processes_that_send_at_once_make_one_chain(graph, other):
    second, _ = other
    room = create_room(graph)
    writers = [gevent.spawn(g.write.send, room.room_nid, [message()]) for _ in range(10) for g in (graph, second)]
    gevent.joinall(writers, raise_error=True)
    events = [one.value[0] for one in writers]
    assert len({one.event.prev_event_ids for one in events}) == 20
    assert len({one.local_depth for one in events}) == 20


def test_a_process_that_heard_nothing_yet_still_builds_on_the_newest_event(graph, other):
    second, _ = other
    room = create_room(graph)
    second.write.send(room.room_nid, [message()])
    newest = graph.write.send(room.room_nid, [message()])[0]
    assert second.write.send(room.room_nid, [message()])[0].event.prev_event_ids == (newest.event_id,)
