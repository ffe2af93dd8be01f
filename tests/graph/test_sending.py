"""What local users send: created, authorized, signed, once for each request."""

import gevent
import pytest

from core.errors import AuthRuleViolation, NotFound
from core.events.hashes import event_id_of, has_valid_content_hash
from core.events.room_versions import ROOM_VERSIONS, V10, V11
from core.events.signatures import signatures_of, verify_json
from core.graph.appending.admission import Admission
from core.graph.drafts import Draft, TransactionId
from core.graph.stored_event import Place
from core.storage.log import Kind
from tests.graph.conftest import OUR_KEY, OUR_SERVER
from tests.graph.local_room import ANNA, BEN, create_drafts, create_room, member, message
from tests.graph.replay import ALICE, BOB, Recorder

NOBODY = "@nobody:here.test"


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=lambda version: version.id)
def test_a_created_room_has_its_state_and_its_events_hash_to_their_ids(graph, version):
    room = create_room(graph, version)
    state = graph.states.current(room.room_nid)
    assert [one.type for one in room.events] == [draft.type for draft in create_drafts()]
    assert state.require("m.room.create").event_id == room.events[0].event_id
    assert all(event_id_of(one.event.pdu, version) == one.event_id for one in room.events)
    assert all(has_valid_content_hash(one.event.pdu) for one in room.events)
    assert room.events[0].event.room_id == room.room_id


def test_sent_events_are_signed(graph):
    room = create_room(graph)
    sent = graph.write.send(room.room_nid, [message()])[0]
    assert list(signatures_of(sent.event.pdu, OUR_SERVER)) == [OUR_KEY.key_id]


def test_what_is_stored_is_what_was_signed(graph, open_graph):
    room = create_room(graph, V10)
    sent = graph.write.send(room.room_nid, [message()])[0]
    assert open_graph().events.get(sent.event_id).event.pdu == sent.event.pdu


def test_what_the_rules_refuse_raises_and_leaves_nothing(graph, log):
    room = create_room(graph)
    before = log.tip()
    with pytest.raises(AuthRuleViolation):
        graph.write.send(room.room_nid, [message(BEN)])
    assert log.tip() == before


def test_if_one_of_several_is_refused_none_is_sent(graph):
    room = create_room(graph)
    with pytest.raises(AuthRuleViolation):
        graph.write.send(room.room_nid, [message(), message(BEN)])
    assert graph.states.current(room.room_nid) == graph.states.after(room.events[-1].nid)


def test_a_refused_room_is_not_there(graph):
    with pytest.raises(AuthRuleViolation):
        graph.write.create(V11, [*create_drafts(), message(BEN)], "!refused:here.test")
    assert graph.rooms.find("!refused:here.test") is None


def test_a_repeated_request_returns_the_event_it_made(graph, open_graph, log):
    room = create_room(graph)
    request = TransactionId(graph.texts.nid(ANNA), "PHONE", f"txn {room.room_id}", "send")
    first = graph.write.send(room.room_nid, [message()], request)
    end = log.tip()
    assert graph.write.send(room.room_nid, [message()], request)[0].event_id == first[0].event_id
    assert open_graph().write.send(room.room_nid, [message()], request)[0].event_id == first[0].event_id
    assert log.tip() == end


def test_requests_that_race_make_one_event(graph):
    room = create_room(graph)
    request = TransactionId(graph.texts.nid(ANNA), "PHONE", f"race {room.room_id}", "send")
    racing = [gevent.spawn(graph.write.send, room.room_nid, [message()], request) for _ in range(10)]
    gevent.joinall(racing, raise_error=True)
    assert len({one.value[0].event_id for one in racing}) == 1


def test_the_same_request_of_another_device_is_another(graph):
    room = create_room(graph)
    anna = graph.texts.nid(ANNA)
    sent = [
        graph.write.send(room.room_nid, [message()], TransactionId(anna, scope, f"t {room.room_id}", path))[0].event_id
        for scope, path in (("PHONE", "send"), ("LAPTOP", "send"), ("PHONE", "redact"))
    ]
    assert len(set(sent)) == 3


def test_many_who_send_at_once_make_one_chain(graph, log):
    room = create_room(graph)
    start = log.tip()
    senders = [gevent.spawn(graph.write.send, room.room_nid, [message(body=str(n))]) for n in range(50)]
    gevent.joinall(senders, raise_error=True)
    nids = [nid for _, nid in log.of_subject(Kind.EVENT, room.room_nid, start, log.tip(), 100)]
    events = [graph.events.by_nid(nid) for nid in nids]
    assert [one.event.prev_event_ids for one in events[1:]] == [(one.event_id,) for one in events[:-1]]


def test_drafts_may_depend_on_the_state(graph):
    room = create_room(graph)

    def next_name(state):
        name = state.get("m.room.name")
        number = 0 if name is None else name.content["name"]
        return [Draft("m.room.name", ANNA, {"name": number + 1}, "")]

    gevent.joinall([gevent.spawn(graph.write.send, room.room_nid, next_name) for _ in range(10)], raise_error=True)
    assert graph.states.current(room.room_nid).require("m.room.name").content == {"name": 10}


def test_an_event_builds_on_ten_of_many_extremities(graph):
    record = Recorder(V10)
    events = record.start(BOB)
    local = graph.rooms.intern(record.room_id, V10).room_nid
    graph.write.append(local, _live(events))
    join = record.member(ANNA, events[-1:])
    forks = [record.name(ALICE, [join], str(n)) if n % 2 else record.message(BOB, [join]) for n in range(30)]
    graph.write.append(local, _live([join, *forks]))
    sent = graph.write.send(local, [message()])[0]
    ids = [one.event_id for one in forks]
    assert len(sent.event.prev_event_ids) == 10
    assert ids[0] in sent.event.prev_event_ids
    assert ids[-1] in sent.event.prev_event_ids
    for _ in range(4):
        sent = graph.write.send(local, [message()])[0]
    assert len(sent.event.prev_event_ids) == 1


def test_what_the_current_state_refuses_is_not_sent_on_ten_extremities_that_allow_it(graph):
    record = Recorder(V10)
    events = record.start(BOB)
    room = graph.rooms.intern(record.room_id, V10).room_nid
    join = record.member(ANNA, events[-1:])
    forks = [record.message(BOB, [join], str(n)) for n in range(12)]
    forks[6] = record.member(ALICE, [join], "ban", ANNA)
    graph.write.append(room, _live([*events, join, *forks]))
    with pytest.raises(AuthRuleViolation):
        graph.write.send(room, [message()])


def test_a_room_known_by_name_only_has_nothing_to_build_on(graph):
    room = graph.rooms.intern(f"!name-only-{id(graph)}:far.test", V11).room_nid
    with pytest.raises(NotFound, match="no state"):
        graph.write.send(room, [message()])


def test_a_draft_can_be_tried_without_being_sent(graph, log):
    room = create_room(graph)
    end = log.tip()
    assert graph.write.draft_event(room.room_nid, message()).room_id == room.room_id
    with pytest.raises(AuthRuleViolation):
        graph.write.draft_event(room.room_nid, message(BEN))
    assert log.tip() == end


def test_members_and_servers_follow_the_state(graph):
    room = create_room(graph)
    graph.write.send(room.room_nid, [member(BEN)])
    ben = graph.texts.nid(BEN)
    assert graph.memberships.of(room.room_nid, ben) in graph.memberships.rooms_of(ben)
    kick = graph.write.send(room.room_nid, [member(ANNA, "leave", BEN)])[0]
    assert room.room_nid not in [one.room_nid for one in graph.memberships.rooms_of(ben)]
    assert [name for _, name in graph.states.membership_intervals(room.room_nid, ben)] == ["join", "leave"]
    assert graph.states.changes_between(room.room_nid, kick.main_index - 1, kick.main_index)[0][0] == kick.event.key


def test_a_kicked_server_is_told_of_its_kick_and_of_nothing_after(graph):
    record = Recorder(V10)
    events = record.start(BOB)
    kick = record.member(ALICE, events[-1:], "leave", BOB)
    after = record.message(ALICE, [kick])
    room = graph.rooms.intern(record.room_id, V10).room_nid
    appended = graph.write.append(room, _live([*events, kick, after])).events
    told = [{graph.texts.text(nid) for nid in graph.servers.in_at(room, one.main_before)} for one in appended[-2:]]
    assert told == [{"a.test", "b.test"}, {"a.test"}]


def test_a_forgotten_room_comes_back_with_the_next_membership(graph):
    room = create_room(graph)
    ben = graph.texts.nid(BEN)
    graph.write.send(room.room_nid, [member(BEN), member(BEN, "leave")])
    graph.members.forget(room.room_nid, ben)
    assert graph.memberships.is_forgotten(room.room_nid, ben)
    assert room.room_nid not in [one.room_nid for one in graph.memberships.rooms_of(ben, ("leave",))]
    graph.write.send(room.room_nid, [member(ANNA, "invite", BEN)])
    assert not graph.memberships.is_forgotten(room.room_nid, ben)


def test_an_invite_to_a_room_we_are_not_in_is_kept_and_logged(graph, log):
    record = Recorder(V10)
    events = record.start(BOB)
    invite = record.member(ALICE, events[-1:], "invite", ANNA)
    room = graph.rooms.intern(record.room_id, V10).room_nid
    stored = graph.members.set_out_of_band(room, invite, b"[1]")
    anna = graph.texts.nid(ANNA)
    kept = [one for one in graph.out_of_band.of(anna) if one.room_nid == room]
    assert [(one.membership, one.stripped_state, one.event_nid) for one in kept] == [("invite", b"[1]", stored.nid)]
    assert log.of_subject(Kind.OUT_OF_BAND, anna, 0, log.tip(), 1, newest_first=True)[0][1] == stored.nid


def test_relations_are_filed_under_the_parent(graph):
    room = create_room(graph)
    parent = graph.write.send(room.room_nid, [message()])[0]
    relation = {"rel_type": "m.annotation", "event_id": parent.event_id, "key": "👍"}
    child = graph.write.send(room.room_nid, [Draft("m.reaction", ANNA, {"m.relates_to": relation})])[0]
    found = graph.relations.children([parent.event_id])
    assert [(one.child_nid, graph.texts.text(one.key_nid)) for one in found] == [(child.nid, "👍")]
    graph.write.send(room.room_nid, [Draft("m.room.redaction", ANNA, {}, redacts=child.event_id)])
    assert graph.relations.children([parent.event_id]) == []


def _live(events):
    return [Admission(one, Place.LIVE) for one in events]


def test_a_wrong_signature_would_be_noticed(graph):
    sent = create_room(graph).events[0]
    with pytest.raises(Exception, match="no signature"):
        verify_json(sent.event.pdu, "elsewhere.test", "ed25519:x", OUR_KEY.verify_key)
