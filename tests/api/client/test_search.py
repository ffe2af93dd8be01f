"""Messages are searched where the searcher may see them, with context, groups and pages."""

from uuid import uuid4

import pytest

from tests.servers.trellis import Refused, Server


def search(user, term, token=None, **criteria):
    body = {"search_categories": {"room_events": {"search_term": term, **criteria}}}
    query = {"next_batch": token} if token else {}
    return user.post("/v3/search", body, **query)["search_categories"]["room_events"]


def ids(answer):
    return [one["result"]["event_id"] for one in answer["results"]]


@pytest.fixture
def word():
    return f"z{uuid4().hex[:10]}"


def test_a_message_is_found_at_once_by_its_words(alice, word):
    room = alice.create_room()
    event = alice.send(room, f"The quick brown {word} jumps")
    alice.send(room, "something else")
    answer = search(alice, f"QUICK {word}")
    (found,) = answer["results"]
    assert (found["result"]["event_id"], found["result"]["room_id"]) == (event, room)
    assert found["result"]["content"]["body"].startswith("The quick")
    assert found["rank"] > 0
    assert (answer["count"], answer["highlights"]) == (1, ["quick", word])
    assert ids(search(alice, f"slow {word}")) == []


@pytest.mark.parametrize("term", ["北京", "京", "爱北京", "天安门"])
def test_chinese_is_found_by_any_part(alice, word, term):
    event = alice.send(alice.create_room(), f"{word}：我爱北京天安门")
    assert ids(search(alice, f"{word} {term}")) == [event]
    assert ids(search(alice, f"{word} 东京")) == []


def test_names_and_topics_are_found_by_their_keys(alice, word):
    room = alice.create_room(name=f"name {word}", topic=f"topic {word}")
    message = alice.send(room, word)
    assert len(ids(search(alice, word))) == 3
    assert ids(search(alice, word, keys=["content.body"])) == [message]
    for key, text in (("name", "name"), ("topic", "topic")):
        (found,) = search(alice, word, keys=[f"content.{key}"])["results"]
        assert found["result"]["type"] == f"m.room.{text}"


def test_others_do_not_find_what_they_may_not_see(alice, bob, word):
    room = alice.create_room(preset="private_chat", invite=[bob.user_id])
    before = alice.send(room, f"{word} before")
    assert ids(search(bob, word)) == []
    bob.join(room)
    between = alice.send(room, f"{word} between")
    assert set(ids(search(bob, word))) == {before, between}
    bob.post(f"/v3/rooms/{room}/leave")
    alice.send(room, f"{word} after")
    assert set(ids(search(bob, word))) == {before, between}
    bob.post(f"/v3/rooms/{room}/forget")
    assert ids(search(bob, word)) == []


def test_what_ignored_users_say_is_not_found_nor_shown_around(alice, bob, word):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    bob.send(room, f"{word} by somebody else")
    own = alice.send(room, f"{word} by myself")
    bob.send(room, "afterwards")
    listed = {"ignored_users": {bob.user_id: {}, alice.user_id: {}}}
    alice.put(f"/v3/user/{alice.user_id}/account_data/m.ignored_user_list", listed)
    (found,) = search(alice, word, event_context={})["results"]
    assert found["result"]["event_id"] == own
    around = (*found["context"]["events_before"], *found["context"]["events_after"])
    assert {event["type"] for event in around if event["sender"] == bob.user_id} <= {"m.room.member"}
    assert len(search(bob, word)["results"]) == 2


def test_redacted_messages_are_not_found(alice, word):
    room = alice.create_room()
    event = alice.send(room, word)
    assert ids(search(alice, word)) == [event]
    alice.put(f"/v3/rooms/{room}/redact/{event}/r1", {})
    answer = search(alice, word)
    assert (ids(answer), answer["count"]) == ([], 0)


def test_encrypted_rooms_are_left_out(alice, word):
    room = alice.create_room()
    alice.send(room, word)
    alice.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    assert ids(search(alice, word)) == []


@pytest.mark.parametrize("order", ["recent", "rank"])
def test_pages_join_to_the_whole(alice, word, order):
    room = alice.create_room()
    events = [alice.send(room, f"{word} number {n}") for n in range(5)]
    found, token = [], None
    while True:
        answer = search(alice, word, token, order_by=order, filter={"limit": 2})
        found += ids(answer)
        assert answer["count"] == 5
        token = answer.get("next_batch")
        if token is None:
            break
    assert found == events[::-1]


def test_the_closest_comes_first_unless_the_newest_is_asked_for(alice, word):
    room = alice.create_room()
    close = alice.send(room, word)
    far = alice.send(room, f"{word} among so many other words of no interest")
    assert ids(search(alice, word)) == [close, far]
    assert ids(search(alice, word, order_by="recent")) == [far, close]


def test_context_has_the_events_around_and_their_senders(alice, word):
    room = alice.create_room()
    texts = [alice.send(room, text) for text in ("one", "two", word, "four", "five")]
    wanted = {"before_limit": 1, "after_limit": 1, "include_profile": True}
    (found,) = search(alice, word, event_context=wanted)["results"]
    context = found["context"]
    assert [one["event_id"] for one in context["events_before"] + context["events_after"]] == [texts[1], texts[3]]
    assert list(context["profile_info"]) == [alice.user_id]
    earlier = alice.get(f"/v3/rooms/{room}/messages", dir="b", **{"from": context["start"]}, limit=1)
    later = alice.get(f"/v3/rooms/{room}/messages", dir="f", **{"from": context["end"]}, limit=1)
    assert [one["event_id"] for one in earlier["chunk"] + later["chunk"]] == [texts[0], texts[4]]


@pytest.mark.parametrize("order", ["recent", "rank"])
def test_groups_name_their_results_and_page_by_themselves(alice, bob, word, order):
    first, second = alice.create_room(preset="public_chat"), alice.create_room()
    bob.join(first)
    of_bob = bob.send(first, word)
    of_alice = [alice.send(room, word) for room in (first, second, first)]
    groupings = {"group_by": [{"key": "room_id"}, {"key": "sender"}]}
    answer = search(alice, word, groupings=groupings, order_by=order, filter={"limit": 2})
    assert ids(answer) == [of_alice[2], of_alice[1]]
    groups = answer["groups"]
    assert groups["room_id"][first]["results"] == [of_alice[2]]
    assert groups["sender"][alice.user_id]["results"] == [of_alice[2], of_alice[1]]
    rest = search(alice, word, groups["room_id"][first]["next_batch"], groupings=groupings, order_by=order)
    assert ids(rest) == [of_alice[0], of_bob]


def test_filters_narrow_the_search(alice, bob, word):
    room, other = alice.create_room(preset="public_chat"), alice.create_room()
    bob.join(room)
    of_bob, of_alice, elsewhere = bob.send(room, word), alice.send(room, word), alice.send(other, word)
    image = alice.send(other, {"msgtype": "m.image", "body": word, "url": "mxc://a/b"})
    for wanted, expected in (
        ({"rooms": [room]}, {of_bob, of_alice}),
        ({"not_rooms": [room]}, {elsewhere, image}),
        ({"senders": [bob.user_id]}, {of_bob}),
        ({"not_senders": [alice.user_id]}, {of_bob}),
        ({"types": ["m.room.name"]}, set()),
        ({"contains_url": True}, {image}),
        ({"rooms": []}, set()),
    ):
        assert set(ids(search(alice, word, filter=wanted))) == expected, wanted


def test_state_is_included_where_asked_for(alice, word):
    room = alice.create_room(name="here")
    alice.send(room, word)
    assert "state" not in search(alice, word)
    state = search(alice, word, include_state=True)["state"]
    assert list(state) == [room]
    assert {"m.room.create", "m.room.name", "m.room.member"} <= {event["type"] for event in state[room]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"search_categories": {"room_events": {}}},
        {"search_categories": {"room_events": {"search_term": "x", "keys": ["content.secret"]}}},
        {"search_categories": {"room_events": {"search_term": "x", "order_by": "luck"}}},
        {"search_categories": {"room_events": {"search_term": "x", "filter": {"limit": "5"}}}},
        {"search_categories": {"room_events": {"search_term": "x", "groupings": {"group_by": [{"key": "moon"}]}}}},
    ],
)
def test_bad_questions_are_refused(alice, body):
    with pytest.raises(Refused) as refused:
        alice.post("/v3/search", body)
    assert refused.value.status == 400


def test_what_finds_nothing_is_an_empty_answer(alice):
    assert alice.post("/v3/search", {"search_categories": {}}) == {"search_categories": {}}
    assert search(alice, "!?")["results"] == []
    with pytest.raises(Refused) as refused:
        search(alice, "x", "nonsense")
    assert refused.value.errcode == "M_INVALID_PARAM"


@pytest.mark.mariadb
def test_the_same_is_found_on_mariadb(mariadb, tmp_path, word):
    with mariadb.schema() as settings:
        args = {"unix_socket": settings.unix_socket, "user": settings.user, "database": settings.database}
        server = Server(tmp_path, {"name": "mysql", "args": args}).start()
        try:
            alice = server.register("alice")
            room = alice.create_room(name=f"the {word}")
            event = alice.send(room, f"{word} is a Straße in 北京")
            for term in ("a", "STRASSE", "strass", "北京", "北", f"{word} 京"):
                assert ids(search(alice, f"is {term}")) == [event], term
            assert ids(search(alice, "京北")) == []
            assert len(ids(search(alice, f"{word}"))) == 2
            alice.put(f"/v3/rooms/{room}/redact/{event}/r1", {})
            assert ids(search(alice, "北京")) == []
        finally:
            server.stop()


def test_a_search_of_an_upgraded_room_finds_what_was_said_before(alice):
    old = alice.create_room()
    first = alice.send(old, "the wombat begins")
    new = alice.post(f"/v3/rooms/{old}/upgrade", {"new_version": "11"})["replacement_room"]
    last = alice.send(new, "the wombat goes on")
    wanted = {"search_term": "wombat", "order_by": "recent", "filter": {"rooms": [new]}}
    found = alice.post("/v3/search", {"search_categories": {"room_events": wanted}})
    results = found["search_categories"]["room_events"]["results"]
    assert [one["result"]["event_id"] for one in results] == [last, first]
