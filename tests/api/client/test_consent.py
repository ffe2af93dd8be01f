"""Terms that have to be accepted before somebody acts, and the notices in which the server asks for it."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from tests.servers.trellis import Refused, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server on which nobody acts who has not accepted the terms, and which tells them so."""
    folder = tmp_path_factory.mktemp("consent")
    (folder / "terms" / "en").mkdir(parents=True)
    (folder / "terms" / "en" / "1.0.html").write_text("<p>Terms</p>")
    (folder / "terms" / "en" / "success.html").write_text("<p>Thanks</p>")
    server = Server(
        folder,
        user_consent={
            "template_dir": str(folder / "terms"),
            "version": "1.0",
            "block_events_error": "Please accept the terms first: %(consent_uri)s",
            "server_notice_content": {"msgtype": "m.text", "body": "Our terms: %(consent_uri)s"},
        },
        server_notices={"system_mxid_localpart": "notices", "system_mxid_display_name": "The server"},
    )
    server.start()
    yield server
    server.stop()


def accept(server, link):
    query = {key: values[0] for key, values in parse_qs(urlsplit(link).query).items()}
    form = {"u": query["u"], "h": query["h"], "v": "1.0"}
    assert requests.post(f"{server.base}/_matrix/consent", data=form, timeout=10).status_code == 200


def refusal(call, *arguments, **options):
    with pytest.raises(Refused) as caught:
        call(*arguments, **options)
    return caught.value


def invited_by_server(user):
    """The room of the server's notices, once the invite is there."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for room_id, room in user.sync().get("rooms", {}).get("invite", {}).items():
            if any(event["sender"].startswith("@notices:") for event in room["invite_state"]["events"]):
                return room_id
        time.sleep(0.05)
    raise AssertionError("the server said nothing")


def messages(user, room):
    """What was said, once anything was: the server speaks after it has invited."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = user.get(f"/v3/rooms/{quote(room)}/messages", dir="b", limit=20)["chunk"]
        if texts := [event["content"]["body"] for event in found if event["type"] == "m.room.message"]:
            return texts
        time.sleep(0.05)
    raise AssertionError("the server said nothing")


def test_who_has_not_accepted_the_terms_reads_and_does_not_act(server):
    alice = server.register()
    found = refusal(alice.create_room)
    assert (found.status, found.errcode) == (403, "M_CONSENT_NOT_GIVEN")
    assert found.body["consent_uri"] in found.body["error"]
    alice.sync()
    alice.put(f"/v3/profile/{alice.user_id}/displayname", {"displayname": "Alice"})


def test_whoever_accepts_may_act_at_once(server):
    alice = server.register()
    accept(server, refusal(alice.create_room).body["consent_uri"])
    room = alice.create_room()
    alice.send(room)


def test_what_acts_in_rooms_is_refused(server):
    alice, bob = server.register(), server.register()
    accept(server, refusal(alice.create_room).body["consent_uri"])
    room = quote(alice.create_room(preset="public_chat"))
    paths = (f"/v3/join/{room}", f"/v3/rooms/{room}/join", f"/v3/rooms/{room}/invite", f"/v3/rooms/{room}/kick")
    for path in paths:
        assert refusal(bob.post, path).errcode == "M_CONSENT_NOT_GIVEN"
    assert refusal(bob.put, f"/v3/rooms/{room}/send/m.room.message/1", {}).errcode == "M_CONSENT_NOT_GIVEN"
    assert refusal(bob.put, f"/v3/rooms/{room}/state/m.room.name", {}).errcode == "M_CONSENT_NOT_GIVEN"
    assert refusal(bob.put, f"/v3/rooms/{room}/redact/$a/1", {}).errcode == "M_CONSENT_NOT_GIVEN"


def test_the_server_asks_once_in_a_room_of_its_own(server):
    alice = server.register()
    room = invited_by_server(alice)
    alice.join(room)
    (text,) = messages(alice, room)
    assert text.startswith("Our terms: http")
    assert alice.sync()["rooms"]["join"][room]["account_data"]["events"][0]["content"] == {
        "tags": {"m.server_notice": {}}
    }
    accept(server, re.search(r"http\S+", text)[0])
    assert refusal(alice.send, room, "no").errcode == "M_FORBIDDEN"


def test_the_invite_of_the_server_cannot_be_turned_down_and_the_room_be_left(server):
    alice = server.register()
    room = invited_by_server(alice)
    path = f"/v3/rooms/{quote(room)}/leave"
    assert refusal(alice.post, path).errcode == "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
    alice.join(room)
    alice.post(path)


def test_administrators_tell_users_things_in_the_same_room(server):
    admin, alice = server.register(admin=True), server.register()
    room = invited_by_server(alice)
    body = {"user_id": alice.user_id, "content": {"msgtype": "m.text", "body": "Tea is ready."}}
    url, headers = f"{server.base}/_synapse/admin/v1/send_server_notice", {"Authorization": f"Bearer {admin.token}"}
    sent = [requests.put(f"{url}/t1", json=body, headers=headers, timeout=10).json() for _ in range(2)]
    assert sent[0] == sent[1]
    alice.join(room)
    assert messages(alice, room).count("Tea is ready.") == 1
    nobody = {**body, "user_id": f"@nobody:{server.name}"}
    assert requests.post(url, json=nobody, headers=headers, timeout=10).status_code == 404
    assert requests.post(url, json={**body, "user_id": "@a:else.org"}, headers=headers, timeout=10).status_code == 400
    stranger = {"Authorization": f"Bearer {alice.token}"}
    assert requests.post(url, json=body, headers=stranger, timeout=10).status_code == 403


def test_whoever_has_left_is_invited_again_for_the_next_notice(server):
    admin, alice = server.register(admin=True), server.register()
    room = invited_by_server(alice)
    alice.join(room)
    alice.post(f"/v3/rooms/{quote(room)}/leave")
    body = {"user_id": alice.user_id, "content": {"msgtype": "m.text", "body": "Come back."}}
    url, headers = f"{server.base}/_synapse/admin/v1/send_server_notice", {"Authorization": f"Bearer {admin.token}"}
    assert requests.post(url, json=body, headers=headers, timeout=10).status_code == 200
    assert invited_by_server(alice) == room


def test_nobody_takes_the_name_under_which_the_server_speaks(server):
    with pytest.raises(AssertionError, match="kept for the server itself"):
        server.register("notices")
