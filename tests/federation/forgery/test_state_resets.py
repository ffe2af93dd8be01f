"""Attempts to turn the room's state back, or round, through the graph: forks from the past and invented states at gaps."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.servers.watching import state_content

ALWAYS = ("2", "12")
"""One of each algorithm of state resolution; the others are soaked."""
VERSIONS = [
    version if version in ALWAYS else pytest.param(version, marks=pytest.mark.soak)
    for version in ("2", "3", "6", "8", "10", "11", "12")
]


def moderated(scene_of, version):
    """A scene whose hostile user may change most of the state, power levels included, and has proven it."""
    scene = scene_of(version)
    levels = scene.state("m.room.power_levels")
    levels["users"][scene.hostile.user_id] = 60
    levels["events"] = {**levels["events"], "m.room.power_levels": 60, "m.room.tombstone": 50}
    levels["state_default"] = 50
    event_id = scene.alice.user.set_state(scene.room_id, "m.room.power_levels", levels)
    scene.bob.event(scene.room_id, event_id)
    scene.hostile.at(event_id)
    return scene, levels


def demote(scene, levels):
    """Take the power away again."""
    levels = {**levels, "users": {one: power for one, power in levels["users"].items() if one != scene.hostile.user_id}}
    return scene.alice.user.set_state(scene.room_id, "m.room.power_levels", levels)


def talk(scene):
    """Alice and Bob go on, so that all forks are merged."""
    for _ in range(2):
        for speaker, listener in ((scene.alice, scene.bob), (scene.bob, scene.alice)):
            listener.event(scene.room_id, speaker.user.send(scene.room_id, "on"))


def same_state(scene, kind, key=""):
    """The content that both honest servers have; they agree."""
    found = [state_content(one.user, scene.room_id, kind, key) for one in (scene.alice, scene.bob)]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_demoted_user_changes_nothing_from_before_the_demotion(scene_of, version):
    scene, levels = moderated(scene_of, version)
    hostile, fork = scene.hostile, scene.hostile.last
    demote(scene, levels)
    attacks = [
        ({**levels, "users": {**levels["users"], hostile.user_id: 60, f"@friend:{hostile.remote.name}": 60}},
         "m.room.power_levels", ""),
        ({"name": "Mine"}, "m.room.name", ""),
        ({"join_rule": "invite"}, "m.room.join_rules", ""),
        ({"membership": "ban"}, "m.room.member", scene.bob.user.user_id),
        ({"body": "closed", "replacement_room": "!x:y"}, "m.room.tombstone", ""),
    ]  # fmt: skip
    for content, kind, key in attacks:
        hostile.last = fork
        hostile.transact(hostile.event(content, kind, state_key=key)[1])
    talk(scene)
    assert hostile.user_id not in same_state(scene, "m.room.power_levels")["users"]
    assert same_state(scene, "m.room.name") is None
    assert same_state(scene, "m.room.join_rules")["join_rule"] == "public"
    assert same_state(scene, "m.room.member", scene.bob.user.user_id)["membership"] == "join"
    assert same_state(scene, "m.room.tombstone") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_after_old_and_new_takes_nothing_back(scene_of, version):
    scene, _ = moderated(scene_of, version)
    hostile, old = scene.hostile, scene.hostile.last
    topic = scene.alice.user.set_state(scene.room_id, "m.room.topic", {"topic": "new"})
    hostile.at(topic)
    hostile.transact(hostile.event("merge", prev_events=[old, topic])[1])
    talk(scene)
    assert same_state(scene, "m.room.topic") == {"topic": "new"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_room_closed_since_is_not_joined_through_the_past(scene_of, version):
    scene = scene_of(version)
    hostile = scene.hostile.at(scene.hostile.last)
    friend = f"@friend:{hostile.remote.name}"
    closed = scene.alice.user.set_state(scene.room_id, "m.room.join_rules", {"join_rule": "invite"})
    scene.bob.event(scene.room_id, closed)
    proofs = [hostile.state[key] for key in (("m.room.power_levels", ""), ("m.room.join_rules", ""))]
    if not hostile.version.room_id_is_create_hash:
        proofs.append(hostile.state["m.room.create", ""])
    _, join = hostile.event(
        {"membership": "join"}, "m.room.member", sender=friend, state_key=friend, auth_events=proofs
    )
    hostile.transact(join)
    talk(scene)
    assert same_state(scene, "m.room.member", friend) is None


def lie_about_state(hostile, state):
    """Answer questions about what came before an event with an invented state."""
    base, room = "/_matrix/federation/v1", quote(hostile.room_id, safe="")
    hostile.remote.answer(f"{base}/get_missing_events/{room}", {"events": []})
    hostile.remote.answer(
        f"{base}/state_ids/{room}", {"pdu_ids": state, "auth_chain_ids": list(hostile.state.values())}
    )
    for event_id, pdu in hostile.pdus.items():
        hostile.remote.answer(f"{base}/event/{quote(event_id, safe='')}", {"pdus": [pdu]})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lie", ["nothing", "only the beginning", "before the demotion", "power of one's own"])
def test_an_invented_state_at_a_gap_changes_nothing(scene_of, version, lie):
    scene, levels = moderated(scene_of, version)
    hostile = scene.hostile
    before = dict(hostile.state)
    demoted = demote(scene, levels)
    own, _ = hostile.event(
        {**levels, "users": {**levels["users"], hostile.user_id: 60}, "users_default": 60},
        "m.room.power_levels",
        state_key="",
    )
    told = {
        "nothing": {},
        "only the beginning": {key: one for key, one in before.items() if key[0] == "m.room.create"},
        "before the demotion": before,
        "power of one's own": {**before, ("m.room.power_levels", ""): own},
    }[lie]
    lie_about_state(hostile, list(told.values()))
    hostile.state = told if lie == "power of one's own" else before
    _, name = hostile.event({"name": "Mine"}, "m.room.name", state_key="", prev_events=["$" + "z" * 43])
    hostile.transact(name)
    talk(scene)
    assert same_state(scene, "m.room.name") is None
    assert hostile.user_id not in same_state(scene, "m.room.power_levels")["users"]
    assert same_state(scene, "m.room.member", scene.bob.user.user_id)["membership"] == "join"
    assert demoted


@pytest.mark.parametrize("version", ["2", "6", "12"])
def test_servers_told_different_things_agree_in_the_end(scene_of, beta, version):
    scene, _ = moderated(scene_of, version)
    hostile, fork, depth = scene.hostile, scene.hostile.last, scene.hostile.depth
    for server, name in ((scene.server, "one"), (beta, "other")):
        hostile.last, hostile.depth, hostile.server = fork, depth, server
        hostile.transact(hostile.event({"name": name}, "m.room.name", state_key="")[1])
        hostile.transact(hostile.event(f"of the {name}")[1])
    hostile.server = scene.server
    base = "/_matrix/federation/v1/event/"
    for event_id, pdu in hostile.pdus.items():
        hostile.remote.answer(base + quote(event_id, safe=""), {"pdus": [pdu]})
    talk(scene)
    assert same_state(scene, "m.room.name")["name"] in ("one", "other")
    scene.is_usable()


def test_one_id_for_two_events_of_an_old_room_splits_nothing_else(scene_of, beta):
    scene, _ = moderated(scene_of, "2")
    hostile, fork, depth = scene.hostile, scene.hostile.last, scene.hostile.depth
    event_id = f"$twice:{hostile.remote.name}"
    for server, said in ((scene.server, "one"), (beta, "other")):
        hostile.last, hostile.depth, hostile.server = fork, depth, server
        hostile.transact(hostile.event(said, event_id=event_id)[1])
    hostile.server = scene.server
    talk(scene)
    assert scene.shown(event_id)["content"]["body"] == "one"
