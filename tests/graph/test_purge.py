"""Purge: history goes, and what remains still has the states it had."""

from random import Random

import pytest

from core.errors import InvalidParam
from core.events.room_versions import V1, V10, V12
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft
from core.graph.stored_event import Place
from tests.graph.local_room import ANNA, create_room, message
from tests.graph.replay import ALICE, BOB, CAROL, Recorder
from tests.graph.test_random_rooms import any_order, record_room


def purge(replayer, first_kept):
    """Purge, and let the oracle lose the same history: what is kept has the state it had."""
    graph, oracle = replayer.graph, replayer.oracle
    boundary = graph.events.get(first_kept.event_id)
    extremities = oracle.extremities()
    places = {one: graph.events.get(one) for one in oracle.known if replayer.has_place(one)}
    gone = [
        one
        for one, stored in places.items()
        if (stored.local_depth, stored.nid) < (boundary.local_depth, boundary.nid) and one not in extremities
    ]
    graph.purger.purge(replayer.room, boundary)
    replayer.lose(gone)
    return gone


def test_what_remains_has_the_state_it_had(replay):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    for number in range(6):
        events += [record.name(ALICE, events[-1:], str(number))]
        events += [record.message(BOB, events[-1:])]
    replayer = replay(record)
    replayer.feed(*events)
    purge(replayer, events[-3])
    replayer.compare(replayer.graph)
    replayer.compare_cold()
    replayer.feed(record.name(ALICE, events[-1:], "after the purge"))
    replayer.compare_cold()


def test_what_nothing_rests_on_is_really_gone(replay, graph, database):
    record = Recorder(V12)
    events = record.start(BOB)
    events += [record.message(BOB, events[-1:])]
    events += [record.message(BOB, events[-1:])]
    replayer = replay(record)
    replayer.feed(*events)
    purge(replayer, events[-1])
    assert graph.events.by_id(events[-2].event_id) is None
    assert graph.events.get(events[0].event_id).is_outlier
    assert graph.history.gaps_in(replayer.room)[0].missing == (events[-2].event_id,)
    assert database.value("SELECT COUNT(*) FROM log WHERE kind = 1 AND subject = ?", (replayer.room,)) == 1


def test_paging_back_ends_at_the_boundary_with_its_gap(replay, graph, tip):
    record = Recorder(V10)
    events = record.start(BOB)
    events += [record.message(BOB, events[-1:])]
    events += [record.message(BOB, events[-1:])]
    replayer = replay(record)
    replayer.feed(*events)
    purge(replayer, events[-2])
    page = graph.history.page(replayer.room, graph.history.token_at(replayer.room, tip()), True, 10)
    assert [one.event_id for one in page.events] == [events[-1].event_id, events[-2].event_id]
    assert page.gap is not None
    assert page.gap.event.event_id == events[-2].event_id


@pytest.mark.parametrize("version", [V1, V10, V12], ids=lambda version: version.id)
@pytest.mark.parametrize("seed", range(4))
def test_a_random_room_is_purged_while_it_grows(replay, version, seed):
    random = Random(seed)
    record, events = record_room(version, random, steps=40)
    ordered = any_order(events, random)
    replayer = replay(record)
    cuts = sorted(random.sample(range(10, len(ordered)), 2))
    for number, event in enumerate(ordered):
        here = replayer.graph.events.by_ids(event.auth_event_ids)
        if len(here) == len(event.auth_event_ids) and all(map(replayer.has_place, event.prev_event_ids)):
            replayer.feed(event)
        if number in cuts:
            places = [one for one in replayer.oracle.known if replayer.has_place(one)]
            purge(replayer, replayer.oracle.known[random.choice(places)])
            replayer.compare(replayer.graph)
    replayer.compare_cold()


def test_an_interrupted_purge_is_taken_up_again(replay, open_graph, graph, monkeypatch):
    record = Recorder(V10)
    events = record.start(BOB)
    events += [record.message(BOB, events[-1:])]
    events += [record.message(BOB, events[-1:])]
    replayer = replay(record)
    replayer.feed(*events)
    with monkeypatch.context() as patch:
        patch.setattr(graph.purger, "_cut_lines", lambda purge: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            graph.purger.purge(replayer.room, graph.events.get(events[-1].event_id))
    again = open_graph()
    again.purger.resume()
    assert again.events.by_id(events[-2].event_id) is None
    assert again.history.gaps_in(replayer.room)


def test_an_outlier_is_no_boundary(replay, graph):
    record = Recorder(V10)
    replayer = replay(record)
    events = record.start(BOB)
    replayer.feed(*events)
    purge(replayer, events[-1])
    with pytest.raises(InvalidParam, match="no place in the history"):
        graph.purger.purge(replayer.room, graph.events.get(events[0].event_id))


def test_purged_history_can_be_fetched_again(replay, graph, tip):
    record = Recorder(V10)
    events = record.start(BOB)
    for number in range(4):
        events += [record.message(BOB, events[-1:], str(number))]
    replayer = replay(record)
    replayer.feed(*events)
    purge(replayer, events[-1])
    oldest = events[2]
    replayer.step([Admission(one, Place.OUTLIER) for one in events[:2]])
    replayer.step(
        [Admission(oldest, Place.BACKFILLED, None, record.state_before(oldest))]
        + [Admission(one, Place.BACKFILLED) for one in events[3:-1]]
    )
    page = graph.history.page(replayer.room, graph.history.token_at(replayer.room, tip()), True, 99)
    assert [one.event_id for one in page.events] == [one.event_id for one in events[2:]][::-1]
    replayer.compare_cold()


def test_the_space_is_given_back(graph, database):
    if database.dialect.is_mysql:
        graph.purger.shrink()
        return
    room = create_room(graph)
    big = [graph.write.send(room.room_nid, [message(body="x" * 30_000)])[0] for _ in range(60)]
    graph.purger.shrink()
    before = database.settings.path.stat().st_size
    graph.purger.purge(room.room_nid, big[-1])
    graph.purger.shrink()
    assert before - database.settings.path.stat().st_size > 1_500_000


def test_events_whose_time_is_over_lose_their_content(graph, open_graph):
    room = create_room(graph)
    sent = graph.write.send(room.room_nid, [message()])[0]
    graph.purger.expire(room.room_nid, [sent, *room.events])
    expired = open_graph().events.get(sent.event_id)
    assert (dict(expired.content), expired.is_redacted, expired.redacted_by) == ({}, True, None)
    graph.write.send(room.room_nid, [message()])


def test_the_auth_chain_of_what_remains_stays(replay, graph):
    record = Recorder(V10)
    events = record.start(BOB)
    events += [record.levels(ALICE, events[-1:], alice=100, bob=25)]
    events += [record.message(BOB, events[-1:])]
    replayer = replay(record)
    replayer.feed(*events)
    purge(replayer, events[-1])
    assert graph.events.get(events[2].event_id).is_outlier


def test_a_delta_is_kept_whole_or_goes(graph, database):
    room = create_room(graph).room_nid
    sent = graph.write.send(room, [Draft("x.state", ANNA, {}, str(n)) for n in range(6)])
    graph.purger.purge(room, sent[3])
    deltas = database.rows("SELECT line_nid, after_index, upto_index FROM state_deltas WHERE room_nid = ?", (room,))
    counted = "SELECT COUNT(*) FROM state_changes WHERE line_nid = ? AND line_index > ? AND line_index <= ?"
    assert deltas
    assert [database.value(counted, delta) for delta in deltas] == [upto - after for _, after, upto in deltas]
