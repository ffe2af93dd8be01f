"""Users learn which rooms they share; and lookups in bridged networks find nothing without bridges."""

import pytest

from tests.servers.trellis import Refused

OLDER = "/unstable/uk.half-shot.msc2666/user/mutual_rooms"


def test_rooms_both_are_joined_to_are_mutual(alice, bob):
    shared, left, own = (alice.create_room(preset="public_chat") for _ in range(3))
    for room in (shared, left):
        bob.join(room)
    bob.post(f"/v3/rooms/{left}/leave")
    assert own not in (shared, left)
    expected = {"joined": [shared], "count": 1}
    assert alice.get("/v1/mutual_rooms", user_id=bob.user_id) == expected
    assert bob.get(OLDER, user_id=alice.user_id) == expected
    assert bob.get(f"{OLDER}/{alice.user_id}") == expected


def test_a_user_nobody_knows_shares_nothing(alice):
    assert alice.get("/v1/mutual_rooms", user_id="@nobody:elsewhere.example") == {"joined": [], "count": 0}


def test_bad_questions_are_refused(alice, bob):
    for query in ({}, {"user_id": "bob"}, {"user_id": alice.user_id}, {"user_id": bob.user_id, "from": "x"}):
        with pytest.raises(Refused) as refused:
            alice.get("/v1/mutual_rooms", **query)
        assert refused.value.status == 400


def test_without_bridges_no_network_is_found(alice):
    assert alice.get("/v3/thirdparty/protocols") == {}
    for path, query in (
        ("protocol/irc", {}),
        ("location/irc", {"channel": "#x"}),
        ("user/irc", {"nick": "x"}),
        ("location", {"alias": "#x:example.org"}),
        ("user", {"userid": "@x:example.org"}),
    ):
        with pytest.raises(Refused) as refused:
            alice.get(f"/v3/thirdparty/{path}", **query)
        assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")
    with pytest.raises(Refused) as refused:
        alice.get("/v3/thirdparty/user")
    assert refused.value.errcode == "M_MISSING_PARAM"
