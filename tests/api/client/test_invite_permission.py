"""Blocking invites over HTTP: by everybody, by lists, and what sync shows."""

import pytest

from tests.servers.trellis import Refused


def configure(user, kind, content):
    user.put(f"/v3/user/{user.user_id}/account_data/{kind}", content)


def invite(user, target, **options):
    room = user.create_room(**options)
    user.post(f"/v3/rooms/{room}/invite", {"user_id": target.user_id})
    return room


def invited(user):
    return user.sync()["rooms"].get("invite", {})


def test_all_invites_are_blocked_until_they_are_not(alice, bob):
    before = invite(alice, bob)
    configure(bob, "m.invite_permission_config", {"default_action": "block"})
    room = alice.create_room()
    member = {"membership": "invite"}
    for send in (
        lambda: alice.post(f"/v3/rooms/{room}/invite", {"user_id": bob.user_id}),
        lambda: alice.set_state(room, "m.room.member", member, bob.user_id),
        lambda: alice.create_room(invite=[bob.user_id]),
    ):
        with pytest.raises(Refused) as refused:
            send()
        assert (refused.value.status, refused.value.errcode) == (403, "M_INVITE_BLOCKED")
    assert invited(bob) == {}
    configure(bob, "m.invite_permission_config", {})
    after = invite(alice, bob)
    assert set(invited(bob)) == {before, after}


def test_lists_of_users_and_servers_decide_in_their_order(server, alice, bob):
    carol = server.register()
    lists = {"enabled": True, "allowed_users": [carol.user_id], "blocked_servers": [server.name]}
    configure(bob, "org.matrix.msc4155.invite_permission_config", lists)
    with pytest.raises(Refused) as refused:
        invite(alice, bob)
    assert refused.value.errcode == "M_INVITE_BLOCKED"
    room = invite(carol, bob)
    assert set(invited(bob)) == {room}


def test_an_ignored_inviter_is_told_nothing_and_neither_is_the_invited(alice, bob):
    configure(bob, "org.matrix.msc4155.invite_permission_config", {"ignored_users": [alice.user_id[:3] + "*"]})
    invite(alice, bob)
    assert invited(bob) == {}
