"""Delayed events (MSC4140): what is sent later, and what is not."""

import time

import pytest
import requests

from tests.servers.trellis import Refused, Server

PREFIX = "/unstable/org.matrix.msc4140"
LONG = 3_600_000


def delay_message(user, room, delay_ms, body="later", txn="d1"):
    content = {"msgtype": "m.text", "body": body}
    path = f"/v3/rooms/{room}/send/m.room.message/{txn}"
    return user.put(path, content, **{"org.matrix.msc4140.delay": delay_ms})["delay_id"]


def delay_state(user, room, delay_ms, value="later", key="key"):
    path = f"/v3/rooms/{room}/state/com.example.test/{key}"
    return user.put(path, {"value": value}, **{"org.matrix.msc4140.delay": delay_ms})["delay_id"]


def waiting(user):
    return user.get(f"{PREFIX}/delayed_events")["delayed_events"]


def manage(user, delay_id, action):
    return user.post(f"{PREFIX}/delayed_events/{delay_id}", {"action": action})


def value_in(user, room, key="key"):
    return user.get(f"/v3/rooms/{room}/state/com.example.test/{key}")["value"]


def messages_since(user, since, timeout=10_000):
    """The next messages; presence may end a wait as well."""
    deadline = time.monotonic() + timeout / 1000
    while time.monotonic() < deadline:
        answer = user.get("/v3/sync", since=since, timeout=timeout)
        rooms, since = answer.get("rooms", {}).get("join", {}).values(), answer["next_batch"]
        found = [event["content"].get("body") for room in rooms for event in room["timeline"]["events"]]
        if found:
            return found
    return []


def test_nobody_has_delayed_events_at_first(alice):
    assert waiting(alice) == []


def test_a_delayed_message_is_sent_when_its_time_is_up(alice):
    room = alice.create_room()
    since = alice.get("/v3/sync")["next_batch"]
    delay_message(alice, room, 50)
    assert messages_since(alice, since) == ["later"]
    assert waiting(alice) == []


def test_what_waits_is_listed_with_everything_it_has(alice, bob):
    room = alice.create_room()
    delay_id = delay_state(alice, room, LONG)
    (found,) = waiting(alice)
    assert abs(found.pop("running_since") - time.time() * 1000) < 60_000
    expected = {"delay_id": delay_id, "room_id": room, "type": "com.example.test", "state_key": "key"}
    assert found == {**expected, "delay": LONG, "content": {"value": "later"}}
    assert alice.get(f"{PREFIX}/delayed_events/{delay_id}")["state_key"] == "key"
    assert waiting(bob) == []
    with pytest.raises(Refused) as refused:
        bob.get(f"{PREFIX}/delayed_events/{delay_id}")
    assert refused.value.status == 404


@pytest.mark.parametrize("by_path", [False, True])
def test_a_delayed_event_is_sent_at_once_on_demand(alice, server, by_path):
    room = alice.create_room()
    delay_id = delay_state(alice, room, LONG)
    if by_path:  # whoever knows the id may, without a token
        url = f"{server.base}/_matrix/client{PREFIX}/delayed_events/{delay_id}/send"
        assert requests.post(url, json={}, timeout=10).json() == {}
    else:
        assert manage(alice, delay_id, "send") == {}
    assert (value_in(alice, room), waiting(alice)) == ("later", [])


def test_a_cancelled_event_is_gone(alice):
    room = alice.create_room()
    delay_id = delay_state(alice, room, LONG)
    manage(alice, delay_id, "cancel")
    assert waiting(alice) == []
    with pytest.raises(Refused) as refused:
        manage(alice, delay_id, "send")
    assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")


def test_restarting_lets_the_delay_begin_again(alice):
    room = alice.create_room()
    delay_id = delay_state(alice, room, LONG)
    began = waiting(alice)[0]["running_since"]
    while waiting(alice)[0]["running_since"] == began:
        manage(alice, delay_id, "restart")


def test_state_set_by_another_user_calls_it_off(alice, bob):
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    bob.join(room)
    delay_state(alice, room, LONG)
    alice.set_state(room, "com.example.test", {"value": "mine"}, "key")
    assert len(waiting(alice)) == 1
    bob.set_state(room, "com.example.test", {"value": "his"}, "key")
    assert waiting(alice) == []


def test_a_repeated_request_makes_one_event(alice):
    room = alice.create_room()
    assert delay_message(alice, room, LONG) == delay_message(alice, room, LONG)
    assert len(waiting(alice)) == 1


def test_the_path_of_its_own_takes_messages_and_state(alice):
    room = alice.create_room()
    path = f"{PREFIX}/rooms/{room}/delayed_event/com.example.test"
    alice.put(f"{path}/1", {"delay": LONG, "content": {"value": 1}})
    alice.put(f"{path}/2", {"delay": LONG, "content": {"value": 2}, "state_key": ""})
    assert {one.get("state_key") for one in waiting(alice)} == {None, ""}


@pytest.mark.parametrize(
    ("body", "status", "errcode"),
    [
        ({}, 400, "M_MISSING_PARAM"),
        ({"action": "oops"}, 400, "M_INVALID_PARAM"),
        ({"action": "send"}, 404, "M_NOT_FOUND"),
    ],
)
def test_managing_needs_a_known_action_and_id(alice, body, status, errcode):
    with pytest.raises(Refused) as refused:
        alice.post(f"{PREFIX}/delayed_events/unknown", body)
    assert (refused.value.status, refused.value.errcode) == (status, errcode)


@pytest.mark.parametrize(
    ("delay", "errcode"),
    [(-1, "M_INVALID_PARAM"), ("x", "M_INVALID_PARAM"), (90_000_000, "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE")],
)
def test_a_delay_that_cannot_be_is_refused(alice, delay, errcode):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        delay_message(alice, room, delay)
    assert (refused.value.status, refused.value.errcode) == (400, errcode)


def test_only_members_may_schedule(alice, bob):
    with pytest.raises(Refused) as refused:
        delay_message(bob, alice.create_room(), LONG)
    assert refused.value.status == 403


def test_the_list_needs_a_token(server):
    url = f"{server.base}/_matrix/client{PREFIX}/delayed_events"
    assert requests.get(url, timeout=10).json()["errcode"] == "M_MISSING_TOKEN"


def test_what_fell_due_while_the_server_was_down_is_sent_at_the_start_and_limits_hold(tmp_path):
    server = Server(tmp_path, max_delayed_events_per_user=1)
    try:
        alice = server.start().register()
        room = alice.create_room()
        since = alice.get("/v3/sync")["next_batch"]
        delay_message(alice, room, 1500)
        with pytest.raises(Refused) as refused:
            delay_message(alice, room, 1500, txn="other")
        assert (refused.value.status, refused.value.errcode) == (429, "M_LIMIT_EXCEEDED")
        server.kill()
        server.start()
        assert messages_since(alice, since, 20_000) == ["later"]
        assert waiting(alice) == []
    finally:
        server.stop()


def test_the_transports_of_calls_are_told_in_both_places(tmp_path):
    transport = {"type": "livekit", "livekit_service_url": "https://rtc.example.org"}
    server = Server(tmp_path, matrix_rtc={"transports": [transport]})
    try:
        alice = server.start().register()
        assert alice.get("/unstable/org.matrix.msc4143/rtc/transports") == {"rtc_transports": [transport]}
        well_known = requests.get(f"{server.base}/.well-known/matrix/client", timeout=10).json()
        assert well_known["org.matrix.msc4143.rtc_foci"] == [transport]
    finally:
        server.stop()
