"""History order: every visible event once, late branches and filled gaps included."""

from random import Random

import pytest

from core.errors import InvalidParam
from core.events.room_versions import V10
from core.graph.appending.admission import Admission
from core.graph.history import HistoryToken
from core.graph.stored_event import Place
from core.graph.viewing import Viewing
from core.ids import Position
from tests.graph.local_room import ANNA, create_room, message
from tests.graph.replay import ALICE, BOB, CAROL, DAVE, Recorder
from tests.graph.test_random_rooms import any_order, record_room


def all_pages(graph, room, start, backwards=True, limit=3):
    """Every event from a token on, page by page."""
    found, token = [], start
    while token is not None:
        page = graph.history.page(room, token, backwards, limit)
        assert len(page.events) <= limit
        found += page.events
        token = page.end
    return found


def test_tokens_survive_being_written_and_read():
    for token in (HistoryToken(-5, 7, Position(9)), HistoryToken(2**62, 0, Position(0))):
        assert HistoryToken.parse(str(token)) == token
    with pytest.raises(InvalidParam, match="look like"):
        HistoryToken.parse("s5_1")


def test_paging_back_and_forward_shows_every_event_once(graph, tip):
    room = create_room(graph)
    sent = [graph.write.send(room.room_nid, [message(body=str(n))])[0] for n in range(10)]
    events = [one.event_id for one in [*room.events, *sent]]
    back = all_pages(graph, room.room_nid, graph.history.token_at(room.room_nid, tip()))
    forward = all_pages(graph, room.room_nid, graph.history.start(), backwards=False)
    assert [one.event_id for one in back] == events[::-1]
    assert [one.event_id for one in forward] == events


@pytest.mark.parametrize("seed", range(5))
def test_timelines_and_the_pages_before_them_show_each_event_once(replay, graph, log, seed):
    random = Random(seed)
    record, events = record_room(V10, random, steps=30)
    replayer = replay(record)
    replayer.feed(*any_order(events, random))
    visible = {one for one in replayer.oracle.known if graph.events.get(one).is_visible}
    timeline = graph.history.timeline(replayer.room, Position(0), log.tip(), random.randint(1, 20))
    before = all_pages(graph, replayer.room, timeline.prev_batch)
    shown = [one.event_id for one in [*timeline.events, *before]]
    assert len(shown) == len(set(shown))
    assert set(shown) == visible


def test_a_late_branch_is_left_to_the_sync_that_tells_of_it(replay, graph, tip):
    record = Recorder(V10)
    events = record.start(BOB)
    later = [*events, record.message(ALICE, events[-1:])]
    later.append(record.message(ALICE, later[-1:]))
    late = record.message(BOB, events[-1:])
    replayer = replay(record)
    replayer.feed(*later)
    token = graph.history.token_at(replayer.room, tip())
    replayer.feed(late)
    assert late.event_id not in {one.event_id for one in all_pages(graph, replayer.room, token)}
    now = graph.history.token_at(replayer.room, tip())
    assert {one.event_id for one in all_pages(graph, replayer.room, now)} == {one.event_id for one in [*later, late]}


def test_a_gap_begins_the_timeline_anew_and_what_fills_it_is_paged_below(replay, graph, tip):
    record = Recorder(V10)
    events = record.start(BOB)
    unseen = [record.message(ALICE, events[-1:], "1")]
    for number in range(2, 5):
        unseen.append(record.message(ALICE, unseen[-1:], str(number)))
    after = record.message(BOB, unseen[-1:])
    replayer = replay(record)
    replayer.feed(*events)
    since = tip()
    replayer.feed(after, state=record.state_before(after))
    timeline = graph.history.timeline(replayer.room, since, tip(), 10)
    assert (timeline.limited, [one.event_id for one in timeline.events]) == (True, [after.event_id])
    assert graph.history.rooms_with_holes(10) == [replayer.room]
    token = graph.history.token_at(replayer.room, tip())
    replayer.step([Admission(one, Place.BACKFILLED) for one in unseen])
    expected = [one.event_id for one in [*events, *unseen, after]][::-1]
    assert [one.event_id for one in all_pages(graph, replayer.room, token)] == expected
    assert graph.history.gaps_in(replayer.room) == []
    assert graph.history.rooms_with_holes(10) == []


def test_history_is_put_below_everything_that_follows_it(replay, graph):
    record = Recorder(V10)
    events = record.start(BOB)
    unseen = record.message(ALICE, events[-1:])
    first, second = record.message(BOB, [unseen], "1"), record.message(BOB, [unseen], "2")
    replayer = replay(record)
    replayer.feed(*events)
    replayer.feed(first, state=record.state_before(first))
    replayer.feed(second, state=record.state_before(second))
    replayer.step([Admission(unseen, Place.BACKFILLED)])
    depths = [graph.events.get(one.event_id).local_depth for one in (events[-1], unseen, first, second)]
    assert depths == sorted(set(depths))


@pytest.mark.parametrize("size", [1, 2, 7])
def test_history_before_our_join_is_in_order_however_it_is_fetched(replay, graph, tip, size):
    record = Recorder(V10)
    past = record.start(BOB)
    for number in range(10):
        past.append(record.message(BOB, past[-1:], str(number)))
    join = record.member(DAVE, past[-1:])
    replayer = replay(record)
    state = record.state_before(join)
    replayer.enter(join, state, [one for one in past if one.event_id in state.values()])
    token = graph.history.token_at(replayer.room, tip())
    (gap,) = graph.history.gaps_in(replayer.room)
    assert (graph.history.is_hole(gap), graph.history.rooms_with_holes(10)) == (False, [])
    newest_first = past[::-1]
    while newest_first:
        chunk, newest_first = newest_first[:size], newest_first[size:]
        oldest = chunk[-1]
        fetched = record.state_before(oldest)
        replayer.step(
            [Admission(one, Place.BACKFILLED, None, fetched if one is oldest else None) for one in chunk[::-1]]
        )
    expected = [one.event_id for one in [*past, join]][::-1]
    assert [one.event_id for one in all_pages(graph, replayer.room, token)] == expected


def test_an_event_is_between_its_own_tokens(graph):
    room = create_room(graph)
    sent = [graph.write.send(room.room_nid, [message(ANNA, str(n))])[0] for n in range(5)]
    back, forward = graph.history.around(sent[2])
    assert [one.nid for one in graph.history.page(room.room_nid, back, True, 2).events] == [sent[1].nid, sent[0].nid]
    assert [one.nid for one in graph.history.page(room.room_nid, forward, False, 9).events] == [
        sent[3].nid,
        sent[4].nid,
    ]


def test_history_that_arrives_late_is_shown_as_of_its_own_time(replay, graph):
    record = Recorder(V10)
    past = record.start(BOB)
    content = {"history_visibility": "joined"}
    past.append(record.event("m.room.history_visibility", ALICE, content, past[-1:], ""))
    past.append(record.message(BOB, past[-1:], "before Dave"))
    past.append(record.member(DAVE, past[-1:]))
    past.append(record.message(BOB, past[-1:], "to Dave"))
    replayer = replay(record)
    join = record.member(CAROL, past[-1:])
    state = record.state_before(join)
    replayer.enter(join, state, [one for one in past if one.event_id in state.values()])
    replayer.step([Admission(one, Place.BACKFILLED) for one in past])
    viewing, said = Viewing(graph.states), [graph.events.get(past[number].event_id) for number in (-3, -1)]
    sees = [[one.content["body"] for one in viewing.visible(said, graph.texts.nid(who), who)] for who in (DAVE, CAROL)]
    assert sees == [["to Dave"], []]
