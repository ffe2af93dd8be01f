"""The extensions of sliding sync."""

from __future__ import annotations

import pytest

from tests.api.client.sliding_client import ask, extended, one_list, subscribed
from tests.api.client.sync_room import at
from tests.servers.device_keys import ClientDevice

TO_DEVICE, E2EE = extended("to_device"), extended("e2ee")


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def message(sender, to, n):
    sender.put(f"/v3/sendToDevice/org.example/{n}", {"messages": {to.user_id: {"*": {"n": n}}}})


def numbers(answer):
    return [event["content"]["n"] for event in answer["extensions"]["to_device"]["events"]]


def test_extensions_that_are_off_say_nothing(alice, room):
    assert ask(alice, one_list())["extensions"] == {}
    assert ask(alice, {**one_list(), "extensions": {"typing": {"enabled": False}, "x": {}}})["extensions"] == {}


def test_messages_to_a_device_come_until_they_are_acknowledged(alice, bob):
    message(bob, alice, 1)
    first = ask(alice, TO_DEVICE)
    assert numbers(first) == [1]
    again = ask(alice, TO_DEVICE)
    assert numbers(again) == [1]
    since = extended("to_device", since=again["extensions"]["to_device"]["next_batch"])
    assert numbers(ask(alice, since, again["pos"])) == []
    assert numbers(ask(alice, TO_DEVICE)) == []


def test_a_message_to_a_device_ends_a_wait(alice, bob):
    first = ask(alice, TO_DEVICE)
    message(bob, alice, 2)
    since = extended("to_device", since=first["extensions"]["to_device"]["next_batch"])
    assert numbers(ask(alice, since, first["pos"], timeout=20_000)) == [2]


def test_many_messages_come_in_order_over_several_answers(alice, bob):
    for n in range(120):
        message(bob, alice, n)
    answer, found = ask(alice, TO_DEVICE), []
    while numbers(answer):
        found += numbers(answer)
        since = extended("to_device", since=answer["extensions"]["to_device"]["next_batch"])
        answer = ask(alice, since, answer["pos"])
    assert found == list(range(120))


def test_keys_are_counted_in_every_answer(alice):
    first = ask(alice, E2EE)
    assert "device_one_time_keys_count" in first["extensions"]["e2ee"]
    assert "device_lists" not in first["extensions"]["e2ee"]
    assert "device_unused_fallback_key_types" in ask(alice, E2EE, first["pos"])["extensions"]["e2ee"]


def test_changed_device_lists_are_told(alice, bob, room):
    pos = ask(alice, E2EE)["pos"]
    bob.post("/v3/keys/upload", {"device_keys": ClientDevice(bob.user_id, bob.device_id).keys()})
    answer = ask(alice, E2EE, pos, timeout=5000)
    assert answer["extensions"]["e2ee"]["device_lists"]["changed"] == [bob.user_id]


def test_account_data_comes_at_first_and_as_it_changes(alice, room):
    body = {**one_list(), **extended("account_data")}
    alice.put(f"/v3/user/{alice.user_id}/account_data/org.example", {"a": 1})
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.room", {"a": 2})
    first = ask(alice, body)
    told = first["extensions"]["account_data"]
    assert {"org.example", "m.push_rules"} <= {event["type"] for event in told["global"]}
    assert told["rooms"][room] == [{"type": "org.room", "content": {"a": 2}}]
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.room", {"a": 3})
    told = ask(alice, body, first["pos"], timeout=5000)["extensions"]["account_data"]
    assert told == {"global": [], "rooms": {room: [{"type": "org.room", "content": {"a": 3}}]}}


def test_receipts_come_with_a_room_and_as_they_move(alice, bob, room):
    body = {**one_list(), **extended("receipts")}
    event = alice.send(room)
    bob.post(f"{at(room)}/receipt/m.read/{event}", {})
    first = ask(alice, body)
    content = first["extensions"]["receipts"]["rooms"][room]["content"]
    assert bob.user_id in content[event]["m.read"]
    later = alice.send(room)
    bob.post(f"{at(room)}/receipt/m.read/{later}", {})
    pos = first["pos"]
    moved = ask(alice, body, pos, timeout=5000)["extensions"]["receipts"]["rooms"][room]
    assert (moved["type"], list(moved["content"])) == ("m.receipt", [later])


def test_a_room_left_and_joined_between_two_answers_begins_anew_with_all_its_receipts(alice, bob, room):
    body = {**one_list(), **extended("receipts", "account_data")}
    event = alice.send(room)
    alice.post(f"{at(room)}/receipt/m.read/{event}", {})
    bob.put(f"/v3/user/{bob.user_id}/rooms/{room}/account_data/org.room", {"a": 2})
    pos = ask(bob, body)["pos"]
    bob.post(f"{at(room)}/leave")
    bob.join(room)
    answer = ask(bob, body, pos)
    assert answer["rooms"][room]["initial"]
    assert alice.user_id in answer["extensions"]["receipts"]["rooms"][room]["content"][event]["m.read"]
    assert answer["extensions"]["account_data"]["rooms"][room] == [{"type": "org.room", "content": {"a": 2}}]
    assert "receipts" not in ask(bob, body, answer["pos"])["extensions"]


def test_receipts_of_several_threads_are_one_event(alice, bob, room):
    body = {**one_list(), **extended("receipts")}
    pos = ask(alice, body)["pos"]
    one, two = alice.send(room), alice.send(room)
    bob.post(f"{at(room)}/receipt/m.read/{one}", {})
    bob.post(f"{at(room)}/receipt/m.read/{two}", {"thread_id": "main"})
    content = ask(alice, body, pos)["extensions"]["receipts"]["rooms"][room]["content"]
    assert set(content) == {one, two}
    assert content[two]["m.read"][bob.user_id]["thread_id"] == "main"


def test_typing_begins_and_ends(alice, bob, room):
    body = {**one_list(), **extended("typing")}
    pos = ask(alice, body)["pos"]
    path = f"{at(room)}/typing/{bob.user_id}"
    bob.put(path, {"typing": True, "timeout": 30_000})
    answer = ask(alice, body, pos, timeout=5000)
    typing = answer["extensions"]["typing"]["rooms"][room]
    assert typing == {"type": "m.typing", "content": {"user_ids": [bob.user_id]}}
    bob.put(path, {"typing": False})
    ended = ask(alice, body, answer["pos"], timeout=5000)["extensions"]["typing"]["rooms"][room]
    assert ended["content"] == {"user_ids": []}


def test_an_extension_of_some_rooms_is_silent_about_others_until_it_is_of_all(alice, bob, room):
    other = alice.create_room()
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.room", {"a": 1})
    alice.put(f"/v3/user/{alice.user_id}/rooms/{other}/account_data/org.room", {"a": 2})
    some = {**one_list(), **extended("account_data", lists=[], rooms=[other])}
    first = ask(alice, some)
    assert set(first["extensions"]["account_data"]["rooms"]) == {other}
    answer = ask(alice, {**one_list(), **extended("account_data")}, first["pos"])
    assert set(answer["extensions"]["account_data"]["rooms"]) == {room}


def test_an_extension_of_subscriptions_follows_them(alice, room):
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.room", {"a": 1})
    body = extended("account_data", lists=[])
    first = ask(alice, body)
    assert first["extensions"]["account_data"]["rooms"] == {}
    answer = ask(alice, {**body, **subscribed(room)}, first["pos"])
    assert set(answer["extensions"]["account_data"]["rooms"]) == {room}
