"""Rooms replayed event by event: whatever way they arrive, every state is the one that a naive oracle works out."""

import gevent
import pytest

from core.events.room_versions import ROOM_VERSIONS, V6, V10, V11, V12
from core.graph.appending.admission import Admission
from core.graph.stored_event import Place
from tests.graph.replay import ALICE, BOB, CAROL, DAVE, Recorder


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=lambda version: version.id)
def test_a_linear_room(replay, version):
    record = Recorder(version)
    events = record.start(BOB, CAROL)
    events.append(record.message(BOB, events[-1:]))
    events.append(record.name(BOB, events[-1:], "one"))
    events.append(record.member(CAROL, events[-1:], "leave"))
    replayer = replay(record)
    replayer.feed(*events)
    replayer.compare_cold()


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=lambda version: version.id)
def test_a_fork_and_its_merge(replay, version):
    record = Recorder(version)
    start = record.start(BOB, CAROL)
    left = record.name(ALICE, start[-1:], "left")
    right = record.name(BOB, start[-1:], "right")
    topic = record.event("m.room.topic", BOB, {"topic": "t"}, [right], "")
    merged = record.message(CAROL, [left, topic])
    after = record.name(ALICE, [merged], "after")
    replayer = replay(record)
    replayer.feed(*start, left, right, topic, merged, after)
    replayer.compare_cold()


def test_a_late_branch_from_long_ago(replay):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    root = events[-1]
    for number in range(8):
        events.append(record.name(ALICE, events[-1:], f"name {number}"))
    late = record.event("m.room.topic", BOB, {"topic": "late"}, [root], "")
    later = record.name(BOB, [late], "of the late branch")
    merge = record.message(CAROL, [events[-1], later])
    replayer = replay(record)
    replayer.feed(*events, late, later, merge)
    replayer.compare_cold()


def test_branches_of_branches_nest_no_deeper_than_allowed(replay, database):
    record = Recorder(V11)
    events = record.start(BOB, CAROL)
    replayer = replay(record)
    replayer.feed(*events)
    tip = events[-1]
    for depth in range(12):
        main = record.event("x.state", BOB, {"n": depth}, [tip], f"main {depth}")
        side = record.event("x.state", ALICE, {"n": depth}, [tip], f"side {depth}")
        replayer.feed(main, side, record.message(CAROL, [main]), record.message(CAROL, [side]))
        tip = side
    replayer.compare_cold()
    assert database.value("SELECT MAX(nesting) FROM state_lines WHERE room_nid = ?", (replayer.room,)) == 8


def test_an_outlier_gets_its_place(replay):
    record = Recorder(V10)
    events = record.start(BOB)
    name = record.name(BOB, events[-1:], "n")
    topic = record.message(BOB, [name])
    replayer = replay(record)
    replayer.feed(*events)
    replayer.feed(name, place=Place.OUTLIER)
    replayer.feed(name, topic)
    replayer.compare_cold()


def test_rejected_events_change_nothing_and_can_be_built_on(replay):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    refused = record.name(CAROL, events[-1:], "carol may not")
    after = record.name(BOB, [refused], "bob may")
    replayer = replay(record)
    replayer.feed(*events, refused, after)
    assert replayer.graph.events.get(refused.event_id).is_rejected
    replayer.compare_cold()


def test_a_soft_failed_event_enters_the_state_when_somebody_builds_on_it(replay):
    record = Recorder(V10)
    events = record.start(BOB, CAROL, DAVE)
    ban = record.member(ALICE, events[-1:], "ban", BOB)
    unaware = record.name(BOB, events[-1:], "from before the ban")
    built_on = record.message(DAVE, [unaware])
    replayer = replay(record)
    replayer.feed(*events, ban, unaware)
    assert replayer.graph.events.get(unaware.event_id).is_soft_failed
    replayer.feed(built_on)
    replayer.feed(record.message(CAROL, [ban, built_on]))
    replayer.compare_cold()


def test_a_state_fetched_at_a_gap(replay):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    unseen = [record.name(ALICE, events[-1:], "unseen")]
    unseen.append(record.member(CAROL, unseen[-1:], "leave"))
    after = record.message(BOB, unseen[-1:])
    replayer = replay(record)
    replayer.feed(*events)
    replayer.feed(*unseen, place=Place.OUTLIER)
    replayer.feed(after, record.name(BOB, [after], "next"), state=record.state_before(after))
    replayer.compare_cold()
    assert replayer.graph.history.gaps_in(replayer.room)[0].missing == (unseen[-1].event_id,)


@pytest.fixture(params=["at once", "written beforehand"])
def entrance(request, monkeypatch):
    """Whether the state of a new room is written with the join, or in small jobs before it."""
    if request.param == "written beforehand":
        monkeypatch.setattr("core.graph.room_graph.STAGED_LEAST", 1)
        monkeypatch.setattr("core.graph.appending.entering.ENTRIES_PER_JOB", 2)
    return request.param


def test_history_from_before_our_join(replay, entrance):
    record = Recorder(V10)
    past = record.start(BOB, CAROL)
    past += [record.name(ALICE, past[-1:], "old"), record.message(BOB, past[-1:])]
    past.append(record.message(ALICE, past[-2:]))
    join = record.member(DAVE, past[-1:])
    replayer = replay(record)
    state = record.state_before(join)
    replayer.enter(join, state, [one for one in past if one.event_id in state.values()])
    oldest = past[4]
    replayer.step(
        [Admission(oldest, Place.BACKFILLED, None, record.state_before(oldest))]
        + [Admission(one, Place.BACKFILLED) for one in past[5:]]
    )
    replayer.feed(record.message(DAVE, [join]))
    replayer.compare_cold()


def test_an_interrupted_entrance_leaves_nothing(replay, graph, open_graph, monkeypatch, database):
    record = Recorder(V10)
    past = record.start(BOB, CAROL)
    invite = record.member(ALICE, past[-1:], "invite", DAVE)
    join = record.member(DAVE, [invite])
    monkeypatch.setattr("core.graph.room_graph.STAGED_LEAST", 1)
    replayer = replay(record)
    with monkeypatch.context() as patch:
        patch.setattr(graph.write._entrances, "_adopt", lambda work, staged: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            replayer.enter(join, record.state_before(join), [*past, invite])
    assert len(graph.states.current(replayer.room)) == 0
    again = open_graph()
    again.write.discard_entrances()
    tables = ("current_state", "memberships", "state_lines")
    assert [database.value(f"SELECT COUNT(*) FROM {t} WHERE room_nid = ?", (replayer.room,)) for t in tables] == [0] * 3
    again.write.append(replayer.room, [Admission(join, Place.LIVE, None, record.state_before(join))], is_entrance=True)
    assert len(again.states.current(replayer.room)) == 7
    assert open_graph().memberships.members(replayer.room) == again.memberships.members(replayer.room)


def test_leaving_and_coming_back(replay, database):
    record = Recorder(V10)
    events = record.start(BOB, DAVE)
    events.append(record.member(DAVE, events[-1:], "leave"))
    unseen = [record.name(ALICE, events[-1:], "while we were away")]
    unseen.append(record.member(CAROL, unseen[-1:]))
    back = record.member(DAVE, unseen[-1:])
    replayer = replay(record)
    replayer.feed(*events)
    replayer.enter(back, record.state_before(back), unseen)
    assert database.value("SELECT COUNT(*) FROM forward_extremities WHERE room_nid = ?", (replayer.room,)) == 1
    replayer.feed(record.message(CAROL, [back]))
    replayer.compare_cold()


@pytest.mark.parametrize("version", [V6, V10, V12], ids=lambda version: version.id)
def test_a_netsplit_in_which_both_sides_change_power(replay, version):
    record = Recorder(version)
    events = record.start(BOB, CAROL, DAVE)
    root = events[-1]
    left, right = [root], [root]
    for number in range(6):
        left.append(record.name(ALICE, left[-1:], f"left {number}"))
        right.append(record.event("m.room.topic", BOB, {"topic": str(number)}, right[-1:], ""))
    left.append(
        record.levels(ALICE, left[-1:], bob=50, carol=50, **({} if version.privileged_creators else {"alice": 100}))
    )
    right.append(record.member(BOB, right[-1:], "ban", CAROL))
    merge = record.message(DAVE, [left[-1], right[-1]])
    replayer = replay(record)
    replayer.feed(*events, *(one for pair in zip(left[1:], right[1:], strict=True) for one in pair), merge)
    replayer.compare_cold()


def test_an_event_that_comes_after_what_follows_it_is_no_extremity(replay, database):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    late = record.name(ALICE, events[-1:], "late")
    after = record.message(BOB, [late])
    replayer = replay(record)
    replayer.feed(*events)
    replayer.feed(late, place=Place.OUTLIER)
    replayer.feed(after, state=record.state_before(after))
    replayer.feed(late)
    replayer.compare_cold()
    extremities = database.rows("SELECT event_nid FROM forward_extremities WHERE room_nid = ?", (replayer.room,))
    assert extremities == [(replayer.graph.events.get(after.event_id).nid,)]


def test_a_power_event_counts_for_what_comes_after_it_in_a_batch(graph):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    other = record.message(CAROL, events[-1:])
    ban = record.member(ALICE, events[-1:], "ban", BOB)
    unaware = record.message(BOB, [other])
    room = graph.rooms.intern(record.room_id, V10).room_nid
    appended = graph.write.append(room, [Admission(one) for one in [*events, other, ban, unaware]])
    assert [one.is_soft_failed for one in appended.events[-3:]] == [False, False, True]
    assert list(appended.refused) == [unaware.event_id]


def test_appends_that_meet_are_worked_out_again(replay, graph):
    record = Recorder(V10)
    events = record.start(BOB, CAROL)
    replayer = replay(record)
    replayer.feed(*events)
    forks = [record.event("x.state", BOB, {"n": n}, events[-1:], str(n)) for n in range(8)]
    gevent.joinall(
        [gevent.spawn(graph.write.append, replayer.room, [Admission(one)]) for one in forks], raise_error=True
    )
    for one in forks:
        replayer.oracle.add(one, Place.LIVE)
    replayer.folded = replayer.oracle.current()
    replayer.compare(graph)
    replayer.compare_cold()
