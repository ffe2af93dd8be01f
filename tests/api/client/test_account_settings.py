"""What the configuration says about accounts and their profiles, on a server that says a lot."""

from __future__ import annotations

import pytest

from tests.api.client.media_client import MediaUser, image, noise
from tests.servers.trellis import Refused, Server


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    server = Server(
        tmp_path_factory.mktemp("strict"),
        max_avatar_size="2K",
        allowed_avatar_mimetypes=["image/png"],
        limit_profile_requests_to_users_who_share_rooms=True,
        room_prejoin_state={
            "disable_default_event_types": True,
            "additional_event_types": ["org.example.hint", ["org.example.color", "sky"]],
        },
        federation_whitelist_endpoint_enabled=True,
        federation_domain_whitelist=["friend.example"],
        user_types={"default_user_type": "person", "extra_user_types": ["robot"]},
    )
    yield server.start()
    server.stop()


def set_avatar(user, where):
    user.put(f"/v3/profile/{user.user_id}/avatar_url", {"avatar_url": where and f"mxc://{where}"})


def test_an_avatar_is_a_small_image_of_an_allowed_kind_that_is_here(strict):
    alice = strict.register()
    media = MediaUser(alice)
    large, jpeg = media.upload(noise(64, 64)), media.upload(image(8, 8, "JPEG"), "image/jpeg")
    for where in (large, jpeg, f"{strict.name}/missing"):
        with pytest.raises(Refused) as refused:
            set_avatar(alice, where)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    set_avatar(alice, media.upload(image(8, 8)))
    set_avatar(alice, "")


def test_an_avatar_in_one_room_is_held_to_the_same(strict):
    alice = strict.register()
    media, room = MediaUser(alice), alice.create_room()
    content = {"membership": "join", "avatar_url": f"mxc://{media.upload(noise(64, 64))}"}
    with pytest.raises(Refused) as refused:
        alice.set_state(room, "m.room.member", content, alice.user_id)
    assert refused.value.status == 403
    alice.set_state(
        room, "m.room.member", {**content, "avatar_url": f"mxc://{media.upload(image(8, 8))}"}, alice.user_id
    )


def test_profiles_are_shown_to_those_who_share_a_room(strict):
    alice, bob = strict.register(), strict.register()
    for path in (f"/v3/profile/{bob.user_id}", f"/v3/profile/{bob.user_id}/displayname"):
        with pytest.raises(Refused) as refused:
            alice.get(path)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    assert alice.get(f"/v3/profile/{alice.user_id}")["displayname"]
    bob.join(alice.create_room(preset="public_chat"))
    assert alice.get(f"/v3/profile/{bob.user_id}")["displayname"]
    assert strict.register(admin=True).get(f"/v3/profile/{bob.user_id}")["displayname"]


def test_the_invited_are_told_what_the_configuration_says(strict):
    alice, bob = strict.register(), strict.register()
    extra = [("org.example.hint", "any"), ("org.example.color", "sky"), ("org.example.color", "sea")]
    initial = [{"type": kind, "state_key": key, "content": {}} for kind, key in extra]
    room = alice.create_room(name="Garden", invite=[bob.user_id], initial_state=initial)
    told = bob.sync()["rooms"]["invite"][room]["invite_state"]["events"]
    members = {("m.room.member", user.user_id) for user in (alice, bob)}
    assert {(e["type"], e["state_key"]) for e in told} == {("m.room.create", ""), *extra[:2], *members}


def test_clients_may_ask_with_whom_the_server_talks(strict):
    answer = MediaUser(strict.register())._session.get(f"{strict.base}/_synapse/client/v1/config/federation_whitelist")
    assert answer.json() == {"whitelist_enabled": True, "whitelist": ["friend.example"]}
