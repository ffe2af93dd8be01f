"""The room directory is searched, filtered and paged, and only those who run a room publish it."""

from uuid import uuid4

import pytest

from tests.servers.trellis import Refused


def published(user, name, **options):
    return user.create_room(name=name, visibility="public", preset="public_chat", **options)


def names(answer):
    return [room.get("name") for room in answer["chunk"]]


def test_a_published_room_is_listed_at_once(alice, bob):
    word = uuid4().hex
    room = published(alice, f"Café {word}", topic="cheese", room_alias_name=word)
    answer = bob.post("/v3/publicRooms", {"filter": {"generic_search_term": word.upper()}})
    (found,) = answer["chunk"]
    assert (found["room_id"], found["name"], found["topic"]) == (room, f"Café {word}", "cheese")
    assert (found["num_joined_members"], found["join_rule"], found["guest_can_join"]) == (1, "public", False)
    assert found["canonical_alias"].startswith(f"#{word}:")
    assert answer["total_room_count_estimate"] == 1


def test_a_search_finds_topics_parts_of_words_and_chinese(alice):
    word = uuid4().hex
    published(alice, f"大家好 {word}", topic="Ünïcödé talk")
    for term in ("家", "NÏCÖ", "talk 大家"):
        answer = alice.post("/v3/publicRooms", {"filter": {"generic_search_term": f"{term} {word}"}})
        assert len(answer["chunk"]) == 1, term


def test_pages_go_both_ways(alice, bob):
    word = uuid4().hex
    rooms = [published(alice, f"{word} {n}") for n in range(5)]
    bob.join(rooms[3])
    search = {"filter": {"generic_search_term": word}, "limit": 2}
    first = alice.post("/v3/publicRooms", search)
    assert names(first) == [f"{word} 3", f"{word} 0"]
    assert "prev_batch" not in first
    second = alice.post("/v3/publicRooms", {**search, "since": first["next_batch"]})
    third = alice.post("/v3/publicRooms", {**search, "since": second["next_batch"]})
    assert names(second) + names(third) == [f"{word} 1", f"{word} 2", f"{word} 4"]
    assert "next_batch" not in third
    back = alice.post("/v3/publicRooms", {**search, "since": second["prev_batch"]})
    assert names(back) == names(first)
    assert "prev_batch" not in back


def test_a_filter_picks_room_types(alice):
    word = uuid4().hex
    published(alice, f"{word} room")
    published(alice, f"{word} space", creation_content={"type": "m.space"})
    for types, expected in (
        (["m.space"], ["space"]),
        ([None], ["room"]),
        ([None, "m.space"], ["room", "space"]),
        ([], []),
    ):
        body = {"filter": {"generic_search_term": word, "room_types": types}}
        assert names(alice.post("/v3/publicRooms", body)) == [f"{word} {kind}" for kind in expected]


def test_a_change_of_name_shows_and_a_room_taken_off_the_list_does_not(alice):
    word, other = uuid4().hex, uuid4().hex
    room = published(alice, word)
    alice.set_state(room, "m.room.name", {"name": other})
    assert names(alice.post("/v3/publicRooms", {"filter": {"generic_search_term": word}})) == []
    assert names(alice.post("/v3/publicRooms", {"filter": {"generic_search_term": other}})) == [other]
    alice.put(f"/v3/directory/list/room/{room}", {"visibility": "private"})
    assert names(alice.post("/v3/publicRooms", {"filter": {"generic_search_term": other}})) == []


def test_rooms_nobody_can_enter_or_read_are_left_out(alice):
    word = uuid4().hex
    room = published(alice, word)
    alice.set_state(room, "m.room.join_rules", {"join_rule": "invite"})
    search = {"filter": {"generic_search_term": word}}
    assert names(alice.post("/v3/publicRooms", search)) == []
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    assert alice.post("/v3/publicRooms", search)["chunk"][0]["world_readable"] is True


def test_the_list_can_be_read_with_get(alice):
    room = published(alice, "listed")
    since, found = None, []
    while True:
        page = alice.get("/v3/publicRooms", limit=3, **({"since": since} if since else {}))
        found += [one["room_id"] for one in page["chunk"]]
        since = page.get("next_batch")
        if since is None:
            break
    assert found.count(room) == 1
    assert len(found) == page["total_room_count_estimate"]


def test_who_does_not_run_a_room_may_not_publish_it(alice, bob):
    room = alice.create_room(preset="public_chat")
    path = f"/v3/directory/list/room/{room}"
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            bob.put(path, {"visibility": "public"})
        assert refused.value.status == 403
        bob.join(room)
    assert alice.get(path) == {"visibility": "private"}
    alice.put(path, {})
    assert bob.get(path) == {"visibility": "public"}


def test_rooms_of_networks_are_listed_apart(alice):
    word = uuid4().hex
    published(alice, word)
    search = {"filter": {"generic_search_term": word}}
    assert names(alice.post("/v3/publicRooms", {**search, "third_party_instance_id": "irc|net"})) == []
    assert names(alice.post("/v3/publicRooms", {**search, "include_all_networks": True})) == [word]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"since": "nonsense"}, 400),
        ({"limit": -1}, 400),
        ({"limit": "5"}, 400),
        ({"filter": {"room_types": [3]}}, 400),
        ({"include_all_networks": True, "third_party_instance_id": "irc"}, 400),
    ],
)
def test_bad_questions_are_refused(alice, body, status):
    with pytest.raises(Refused) as refused:
        alice.post("/v3/publicRooms", body)
    assert refused.value.status == status


def test_a_room_that_is_not_known_has_no_visibility(alice):
    for call in (alice.get, alice.put):
        with pytest.raises(Refused) as refused:
            call("/v3/directory/list/room/!nothing:here.example")
        assert (refused.value.status, refused.value.errcode) == (404, "M_NOT_FOUND")


def test_only_application_services_publish_in_networks(alice):
    room = alice.create_room()
    with pytest.raises(Refused) as refused:
        alice.put(f"/v3/directory/list/appservice/irc/{room}", {"visibility": "public"})
    assert refused.value.status == 403
