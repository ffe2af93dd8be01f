"""Subscriptions to threads: by hand, automatically, and told to other devices."""

import pytest

from tests.api.client.sliding_client import ask
from tests.servers.trellis import Refused

EXTENSION = "io.element.msc4308.thread_subscriptions"


@pytest.fixture
def thread(alice):
    """(room, root, a reply)."""
    room = alice.create_room()
    root = alice.send(room, "root")
    relation = {"rel_type": "m.thread", "event_id": root}
    return room, root, alice.send(room, {"msgtype": "m.text", "body": "reply", "m.relates_to": relation})


def path(room, root):
    return f"/unstable/io.element.msc4306/rooms/{room}/thread/{root}/subscription"


def refusal(call):
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.status, refused.value.errcode


def test_a_subscription_is_made_read_and_ended(alice, thread):
    room, root, _ = thread
    assert refusal(lambda: alice.get(path(room, root))) == (404, "M_NOT_FOUND")
    alice.put(path(room, root))
    assert alice.get(path(room, root)) == {"automatic": False}
    alice.call("DELETE", path(room, root))
    assert refusal(lambda: alice.get(path(room, root))) == (404, "M_NOT_FOUND")


def test_a_client_subscribes_by_itself_but_not_against_the_word_of_its_user(alice, thread):
    room, root, reply = thread
    alice.put(path(room, root), {"automatic": reply})
    assert alice.get(path(room, root)) == {"automatic": True}
    alice.call("DELETE", path(room, root))
    conflict = refusal(lambda: alice.put(path(room, root), {"automatic": reply}))
    assert conflict == (409, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION")
    relation = {"rel_type": "m.thread", "event_id": root}
    later = alice.send(room, {"msgtype": "m.text", "body": "later", "m.relates_to": relation})
    alice.put(path(room, root), {"automatic": later})
    assert alice.get(path(room, root)) == {"automatic": True}


def test_a_cause_outside_the_thread_and_threads_out_of_sight_are_refused(alice, bob, thread):
    room, root, _ = thread
    outside = refusal(lambda: alice.put(path(room, root), {"automatic": alice.send(room, "outside")}))
    assert outside == (400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD")
    assert refusal(lambda: bob.put(path(room, root))) == (404, "M_NOT_FOUND")
    assert refusal(lambda: alice.put(path(room, "$nothing"))) == (404, "M_NOT_FOUND")


def test_other_devices_hear_of_it_by_sliding_sync_and_page_back(alice, thread):
    room, root, reply = thread
    body = {"extensions": {EXTENSION: {"enabled": True}}}
    first = ask(alice, body)
    assert first["extensions"][EXTENSION] == {}
    alice.put(path(room, root), {"automatic": reply})
    second = ask(alice, body, first["pos"], timeout=5_000)
    told = second["extensions"][EXTENSION]["subscribed"][room][root]
    assert told["automatic"] is True
    alice.call("DELETE", path(room, root))
    third = ask(alice, body, second["pos"], timeout=5_000)
    assert set(third["extensions"][EXTENSION]["unsubscribed"][room]) == {root}
    alice.put(path(room, reply))
    listed = alice.get("/unstable/io.element.msc4308/thread_subscriptions", limit=1)
    assert set(listed["subscribed"][room]) == {reply}
    rest = alice.get("/unstable/io.element.msc4308/thread_subscriptions", **{"from": listed["end"]})
    assert (set(rest["unsubscribed"][room]), "end" in rest) == ({root}, False)
