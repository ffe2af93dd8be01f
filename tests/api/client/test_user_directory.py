"""Users find each other by name where they share a room or one of them is in a public room."""

from uuid import uuid4

import pytest

from tests.servers.trellis import Refused, Server


def named(server, name):
    user = server.register(f"u{uuid4().hex[:12]}")
    user.put(f"/v3/profile/{user.user_id}/displayname", {"displayname": name})
    return user


def find(user, term, **body):
    answer = user.post("/v3/user_directory/search", {"search_term": term, **body})
    return [one["user_id"] for one in answer["results"]]


@pytest.fixture
def word():
    return f"z{uuid4().hex[:10]}"


def test_members_of_a_shared_room_are_found_at_once_and_not_after_they_leave(server, alice, word):
    carol = named(server, f"Carol {word}")
    assert find(alice, word) == []
    room = alice.create_room(preset="private_chat", invite=[carol.user_id])
    assert find(alice, word) == []
    carol.join(room)
    assert find(alice, word) == [carol.user_id]
    carol.post(f"/v3/rooms/{room}/leave")
    assert find(alice, word) == []


def test_members_of_public_rooms_are_found_by_all(server, alice, word):
    carol = named(server, word)
    room = carol.create_room(preset="public_chat")
    assert find(alice, word) == [carol.user_id]
    carol.set_state(room, "m.room.join_rules", {"join_rule": "invite"})
    assert find(alice, word) == []
    carol.set_state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    assert find(alice, word) == [carol.user_id]


def test_any_part_of_a_name_in_any_script_finds_and_words_go_first(server, alice, word):
    room = alice.create_room(preset="public_chat")
    names = [f"x{word}", f"{word}x", f"{word}", f"张伟 {word}é"]
    users = [named(server, name) for name in names]
    for user in users:
        user.join(room)
    part, beginning, whole, chinese = (user.user_id for user in users)
    assert find(alice, word.upper())[0] == whole
    assert set(find(alice, word)[1:3]) == {beginning, chinese}
    assert find(alice, word)[3] == part
    assert find(alice, f"伟 {word[2:]}") == [chinese]
    assert find(alice, f"{word}É") == [chinese]


def test_an_id_finds_its_user(server, alice):
    carol = named(server, "somebody")
    carol.create_room(preset="public_chat")
    localpart = carol.user_id[1:].partition(":")[0]
    for term in (carol.user_id, carol.user_id[:8], localpart, localpart[3:], localpart.upper()):
        assert carol.user_id in find(alice, term), term


def test_a_changed_profile_is_what_is_searched_and_shown(server, alice, word):
    carol = named(server, word)
    carol.create_room(preset="public_chat")
    carol.put(f"/v3/profile/{carol.user_id}/displayname", {"displayname": f"New {word}"})
    carol.put(f"/v3/profile/{carol.user_id}/avatar_url", {"avatar_url": "mxc://a/b"})
    answer = alice.post("/v3/user_directory/search", {"search_term": f"new {word}"})
    shown = {"user_id": carol.user_id, "display_name": f"New {word}", "avatar_url": "mxc://a/b"}
    assert answer == {"results": [shown], "limited": False}


def test_names_in_single_rooms_are_not_told(server, alice, word):
    carol = named(server, "plain")
    room = carol.create_room(preset="public_chat")
    carol.set_state(room, "m.room.member", {"membership": "join", "displayname": word}, carol.user_id)
    assert find(alice, word) == []


def test_a_limit_is_kept_and_said(server, alice, word):
    room = alice.create_room(preset="public_chat")
    for _ in range(3):
        named(server, word).join(room)
    answer = alice.post("/v3/user_directory/search", {"search_term": word, "limit": 2})
    assert (len(answer["results"]), answer["limited"]) == (2, True)
    assert len(find(alice, word, limit=3)) == 3


@pytest.mark.parametrize(
    ("body", "errcode"), [({}, "M_BAD_JSON"), ({"search_term": "x", "limit": -1}, "M_INVALID_PARAM")]
)
def test_bad_questions_are_refused(alice, body, errcode):
    with pytest.raises(Refused) as refused:
        alice.post("/v3/user_directory/search", body)
    assert (refused.value.status, refused.value.errcode) == (400, errcode)
    assert find(alice, "  ") == []


@pytest.mark.mariadb
def test_everybody_is_found_on_mariadb_where_the_server_says_so(mariadb, tmp_path, word):
    with mariadb.schema() as settings:
        database = {"name": "mysql", "args": {"unix_socket": settings.unix_socket, "user": settings.user}}
        database["args"] |= {"database": settings.database}
        server = Server(tmp_path, database, user_directory={"search_all_users": True}).start()
        try:
            alice, carol = server.register("alice"), named(server, f"Ünï {word} 张伟")
            assert find(alice, f"ÜN 伟 {word}") == [carol.user_id]
            room = carol.create_room(name=f"Ünï {word} 张伟", visibility="public")
            found = alice.post("/v3/publicRooms", {"filter": {"generic_search_term": f"ÜN 伟 {word}"}})
            assert [one["room_id"] for one in found["chunk"]] == [room]
        finally:
            server.stop()
