"""Restricted rooms that a server is in, none of whose users may vouch for others."""

from __future__ import annotations

import pytest

from tests.servers.trellis import Refused
from tests.servers.watching import Watcher, state_content


@pytest.fixture
def rooms(alpha, beta):
    """Who owns a restricted room and one whose members may join it, both with a member of the other server."""
    alice, bob = alpha.register(), beta.register()
    allowed = alice.create_room(preset="public_chat")
    rules = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": allowed}]}
    state = [{"type": "m.room.join_rules", "state_key": "", "content": rules}]
    levels = {"invite": 50}
    room_id = alice.create_room(room_version="10", initial_state=state, power_level_content_override=levels)
    for one in (allowed, room_id):
        bob.join(one, via=alpha.name)
    return alice, allowed, room_id


def test_a_server_that_may_not_vouch_has_its_user_let_in_by_one_that_may(beta, rooms):
    alice, allowed, room_id = rooms
    carol = beta.register()
    carol.join(allowed)
    Watcher(alice).member(allowed, carol.user_id, "join")
    carol.join(room_id)
    joined = state_content(carol, room_id, "m.room.member", carol.user_id)
    assert joined["join_authorised_via_users_server"] == alice.user_id
    watcher = Watcher(alice)
    watcher.event(room_id, carol.send(room_id, "thank you"))


def test_who_is_in_none_of_the_rooms_is_refused_by_both(beta, rooms):
    _, _, room_id = rooms
    with pytest.raises(Refused) as caught:
        beta.register().join(room_id)
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
