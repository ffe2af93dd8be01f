"""Events that are not what they claim: none is seen, each is said in the log once, and the room goes on."""

from __future__ import annotations

import itertools

from core.events.signatures import sign_event
from tests.servers.remote import new_key
from tests.servers.watching import state_content

_said = itertools.count(1)


def fresh():
    """A text that no other forgery has, for events of equal content have equal ids."""
    return f"forged {next(_said)}"


def unsigned_pdu(pdu):
    """An event without what proves it."""
    return {key: value for key, value in pdu.items() if key not in ("signatures", "hashes")}


def signed_with_another_key(scene):
    _, pdu = scene.hostile.event(fresh())
    hostile = scene.hostile
    pdu = sign_event(unsigned_pdu(pdu), hostile.version, hostile.remote.name, new_key())
    return hostile.signed_id(pdu), pdu


def signed_with_an_unknown_key(scene):
    _, pdu = scene.hostile.event(fresh())
    hostile = scene.hostile
    pdu = sign_event(unsigned_pdu(pdu), hostile.version, hostile.remote.name, new_key("other"))
    return hostile.signed_id(pdu), pdu


def signed_by_nobody(scene):
    event_id, pdu = scene.hostile.event(fresh())
    return event_id, {**pdu, "signatures": {}}


def signed_in_anothers_name(scene):
    event_id, pdu = scene.hostile.event(fresh())
    (signature,) = pdu["signatures"].values()
    return event_id, {**pdu, "signatures": {"elsewhere.org": signature}}


def of_a_user_of_the_server_itself(scene):
    return scene.hostile.event(fresh(), sender=scene.alice.user.user_id)


def of_a_user_of_a_third_server(scene):
    return scene.hostile.event(fresh(), sender=scene.bob.user.user_id)


def of_a_user_who_is_not_there(scene):
    return scene.hostile.event(fresh(), sender=f"@ghost:{scene.hostile.remote.name}")


def a_join_of_anothers_user(scene):
    user_id = scene.bob.user.user_id
    return scene.hostile.event({"membership": "join"}, "m.room.member", state_key=user_id)


def a_kick_without_power(scene):
    user_id = scene.bob.user.user_id
    return scene.hostile.event({"membership": "leave"}, "m.room.member", state_key=user_id)


def power_for_oneself(scene):
    levels = scene.state("m.room.power_levels")
    content = {**levels, "users": {**levels["users"], scene.hostile.user_id: 100}}
    return scene.hostile.event(content, "m.room.power_levels", state_key="")


def a_name_without_power(scene):
    return scene.hostile.event({"name": "Mine"}, "m.room.name", state_key="")


def a_state_key_of_anothers_user(scene):
    return scene.hostile.event({}, "x.mine", state_key=scene.alice.user.user_id)


def without_auth_events(scene):
    return scene.hostile.event(fresh(), auth_events=[])


def without_its_member_event(scene):
    hostile = scene.hostile
    member = hostile.state["m.room.member", hostile.user_id]
    return hostile.event(fresh(), auth_events=[one for one in hostile.proofs() if one != member])


def with_an_auth_event_twice(scene):
    proofs = scene.hostile.proofs()
    return scene.hostile.event(fresh(), auth_events=[*proofs, proofs[0]])


def with_a_member_event_too_many(scene):
    member = scene.hostile.state["m.room.member", scene.alice.user.user_id]
    return scene.hostile.event(fresh(), auth_events=[*scene.hostile.proofs(), member])


def with_an_auth_event_that_has_no_say(scene):
    visibility = scene.hostile.state["m.room.history_visibility", ""]
    return scene.hostile.event(fresh(), auth_events=[*scene.hostile.proofs(), visibility])


def with_auth_events_nobody_has(scene):
    return scene.hostile.event(fresh(), auth_events=["$" + "x" * 43])


def a_creation_of_the_room_that_is(scene):
    hostile = scene.hostile
    content = {"creator": hostile.user_id, "room_version": hostile.version.id}
    return hostile.event(content, "m.room.create", state_key="", prev_events=[], auth_events=[])


def a_creation_that_follows(scene):
    hostile = scene.hostile
    content = {"creator": hostile.user_id, "room_version": hostile.version.id}
    return hostile.event(content, "m.room.create", state_key="")


def with_a_predecessor_nobody_has(scene):
    return scene.hostile.event(fresh(), prev_events=["$" + "y" * 43])


FORGERIES = [
    signed_with_another_key,
    signed_with_an_unknown_key,
    signed_by_nobody,
    signed_in_anothers_name,
    of_a_user_of_the_server_itself,
    of_a_user_of_a_third_server,
    of_a_user_who_is_not_there,
    a_join_of_anothers_user,
    a_kick_without_power,
    power_for_oneself,
    a_name_without_power,
    a_state_key_of_anothers_user,
    without_auth_events,
    without_its_member_event,
    with_an_auth_event_twice,
    with_a_member_event_too_many,
    with_an_auth_event_that_has_no_say,
    with_auth_events_nobody_has,
    a_creation_of_the_room_that_is,
    a_creation_that_follows,
    with_a_predecessor_nobody_has,
]
BROKEN = [
    {"depth": 2**63},
    {"depth": -1},
    {"depth": "deep"},
    {"depth": 1.5},
    {"content": {"body": "x" * 70_000}},
    {"content": []},
    {"prev_events": ["$" + "p" * 43] * 21},
    {"auth_events": ["$" + "p" * 43] * 11},
    {"prev_events": "none"},
    {"sender": "nobody"},
    {"type": "t" * 256},
    {"state_key": 5},
    {"origin_server_ts": "now"},
    {"hashes": {}},
    {"signatures": "mine"},
]
"""What breaks the format, put into an event that was in order."""


def test_no_forgery_is_seen(scene):
    before = {kind: scene.state(kind) for kind in ("m.room.create", "m.room.power_levels", "m.room.name")}
    forged = [(forgery, *_made(scene, forgery)) for forgery in FORGERIES]
    for _, _, pdu in forged:
        assert scene.hostile.transact(pdu).status_code == 200
    scene.is_usable()
    seen = [forgery.__name__ for forgery, event_id, _ in forged if scene.shown(event_id) is not None]
    assert seen == []
    wrong = {f.__name__: scene.mentions(event_id) for f, event_id, _ in forged if scene.mentions(event_id) != 1}
    assert wrong == {}
    assert {kind: scene.state(kind) for kind in before} == before
    for user_id in (scene.bob.user.user_id, scene.alice.user.user_id):
        assert scene.state("m.room.member", user_id)["membership"] == "join"


def test_what_breaks_the_format_is_dropped(scene):
    _, pdu = scene.hostile.event("in order")
    for changed in BROKEN:
        assert scene.hostile.transact({**pdu, **changed}).status_code == 200, changed
    scene.is_usable()


def test_events_that_follow_each_other_in_a_circle_are_dropped(scene_of):
    scene = scene_of("2")
    hostile = scene.hostile
    ids = [f"$circle{number}:{hostile.remote.name}" for number in (1, 2)]
    pdus = [hostile.event("round", event_id=ids[number], prev_events=[ids[1 - number]])[1] for number in (0, 1)]
    assert hostile.transact(*pdus).status_code == 200
    scene.is_usable()
    assert [scene.shown(one) for one in ids] == [None, None]


def test_an_event_with_its_content_changed_is_taken_without_it(scene):
    event_id, pdu = scene.hostile.event("said")
    scene.hostile.transact({**pdu, "content": {"msgtype": "m.text", "body": "never said"}})
    assert scene.alice.event(scene.room_id, event_id)["content"] == {}
    scene.is_usable()


def test_an_event_of_a_room_one_is_not_in_is_refused(scene_of):
    scene, other = scene_of(), scene_of()
    event_id, pdu = scene.hostile.event("misplaced", room_id=other.room_id)
    answer = scene.hostile.transact(pdu)
    assert answer.status_code == 200
    for one in (scene, other):
        assert one.shown(event_id) is None
        one.is_usable()


def test_what_a_server_adds_unsigned_is_not_believed(plain):
    lies = {"membership": "ban", "prev_content": {"a": 1}, "redacted_because": {"x": 1}, "transaction_id": "t",
            "m.relations": {"m.thread": {"count": 99}}, "age": 10**9}  # fmt: skip
    event_id, pdu = plain.hostile.event("said")
    plain.hostile.transact({**pdu, "unsigned": lies})
    unsigned = plain.alice.event(plain.room_id, event_id)["unsigned"]
    assert unsigned["age"] < 10**8
    assert unsigned.get("membership", "join") == "join"
    assert not {"redacted_because", "prev_content", "transaction_id", "m.relations"} & unsigned.keys()


def test_a_redaction_of_anothers_message_has_no_effect(scene):
    event_id = scene.alice.user.send(scene.room_id, "mine")
    hostile = scene.hostile.at(event_id)
    redaction, pdu = hostile.event({"redacts": event_id}, "m.room.redaction", redacts=event_id)
    hostile.transact(pdu)
    scene.is_usable()
    assert scene.shown(event_id)["content"]["body"] == "mine"
    assert redaction


def test_a_banned_users_server_says_nothing_through_the_past(scene):
    hostile = scene.hostile
    old = hostile.last
    hostile.at(old)
    scene.alice.user.post(f"/v3/rooms/{scene.room_id}/ban", {"user_id": hostile.user_id})
    event_id, pdu = hostile.event("from the past")
    hostile.transact(pdu)
    for speaker, listener in ((scene.alice, scene.bob), (scene.bob, scene.alice)):
        said = speaker.user.send(scene.room_id, "still here")
        listener.event(scene.room_id, said)
    assert scene.shown(event_id) is None
    assert state_content(scene.bob.user, scene.room_id, "m.room.member", hostile.user_id)["membership"] == "ban"


def _made(scene, forgery):
    """A forgery that builds on where the room is."""
    hostile = scene.hostile
    last, depth = hostile.last, hostile.depth
    try:
        return forgery(scene)
    finally:
        hostile.last, hostile.depth = last, depth
