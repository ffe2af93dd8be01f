"""Users of other servers join, knock and leave through ours, and ours are invited."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from core.events.formats import parse_event
from core.events.room_versions import ROOM_VERSIONS
from core.events.signatures import sign_event
from tests.servers.guest_server import Guest


@pytest.fixture
def room(alpha):
    """A user of ours and a public room."""
    alice = alpha.register()
    return alice, alice.create_room(preset="public_chat", name="Hall")


@pytest.mark.parametrize("version", ["2", "6", "9", "11", "12"])
def test_a_user_of_another_server_joins_and_leaves(alpha, remote, version):
    alice = alpha.register()
    room_id = alice.create_room(preset="public_chat", room_version=version)
    guest = Guest(remote, alpha, room_id)
    answer = guest.template("join", f"ver={version}").json()
    assert answer["room_version"] == version
    guest.version = ROOM_VERSIONS[version]
    extra = {"event_id": f"$one:{remote.name}"} if version == "2" else {}
    event_id, pdu = guest.signed({**answer["event"], **extra})
    found = guest.send_member("join", event_id, pdu).json()
    assert {one["type"] for one in found["state"]} >= {"m.room.create", "m.room.power_levels", "m.room.member"}
    assert found["servers_in_room"] == [alpha.name]
    assert guest.user_id in alice.get(f"/v3/rooms/{quote(room_id)}/joined_members")["joined"]
    left = guest.template("leave").json()
    extra = {"event_id": f"$two:{remote.name}"} if version == "2" else {}
    assert guest.send_member("leave", *guest.signed({**left["event"], **extra})).json() == {}
    assert guest.user_id not in alice.get(f"/v3/rooms/{quote(room_id)}/joined_members")["joined"]


def test_the_older_form_of_the_answer_is_a_list(alpha, remote, room):
    guest = Guest(remote, alpha, room[1])
    status, found = guest.send_member("join", *guest.member(), version="v1").json()
    assert status == 200
    assert len(found["state"]) > 4
    assert guest.send_member("leave", *guest.member("leave"), version="v1").json() == [200, {}]


def test_a_joining_server_may_do_without_members(alpha, remote, room):
    _, room_id = room
    for _ in range(3):
        alpha.register().join(room_id)
    guest = Guest(remote, alpha, room_id)
    found = guest.send_member("join", *guest.member(), query="?omit_members=true").json()
    assert found["members_omitted"] is True
    assert [one for one in found["state"] if one["type"] == "m.room.member"] == []
    assert any(one["type"] == "m.room.member" for one in found["auth_chain"])


def test_a_repeated_join_is_answered_alike(alpha, remote, room):
    guest = Guest(remote, alpha, room[1])
    event_id, pdu = guest.member()
    first, second = (guest.send_member("join", event_id, pdu).json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"type": "m.room.message"}, "m.room.member"),
        ({"content": {"membership": "knock"}}, "membership"),
        ({"state_key": "@other:else.org"}, "state key"),
        ({"room_id": "!other:else.org"}, "room"),
        ({"sender": "@other:else.org", "state_key": "@other:else.org"}, "sign"),
    ],
)
def test_what_is_no_join_of_the_servers_own_user_is_refused(alpha, remote, room, changed, sentence):
    guest = Guest(remote, alpha, room[1])
    answer = guest.send_member("join", *guest.member(**changed))
    assert answer.status_code == (403 if sentence == "sign" else 400)
    assert sentence in answer.json()["error"]


def test_a_join_under_another_id_is_refused(alpha, remote, room):
    guest = Guest(remote, alpha, room[1])
    _, pdu = guest.member()
    assert guest.send_member("join", "$other", pdu).json()["errcode"] == "M_INVALID_PARAM"


def test_a_server_without_the_rooms_version_is_told(alpha, remote, room):
    answer = Guest(remote, alpha, room[1]).template(versions="ver=6")
    assert (answer.status_code, answer.json()["errcode"]) == (400, "M_INCOMPATIBLE_ROOM_VERSION")
    assert answer.json()["room_version"] == "12"


def test_a_private_room_lets_nobody_in(alpha, remote):
    room_id = alpha.register().create_room(preset="private_chat")
    answer = Guest(remote, alpha, room_id).template()
    assert (answer.status_code, answer.json()["errcode"]) == (403, "M_FORBIDDEN")


def test_a_room_that_is_not_here_is_not_found(alpha, remote):
    answer = Guest(remote, alpha, "!nowhere:else.org").template()
    assert (answer.status_code, answer.json()["errcode"]) == (404, "M_NOT_FOUND")


def test_an_access_list_keeps_a_server_out(alpha, remote, room):
    alice, room_id = room
    alice.set_state(room_id, "m.room.server_acl", {"allow": ["*"], "deny": ["localhost"]})
    assert Guest(remote, alpha, room_id).template().status_code == 403


def test_a_user_of_another_server_knocks(alpha, remote):
    alice = alpha.register()
    rules = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    room_id = alice.create_room(name="Door", initial_state=[rules])
    guest = Guest(remote, alpha, room_id)
    event_id, pdu = guest.member("knock")
    told = guest.send_member("knock", event_id, pdu, version="v1").json()["knock_room_state"]
    assert {one["type"] for one in told} >= {"m.room.create", "m.room.name", "m.room.join_rules"}
    assert all("signatures" in one for one in told)


def restricted_room(alice, space):
    """A room for the members of another."""
    allow = [{"type": "m.room_membership", "room_id": space}]
    rules = {"join_rule": "restricted", "allow": allow}
    return alice.create_room(initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": rules}])


def test_a_member_of_the_space_joins_a_restricted_room(alpha, remote, room):
    alice, space = room
    inner = restricted_room(alice, space)
    guest = Guest(remote, alpha, inner)
    assert guest.template().status_code == 403
    Guest(remote, alpha, space).join()
    event_id, pdu = guest.member()
    assert pdu["content"]["join_authorised_via_users_server"] == alice.user_id
    signed = guest.send_member("join", event_id, pdu).json()["event"]
    assert set(signed["signatures"]) == {alpha.name, remote.name}


def test_a_restriction_that_cannot_be_looked_at_is_said(alpha, remote):
    inner = restricted_room(alpha.register(), "!far:else.org")
    answer = Guest(remote, alpha, inner).template()
    assert (answer.status_code, answer.json()["errcode"]) == (400, "M_UNABLE_TO_AUTHORISE_JOIN")


class Host:
    """A room of the fake server, as far as an invite tells of it."""

    def __init__(self, remote, version="12"):
        self.remote, self.version = remote, ROOM_VERSIONS[version]
        self.host = f"@host:{remote.name}"
        content = {"room_version": version}
        pdu = {"type": "m.room.create", "state_key": "", "sender": self.host, "content": content, "depth": 1}
        if not self.version.room_id_is_create_hash:
            pdu["room_id"] = f"!room:{remote.name}"
        self.create = self.signed({**pdu, "prev_events": [], "auth_events": []})
        self.room_id = self.create.room_id

    def signed(self, pdu):
        key = self.remote.signing_keys[0]
        return parse_event(
            sign_event({**pdu, "origin_server_ts": 1}, self.version, self.remote.name, key), self.version
        )

    def invite(self, target, server, told=None, **changed):
        """Invite; the answer."""
        pdu = {"type": "m.room.member", "room_id": self.room_id, "sender": self.host, "state_key": target, "depth": 5}
        pdu |= {"content": {"membership": "invite"}, "prev_events": ["$p"], "auth_events": ["$a"], **changed}
        event = self.signed(pdu)
        body = {"event": event.pdu, "room_version": self.version.id}
        body["invite_room_state"] = [self.create.pdu] if told is None else told
        path = f"/_matrix/federation/v2/invite/{quote(self.room_id, safe='')}/{quote(event.event_id, safe='')}"
        return self.remote.call(server.base, server.name, "PUT", path, body)


@pytest.mark.parametrize("version", ["10", "12"])
def test_an_invite_is_signed_and_reaches_the_user(alpha, remote, version):
    bob, host = alpha.register(), Host(remote, version)
    answer = host.invite(bob.user_id, alpha)
    assert set(answer.json()["event"]["signatures"]) == {alpha.name, remote.name}
    told = bob.sync()["rooms"]["invite"][host.room_id]["invite_state"]["events"]
    assert {one["type"] for one in told} == {"m.room.create", "m.room.member"}


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        ([], {}),
        ([{"type": "m.room.create", "state_key": "", "sender": "@a:b", "content": {}}], {}),
        (None, {"type": "m.room.topic"}),
        (None, {"content": {"membership": "join"}}),
        (None, {"state_key": "@else:else.org"}),
    ],
)
def test_an_invite_that_is_none_is_not_signed(alpha, remote, told, changed):
    answer = Host(remote).invite(alpha.register().user_id, alpha, told, **changed)
    assert (answer.status_code, answer.json()["errcode"]) == (400, "M_INVALID_PARAM")


def test_an_invite_by_somebody_elses_user_is_not_signed(alpha, remote):
    answer = Host(remote).invite(alpha.register().user_id, alpha, None, sender="@else:else.org")
    assert (answer.status_code, answer.json()["errcode"]) == (403, "M_FORBIDDEN")


def test_an_invite_to_nobody_is_not_found(alpha, remote):
    assert Host(remote).invite(f"@nobody:{alpha.name}", alpha).status_code == 404
