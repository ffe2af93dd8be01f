"""One of the servers is away for a while: what was said meanwhile is there afterwards, on both."""

from __future__ import annotations

import pytest

from tests.interop.synapse.conftest import Sides, share
from tests.servers.watching import bodies, history, state_content


@pytest.fixture(params=["ours", "synapse"])
def outage(request, trellis, synapse):
    """The server that goes away, and the one that stays; rooms are made by the one that stays."""
    away, home = (trellis, synapse) if request.param == "ours" else (synapse, trellis)
    return Sides(home, away)


def test_what_was_said_during_an_outage_is_caught_up_with(outage):
    few, many, quiet = (share(outage, power_level_content_override={"users_default": 50}) for _ in range(3))
    outage.away.stop()
    missed = [few.host.user.send(few.room_id, f"few{number}") for number in range(5)]
    long = [many.host.user.send(many.room_id, f"many{number}") for number in range(70)]
    quiet.host.user.set_state(quiet.room_id, "m.room.topic", {"topic": "changed"})
    outage.away.start()
    quiet.guest.state(quiet.room_id, "m.room.topic", "", lambda content: content["topic"] == "changed")
    few.guest.event(few.room_id, missed[-1])
    many.guest.event(many.room_id, long[-1])
    for one in few.both():
        assert bodies(history(one.user, few.room_id)) == [f"few{number}" for number in reversed(range(5))]
    many.guest.until(lambda _: len(bodies(history(many.guest.user, many.room_id))) == 70, "all that was said")
    back = few.guest.user.send(few.room_id, "back")
    few.host.event(few.room_id, back)


def test_both_sides_of_a_split_agree_when_it_heals(outage):
    room = share(outage, power_level_content_override={"users_default": 50})
    room.guest.user.set_state(room.room_id, "m.room.topic", {"topic": "before"})
    room.host.state(room.room_id, "m.room.topic", "", bool)
    outage.home.stop()
    room.guest.user.set_state(room.room_id, "m.room.topic", {"topic": "of the guest"})
    theirs = room.guest.user.send(room.room_id, "alone")
    outage.home.start()
    room.host.user.set_state(room.room_id, "m.room.name", {"name": "of the host"})
    ours = room.host.user.send(room.room_id, "alone too")
    for one in room.both():
        one.event(room.room_id, theirs)
        one.event(room.room_id, ours)
    topics = {state_content(one.user, room.room_id, "m.room.topic")["topic"] for one in room.both()}
    assert topics == {"of the guest"}
