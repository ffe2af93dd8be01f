"""Redactions thin what is stored, whichever of the two came first, if the version's rules let them."""

import pytest

from core.events.room_versions import ROOM_VERSIONS, V10, V11
from core.graph.drafts import Draft
from core.graph.stored_event import Place
from core.storage.log import Kind
from tests.graph.local_room import ANNA, create_room, message
from tests.graph.replay import ALICE, BOB, CAROL, Recorder


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=lambda version: version.id)
def test_a_redacted_event_loses_its_content_and_says_who_did_it(graph, open_graph, log, version):
    room = create_room(graph, version)
    sent = graph.write.send(room.room_nid, [message()])[0]
    redaction = graph.write.send(room.room_nid, [Draft("m.room.redaction", ANNA, {}, redacts=sent.event_id)])[0]
    for reader in (graph.events, open_graph().events):
        found = reader.get(sent.event_id)
        assert (dict(found.content), found.is_redacted, found.redacted_by) == ({}, True, redaction.nid)
    assert log.of_subject(Kind.REDACTED, room.room_nid, 0, log.tip(), 9) == [(log.tip(), sent.nid)]


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=lambda version: version.id)
def test_a_redaction_that_came_before_its_target(replay, version):
    record = Recorder(version)
    events = record.start(BOB, CAROL)
    target = record.message(BOB, events[-1:], "secret")
    redaction = record.event("m.room.redaction", ALICE, {}, events[-1:], redacts=target.event_id)
    replayer = replay(record)
    replayer.feed(*events, redaction, target)
    stored = replayer.reopen().events.get(target.event_id)
    assert (stored.is_redacted, b"secret" in stored.pdu_bytes) == (True, False)
    replayer.compare_cold()


@pytest.mark.parametrize("order", ["before", "after"])
def test_who_may_not_redact_others_changes_nothing(replay, order):
    record = Recorder(V11)
    events = record.start(BOB, CAROL)
    target = record.message(BOB, events[-1:], "stays")
    redaction = record.event("m.room.redaction", CAROL, {}, events[-1:], redacts=target.event_id)
    replayer = replay(record)
    replayer.feed(*events, *((redaction, target) if order == "before" else (target, redaction)))
    stored = replayer.reopen().events.get(target.event_id)
    assert (stored.is_redacted, stored.content["body"]) == (False, "stays")


def test_the_redaction_of_another_room_has_no_effect(graph):
    room, other = create_room(graph), create_room(graph)
    sent = graph.write.send(room.room_nid, [message()])[0]
    graph.write.send(other.room_nid, [Draft("m.room.redaction", ANNA, {}, redacts=sent.event_id)])
    assert not graph.events.get(sent.event_id).is_redacted


def test_a_redacted_member_event_keeps_the_membership(replay):
    record = Recorder(V10)
    events = record.start(BOB)
    left = record.event("m.room.member", BOB, {"membership": "leave", "reason": "secret"}, events[-1:], BOB)
    redaction = record.event("m.room.redaction", ALICE, {}, [left], redacts=left.event_id)
    replayer = replay(record)
    replayer.feed(*events, left, redaction)
    assert dict(replayer.graph.events.get(left.event_id).content) == {"membership": "leave"}
    replayer.compare_cold()


def test_an_outlier_is_redacted_and_stays_so_when_it_gets_its_place(replay):
    record = Recorder(V10)
    events = record.start(BOB)
    target = record.message(BOB, events[-1:], "secret")
    redaction = record.event("m.room.redaction", ALICE, {}, events[-1:], redacts=target.event_id)
    replayer = replay(record)
    replayer.feed(*events)
    replayer.feed(target, place=Place.OUTLIER)
    replayer.feed(redaction, target)
    stored = replayer.reopen().events.get(target.event_id)
    assert (stored.is_redacted, stored.is_outlier) == (True, False)
