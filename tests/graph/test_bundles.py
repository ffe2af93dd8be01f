"""Bundled aggregations over a real graph: what is kept in memory always says what the rows say, and spares queries."""

import random

import orjson
import pytest

from core.graph.client_events import ClientEvents, Viewer
from core.graph.drafts import Draft
from core.graph.viewing import Viewing
from core.rooms.bundles import RelationBundles
from core.storage.log import Kind, Line
from core.storage.related_events import RelatedEventStore
from tests.graph.local_room import ANNA, BEN, create_room, member, message


class Reader:
    """Somebody who reads with bundles of their own."""

    def __init__(self, graph, database, ignored=()):
        viewing = Viewing(graph.states)
        self.graph = graph
        self.bundles = RelationBundles(
            RelatedEventStore(database), graph.events, graph.texts, viewing, lambda _user: ignored
        )
        self.client = ClientEvents(graph.events, graph.states, viewing, graph.transaction_ids, self.bundles)

    def relations(self, events, user=ANNA):
        """`m.relations` of each event; times left out, since they pass."""
        fresh = [self.graph.events.by_nid(event.nid) for event in events]
        rendered = self.client.render(fresh, Viewer(self.graph.texts.nid(user), user))
        return [_timeless(orjson.loads(one)["unsigned"].get("m.relations", {})) for one in rendered]


def _timeless(value):
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key != "age"}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
def reader(graph, database, tail):
    reader = Reader(graph, database)
    tail.follow(reader.bundles.follow)
    yield reader
    tail.unfollow(reader.bundles.follow)


@pytest.fixture
def queries(database, monkeypatch):
    """The statements that were read since the test cleared the list."""
    asked = []
    rows = database.rows
    monkeypatch.setattr(database, "rows", lambda sql, params=(): asked.append(sql) or rows(sql, params))
    return asked


def related(parent, rel_type, sender=ANNA, kind="m.room.message"):
    content = {"body": "x", "m.relates_to": {"event_id": parent.event_id, "rel_type": rel_type}}
    if rel_type == "m.replace":
        content["m.new_content"] = {"body": "y"}
    return Draft(kind, sender, content)


def test_a_room_without_relations_costs_no_query(graph, reader, queries):
    room = create_room(graph)
    events = graph.write.send(room.room_nid, [message(), message()])
    reader.relations(events)
    queries.clear()
    events += graph.write.send(room.room_nid, [message()])
    assert reader.relations(events) == [{}, {}, {}]
    assert [sql for sql in queries if "relations" in sql] == []


def test_a_page_with_relations_is_summed_up_once(graph, reader, queries):
    room = create_room(graph)
    events = graph.write.send(room.room_nid, [message(), message()])
    graph.write.send(room.room_nid, [related(events[0], "m.thread")])
    reader.relations(events)
    queries.clear()
    graph.write.send(room.room_nid, [related(events[0], "m.reference"), related(events[1], "m.replace")])
    first, second = reader.relations(events)
    assert (set(first), set(second)) == ({"m.thread", "m.reference"}, {"m.replace"})
    assert [sql for sql in queries if "relations" in sql] == []


def test_a_relation_from_another_process_is_noticed(graph, reader, open_graph, monkeypatch):
    room = create_room(graph)
    (event,) = graph.write.send(room.room_nid, [message()])
    assert reader.relations([event]) == [{}]
    monkeypatch.setattr(reader.bundles, "follow", lambda lines: None)
    (child,) = graph.write.send(room.room_nid, [related(event, "m.reference")])
    graph.events.drop([child.nid])
    RelationBundles.follow(reader.bundles, [Line(Kind.EVENT, room.room_nid, child.nid)])
    assert reader.relations([event]) == [{"m.reference": {"chunk": [{"event_id": child.event_id}]}}]


def test_a_relation_across_rooms_does_not_count(graph, reader):
    room, other = create_room(graph), create_room(graph)
    (event,) = graph.write.send(room.room_nid, [message()])
    graph.write.send(other.room_nid, [related(event, "m.thread"), related(event, "m.replace")])
    graph.write.send(room.room_nid, [related(event, "m.annotation")])
    assert reader.relations([event]) == [{}]


@pytest.mark.parametrize("seed", range(6))
def test_memory_says_what_the_rows_say_after_every_step(graph, reader, database, seed):
    dice = random.Random(seed)
    room = create_room(graph)
    graph.write.send(room.room_nid, [member(BEN)])
    events = graph.write.send(room.room_nid, [message(), message(BEN)])
    for _ in range(25):
        rel_type = dice.choice(["m.thread", "m.replace", "m.reference", "m.annotation", "m.thread"])
        parent, sender = dice.choice(events), dice.choice([ANNA, BEN])
        draft = related(parent, rel_type, sender)
        if dice.random() < 0.25:
            draft = Draft("m.room.redaction", ANNA, {}, redacts=dice.choice(events).event_id)
        events += graph.write.send(room.room_nid, [draft])
        for user in (ANNA, BEN):
            assert reader.relations(events, user) == Reader(graph, database).relations(events, user)
    without_ben = Reader(graph, database, ignored=[BEN]).relations(events)
    assert BEN not in str([one.get("m.thread") for one in without_ben])
