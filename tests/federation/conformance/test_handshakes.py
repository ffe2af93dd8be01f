"""Templates of memberships, what may be sent for them, and how each refusal reads."""

from __future__ import annotations

import pytest

from core.events.room_versions import ROOM_VERSIONS
from core.events.signatures import add_signature
from tests.federation.conformance.conftest import refusal, segment
from tests.servers.watching import state_content

TEMPLATE = {"type", "room_id", "sender", "state_key", "content", "depth", "prev_events", "auth_events",
            "origin", "origin_server_ts"}  # fmt: skip


def rules(rule, **content):
    """An initial state with a join rule."""
    return [{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": rule, **content}}]


@pytest.mark.parametrize("version", ["1", "5", "9", "10", "11", "12"])
def test_a_template_of_a_join_is_complete(alice, guest_of, version):
    guest = guest_of(alice.create_room(preset="public_chat", room_version=version))
    found = guest.template().json()
    assert found["room_version"] == version
    assert found["event"].keys() == TEMPLATE
    assert found["event"]["content"] == {"membership": "join"}
    assert found["event"]["sender"] == found["event"]["state_key"] == guest.user_id


def test_a_server_that_names_no_version_understands_the_first_alone(alice, guest_of):
    for version, status in (("12", 400), ("2", 400), ("1", 200)):
        guest = guest_of(alice.create_room(preset="public_chat", room_version=version))
        path = f"/v1/make_join/{segment(guest.room_id)}/{segment(guest.user_id)}"
        assert guest.call("GET", path).status_code == status


@pytest.mark.parametrize("what", ["join", "leave", "knock"])
def test_nobody_asks_for_users_of_others(shared, what):
    alice, guest = shared
    guest.user_id = alice.user_id
    assert refusal(guest.template(what)) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize("what", ["join", "leave", "knock"])
def test_a_room_that_is_not_here_has_no_templates(guest_of, what):
    assert refusal(guest_of("!nowhere:else.org").template(what)) == (404, "M_NOT_FOUND")


@pytest.mark.parametrize("what", ["join", "knock"])
def test_the_banned_get_no_template(alice, guest_of, what):
    guest = guest_of(alice.create_room(preset="public_chat"))
    alice.post(f"/v3/rooms/{segment(guest.room_id)}/ban", {"user_id": guest.user_id})
    assert refusal(guest.template(what)) == (403, "M_FORBIDDEN")


def test_a_stranger_has_nothing_to_leave(alice, guest_of):
    assert refusal(guest_of(alice.create_room(preset="public_chat")).template("leave")) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize("rule", ["public", "invite"])
def test_only_where_one_may_knock_there_are_templates_for_it(alice, guest_of, rule):
    guest = guest_of(alice.create_room(initial_state=rules(rule)))
    assert refusal(guest.template("knock")) == (403, "M_FORBIDDEN")


def test_a_version_without_knocking_has_no_template_for_it(alice, guest_of):
    guest = guest_of(alice.create_room(room_version="6", preset="public_chat"))
    assert guest.template("knock").status_code in (400, 403)


def test_members_do_not_knock(alice, guest_of):
    guest = guest_of(alice.create_room(preset="public_chat"))
    guest.join()
    assert refusal(guest.template("knock")) == (403, "M_FORBIDDEN")


def test_the_answer_to_a_join_has_every_field(alpha, remote, shared):
    _, guest = shared
    other = type(guest)(remote, alpha, guest.room_id, "second")
    found = other.send_member("join", *other.member()).json()
    assert found.keys() == {"auth_chain", "event", "members_omitted", "origin", "servers_in_room", "state"}
    assert found["members_omitted"] is False
    assert set(found["servers_in_room"]) == {alpha.name, remote.name}
    state = {(one["type"], one["state_key"]) for one in found["state"]}
    assert ("m.room.member", guest.user_id) in state
    assert ("m.room.member", other.user_id) not in state


def test_the_servers_named_are_those_before_the_join(alpha, alice, guest_of):
    guest = guest_of(alice.create_room(preset="public_chat"))
    found = guest.send_member("join", *guest.member(), query="?omit_members=true").json()
    assert found["servers_in_room"] == [alpha.name]
    state = {guest.signed_id(one) for one in found["state"]}
    assert not state & {guest.signed_id(one) for one in found["auth_chain"]}


MEMBERS = {
    "a message": {"type": "m.room.message", "content": {"body": "x"}},
    "another membership": {"content": {"membership": "invite"}},
    "no membership": {"content": {}},
    "somebody else's": {"state_key": "@other:else.org"},
}


@pytest.mark.parametrize("what", ["join", "leave", "knock"])
@pytest.mark.parametrize("changed", MEMBERS.values(), ids=MEMBERS)
def test_only_the_membership_of_the_endpoint_goes_through_it(alice, guest_of, what, changed):
    options = {"initial_state": rules("knock")} if what == "knock" else {"preset": "public_chat"}
    guest = guest_of(alice.create_room(**options))
    if what == "leave":
        guest.join()
    for version in ("v1",) if what == "knock" else ("v1", "v2"):
        answer = guest.send_member(what, *guest.member(what, **changed), version=version)
        assert refusal(answer) == (400, "M_BAD_JSON")


def test_a_member_event_without_a_state_key_is_none(alice, guest_of):
    guest = guest_of(alice.create_room(preset="public_chat"))
    template = guest.member()[1]
    bare = {key: value for key, value in template.items() if key not in ("state_key", "hashes", "signatures")}
    assert refusal(guest.send_member("join", *guest.signed(bare))) == (400, "M_BAD_JSON")


@pytest.mark.parametrize("what", ["join", "leave", "knock"])
def test_a_wrong_signature_is_told(alice, guest_of, what):
    options = {"initial_state": rules("knock")} if what == "knock" else {"preset": "public_chat"}
    guest = guest_of(alice.create_room(**options))
    if what == "leave":
        guest.join()
    event_id, pdu = guest.member(what)
    (keys,) = pdu["signatures"].values()
    broken = {**pdu, "signatures": {guest.remote.name: dict.fromkeys(keys, "A" * 86)}}
    answer = guest.send_member(what, event_id, broken, version="v1")
    assert refusal(answer) == (403, "M_FORBIDDEN")


def test_a_join_of_what_the_format_forbids_is_bad_json(alice, guest_of):
    guest = guest_of(alice.create_room(preset="public_chat", room_version="6"))
    event_id, pdu = guest.member()
    answer = guest.send_member("join", event_id, {**pdu, "content": {"membership": "join", "n": 1.5}})
    assert refusal(answer) == (400, "M_BAD_JSON")


def test_the_banned_do_not_join_with_a_template_of_before(alice, guest_of):
    guest = guest_of(alice.create_room(preset="public_chat"))
    event_id, pdu = guest.member()
    alice.post(f"/v3/rooms/{segment(guest.room_id)}/ban", {"user_id": guest.user_id})
    assert refusal(guest.send_member("join", event_id, pdu)) == (403, "M_FORBIDDEN")
    assert state_content(alice, guest.room_id, "m.room.member", guest.user_id)["membership"] == "ban"


def test_a_restricted_join_without_its_condition_is_refused_at_both_steps(alice, guest_of):
    space = alice.create_room(preset="public_chat")
    allow = [{"type": "m.room_membership", "room_id": space}]
    guest = guest_of(alice.create_room(initial_state=rules("restricted", allow=allow)))
    assert refusal(guest.template()) == (403, "M_FORBIDDEN")
    member = guest_of(space)
    member.join()
    event_id, pdu = guest.member()
    leave = member.member("leave")
    member.send_member("leave", *leave)
    assert refusal(guest.send_member("join", event_id, pdu)) == (403, "M_FORBIDDEN")


def test_a_restricted_room_that_nobody_here_may_invite_to_sends_one_elsewhere(alpha, remote, alice, guest_of):
    space = alice.create_room(preset="public_chat")
    allow = [{"type": "m.room_membership", "room_id": space}]
    guest = guest_of(
        alice.create_room(
            room_version="11",
            initial_state=rules("restricted", allow=allow),
            power_level_content_override={"invite": 101},
        )
    )
    guest_of(space).join()
    assert refusal(guest.template()) == (400, "M_UNABLE_TO_GRANT_JOIN")


def test_an_invited_user_needs_no_authorizer(alpha, remote, alice, guest_of):
    """The invite is put into the room by the server's own user, with the fake server's signature."""
    guest = guest_of(alice.create_room(initial_state=rules("restricted", allow=[])))
    path = f"/_matrix/federation/v2/invite/{segment(guest.room_id)}"
    remote.answer(path, lambda seen: {"event": countersigned(guest, seen.json["event"], seen.json["room_version"])})
    alice.post(f"/v3/rooms/{segment(guest.room_id)}/invite", {"user_id": guest.user_id})
    assert guest.template().json()["event"]["content"] == {"membership": "join"}


def countersigned(guest, pdu, version):
    """An invite with the invited server's signature."""
    return add_signature(pdu, ROOM_VERSIONS[version], guest.remote.name, guest.remote.signing_keys[0])


def test_an_invite_is_sent_with_what_the_other_server_needs(alpha, remote, alice, guest_of):
    guest = guest_of(alice.create_room(name="Inner"))
    path = f"/_matrix/federation/v2/invite/{segment(guest.room_id)}"
    remote.answer(path, lambda seen: {"event": countersigned(guest, seen.json["event"], seen.json["room_version"])})
    alice.post(f"/v3/rooms/{segment(guest.room_id)}/invite", {"user_id": guest.user_id})
    (seen,) = remote.asked(path)
    assert seen.json["room_version"] == "12"
    told = {one["type"] for one in seen.json["invite_room_state"]}
    assert told >= {"m.room.create", "m.room.join_rules", "m.room.name", "m.room.member"}
    assert all("signatures" in one for one in seen.json["invite_room_state"])
