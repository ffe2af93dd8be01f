"""Reports over HTTP: who may report what, and that it is kept."""

import sqlite3

import pytest

from tests.servers.trellis import Refused


def kept(server, reporter):
    columns = "subject, room_id, event_id, target, reason, score"
    rows = sqlite3.connect(server.folder / "hs.db").execute(
        f"SELECT {columns} FROM reports WHERE CAST(reporter AS TEXT) = ? ORDER BY report_nid", (reporter.user_id,)
    )
    return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in rows]


def test_events_rooms_and_users_are_reported_with_a_reason(server, alice, bob):
    room = alice.create_room(preset="public_chat")
    event = alice.send(room, "rude")
    bob.join(room)
    bob.post(f"/v3/rooms/{room}/report/{event}", {"reason": "rude", "score": -50})
    bob.post(f"/v3/rooms/{room}/report", {"reason": ""})
    bob.post(f"/v3/users/{alice.user_id}/report", {"reason": "ill-mannered"})
    assert kept(server, bob) == [
        (1, room, event, alice.user_id, "rude", -50),
        (2, room, "", "", "", None),
        (3, "", "", alice.user_id, "ill-mannered", None),
    ]


def test_only_members_report_events(alice, bob):
    room = alice.create_room()
    event = alice.send(room, "private")
    for user, path in ((bob, event), (alice, "$nothing")):
        with pytest.raises(Refused) as refused:
            user.post(f"/v3/rooms/{room}/report/{path}", {})
        assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")


@pytest.mark.parametrize("path", ["/v3/rooms/!none:example.org/report", "/v3/users/@nobody-{}/report"])
def test_what_does_not_exist_is_not_found(server, alice, path):
    path = path.replace("@nobody-{}", f"@nobody:{server.name}")
    with pytest.raises(Refused) as refused:
        alice.post(path, {"reason": "x"})
    assert refused.value.status == 404


@pytest.mark.parametrize("body", [{"reason": 5}, {"score": "bad"}, {"reason": "x" * 5000}])
def test_a_report_of_the_wrong_form_is_refused(alice, body):
    room = alice.create_room()
    event = alice.send(room, "x")
    with pytest.raises(Refused) as refused:
        alice.post(f"/v3/rooms/{room}/report/{event}", body)
    assert (refused.value.status, refused.value.errcode) == (400, "M_BAD_JSON")
