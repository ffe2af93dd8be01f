"""What is stored, and what is read, grows with what has changed and with nothing else."""

from core.events.room_versions import V10
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft
from core.graph.stored_event import StateRef
from tests.graph.local_room import ANNA, create_room, message
from tests.graph.replay import ALICE, BOB, Recorder, Replayer


def rows_of(database, room):
    """Rows of changes, and of lines, of one room."""
    changes = database.value(
        "SELECT COUNT(*) FROM state_changes c JOIN state_lines l ON l.line_nid = c.line_nid WHERE l.room_nid = ?",
        (room,),
    )
    return changes, database.value("SELECT COUNT(*) FROM state_lines WHERE room_nid = ?", (room,))


def test_messages_store_no_state(graph, database):
    room = create_room(graph).room_nid
    before = rows_of(database, room)
    for number in range(20):
        graph.write.send(room, [message(body=str(number))])
    assert rows_of(database, room) == before


def test_a_netsplit_stores_each_change_twice_at_most(graph, open_graph, database):
    record = Recorder(V10)
    start = record.start(BOB)
    replayer = Replayer(graph, V10, record.room_id, open_graph)
    graph.write.append(replayer.room, [Admission(one) for one in start])
    sides = {}
    for user, auth in ((ALICE, start[:3]), (BOB, [start[0], start[2], start[4]])):
        side = [start[-1]]
        for number in range(300):
            key = str(number) if number % 3 == 0 else f"{number} {user}"
            side.append(record.event("x.state", user, {"n": number}, side[-1:], key, auth=auth, is_noted=False))
        sides[user] = side[1:]
    for first in range(0, 300, 50):
        for side in sides.values():
            graph.write.append(replayer.room, [Admission(one) for one in side[first : first + 50]])
    changes, lines = rows_of(database, replayer.room)
    assert changes <= 2 * 600 + 100 + len(start)
    assert lines <= 3


def test_a_long_history_is_read_from_its_nearest_keyframe(graph, open_graph, database, monkeypatch):
    room = create_room(graph).room_nid
    for first in range(0, 600, 50):
        graph.write.send(room, [Draft("x.counter", ANNA, {"n": first + n}, "") for n in range(50)])
    cold = open_graph()
    line = cold.states.current(room).ref.line
    read = []
    real = type(database).rows
    monkeypatch.setattr(type(database), "rows", lambda *a: (found := real(*a), read.append(len(found)))[0])
    state = cold.states.at(StateRef(line, 480))
    assert len(state) == 5
    assert sum(read) < 150


def test_what_events_took_the_place_of_is_one_query_and_then_none(graph, open_graph, database, monkeypatch):
    room = create_room(graph).room_nid
    sent = graph.write.send(room, [Draft("x.counter", ANNA, {"n": n}, str(n % 2)) for n in range(10)])
    cold = open_graph()
    events = list(cold.events.by_nids([one.nid for one in sent]).values())
    asked = []
    real = type(database).rows
    monkeypatch.setattr(type(database), "rows", lambda *a: asked.append(a[1]) or real(*a))
    for _ in range(2):
        replaced = cold.states.replaced_by(events)
        assert replaced == {one.nid: former.nid for former, one in zip(sent, sent[2:], strict=False)}
    assert len(asked) == 1
