"""A space's rooms, depth first, in order, in pages, without what the user may not see."""

import pytest

from tests.servers.trellis import Refused


def space(user, **options):
    return user.create_room(creation_content={"type": "m.space"}, **{"preset": "public_chat", **options})


def add(user, parent, child, **content):
    user.set_state(parent, "m.space.child", {"via": ["localhost"], **content}, child)


def rooms(user, root, **query):
    answer = user.get(f"/v1/rooms/{root}/hierarchy", **query)
    return [room["room_id"] for room in answer["rooms"]], answer.get("next_batch")


@pytest.fixture
def tree(alice):
    """root: a, inner (c: d), b; b comes last since it has no order."""
    root, inner, deepest = space(alice, name="root"), space(alice), space(alice)
    a, b, d = (alice.create_room(preset="public_chat") for _ in range(3))
    add(alice, root, b)
    add(alice, root, inner, order="bb", suggested=True)
    add(alice, root, a, order="aa")
    add(alice, inner, deepest, suggested=True)
    add(alice, deepest, d)
    add(alice, deepest, root)
    return root, a, inner, deepest, d, b


def test_a_tree_is_walked_depth_first_and_loops_end(bob, tree):
    assert rooms(bob, tree[0]) == (list(tree), None)


def test_pages_join_to_the_whole(bob, tree):
    found, token = rooms(bob, tree[0], limit=2)
    while token:
        page, token = rooms(bob, tree[0], limit=2, **{"from": token})
        assert 0 < len(page) <= 2
        found += page
    assert found == list(tree)


def test_depth_and_suggestions_limit_the_walk(bob, tree):
    root, a, inner, deepest, _d, b = tree
    assert rooms(bob, root, max_depth=0)[0] == [root]
    assert rooms(bob, root, max_depth=1)[0] == [root, a, inner, b]
    assert rooms(bob, root, suggested_only="true")[0] == [root, inner, deepest]


def test_the_children_of_a_space_are_stripped_events(alice, bob, tree):
    answer = bob.get(f"/v1/rooms/{tree[0]}/hierarchy", max_depth=0)
    (root,) = answer["rooms"]
    assert (root["name"], root["room_type"], root["num_joined_members"]) == ("root", "m.space", 1)
    first = root["children_state"][0]
    assert first.pop("origin_server_ts") > 0
    content = {"via": ["localhost"], "order": "aa"}
    assert first == {"type": "m.space.child", "state_key": tree[1], "content": content, "sender": alice.user_id}


def test_removed_children_and_rooms_that_may_not_be_seen_are_left_out(alice, bob):
    root = space(alice)
    secret, gone, shown = alice.create_room(), alice.create_room(preset="public_chat"), alice.create_room()
    for child in (secret, gone, shown):
        add(alice, root, child)
    alice.set_state(root, "m.space.child", {}, gone)
    alice.post(f"/v3/rooms/{shown}/invite", {"user_id": bob.user_id})
    assert rooms(bob, root)[0] == [root, shown]
    assert rooms(alice, root)[0] == [root, secret, shown]
    assert len(bob.get(f"/v1/rooms/{root}/hierarchy")["rooms"][0]["children_state"]) == 2


def test_a_space_that_may_not_be_seen_is_forbidden(alice, bob):
    for root in (space(alice, preset="private_chat"), "!nothing:here.example"):
        with pytest.raises(Refused) as refused:
            rooms(bob, root)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_the_banned_do_not_see_a_public_space(alice, bob):
    root = space(alice)
    alice.post(f"/v3/rooms/{root}/ban", {"user_id": bob.user_id})
    with pytest.raises(Refused) as refused:
        rooms(bob, root)
    assert refused.value.status == 403


def test_questions_do_not_change_between_pages(bob, tree):
    _, token = rooms(bob, tree[0], limit=1)
    for query in (
        {"from": token, "max_depth": 1},
        {"from": token, "suggested_only": "true"},
        {"from": "x"},
        {"limit": 0},
    ):
        with pytest.raises(Refused) as refused:
            rooms(bob, tree[0], **query)
        assert (refused.value.status, refused.value.errcode) == (400, "M_INVALID_PARAM")
