"""What the configuration says about rooms, on a server that says a lot."""

import json

import pytest

from tests.servers.trellis import Refused, Server


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    server = Server(
        tmp_path_factory.mktemp("strict"),
        alias_creation_rules=[{"alias": "#free*", "action": "allow"}],
        room_list_publication_rules=[{"user_id": "@publisher:*"}],
        require_membership_for_aliases=False,
        default_power_level_content_override={"private_chat": {"events_default": 7, "invite": 9}},
        include_profile_data_on_invite=False,
        allow_per_room_profiles=False,
        filter_timeline_limit=2,
        auto_accept_invites={"enabled": True, "only_for_direct_messages": True},
    )
    yield server.start()
    server.stop()


def state(user, room, kind, key=""):
    return user.get(f"/v3/rooms/{room}/state/{kind}/{key}")


def test_aliases_and_publications_follow_the_rules(strict):
    alice, publisher = strict.register(), strict.register("publisher")
    for body in ({"room_alias_name": "other"}, {"visibility": "public"}):
        with pytest.raises(Refused) as refused:
            alice.create_room(**body)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    room = publisher.create_room(room_alias_name="free1", visibility="public")
    alice.put(f"/v3/directory/room/%23free2:{strict.name}", {"room_id": room})


def test_power_levels_of_a_preset_are_changed_and_the_client_goes_before(strict):
    alice = strict.register()
    levels = state(alice, alice.create_room(power_level_content_override={"invite": 3}), "m.room.power_levels")
    assert (levels["events_default"], levels["invite"]) == (7, 3)
    public = state(alice, alice.create_room(preset="public_chat"), "m.room.power_levels")
    assert (public["events_default"], public["invite"]) == (0, 50)


def test_invites_say_nothing_of_the_invited_and_nobody_has_another_name_in_a_room(strict):
    alice, bob = strict.register(), strict.register()
    bob.put(f"/v3/profile/{bob.user_id}/displayname", {"displayname": "Bob"})
    room = alice.create_room(invite=[bob.user_id])
    assert state(alice, room, "m.room.member", bob.user_id) == {"membership": "invite"}
    bob.join(room)
    bob.set_state(room, "m.room.member", {"membership": "join", "displayname": "Not Bob"}, bob.user_id)
    assert state(alice, room, "m.room.member", bob.user_id)["displayname"] == "Bob"


def test_a_direct_invite_is_accepted_and_noted_and_another_is_not(strict):
    alice, bob = strict.register(), strict.register()
    other = alice.create_room(invite=[bob.user_id])
    direct = alice.create_room(invite=[bob.user_id], is_direct=True)
    answer, noted = bob.get("/v3/sync"), {}
    while not noted:
        noted = {e["type"]: e["content"] for e in answer.get("account_data", {}).get("events", [])}.get("m.direct", {})
        answer = bob.get("/v3/sync", since=answer["next_batch"], timeout=5_000) if not noted else answer
    assert noted == {alice.user_id: [direct]}
    rooms = bob.get("/v3/sync")["rooms"]
    assert (list(rooms["join"]), list(rooms["invite"])) == ([direct], [other])


def test_a_filter_gets_no_more_events_than_the_configuration_allows(strict):
    alice = strict.register()
    room = alice.create_room()
    wanted = json.dumps({"room": {"timeline": {"limit": 50}}})
    timeline = alice.get("/v3/sync", filter=wanted)["rooms"]["join"][room]["timeline"]
    assert (len(timeline["events"]), timeline["limited"]) == (2, True)


def test_an_excluded_room_is_in_no_sync(tmp_path):
    server = Server(tmp_path).start()
    try:
        alice = server.register()
        hidden, shown = alice.create_room(), alice.create_room()
        server.stop()
        server.config["exclude_rooms_from_sync"] = [hidden]
        server.config_path.write_text(json.dumps(server.config))
        server.start()
        assert list(alice.get("/v3/sync")["rooms"]["join"]) == [shown]
        body = {"lists": {"all": {"ranges": [[0, 9]], "timeline_limit": 1, "required_state": []}}}
        found = alice.post("/unstable/org.matrix.simplified_msc3575/sync", body)
        assert (list(found["rooms"]), found["lists"]["all"]["count"]) == ([shown], 1)
    finally:
        server.stop()
