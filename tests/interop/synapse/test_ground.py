"""Keys and signed requests between Synapse and us, both ways."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from core.events.server_keys import parse_server_keys
from tests.servers.trellis import Refused


def test_our_user_sees_a_profile_of_synapse(trellis, synapse):
    alice, bob = trellis.register(), synapse.register()
    bob.put(f"/v3/profile/{quote(bob.user_id)}/displayname", {"displayname": "Bób 😀"})
    assert alice.get(f"/v3/profile/{bob.user_id}")["displayname"] == "Bób 😀"
    with pytest.raises(Refused) as caught:
        alice.get(f"/v3/profile/@nobody:{synapse.name}")
    assert (caught.value.status, caught.value.errcode) == (404, "M_NOT_FOUND")


def test_a_user_of_synapse_sees_our_profile(trellis, synapse):
    alice, bob = trellis.register(), synapse.register()
    alice.put(f"/v3/profile/{alice.user_id}/displayname", {"displayname": "Älice 😀"})
    assert bob.get(f"/v3/profile/{quote(alice.user_id)}")["displayname"] == "Älice 😀"


def test_a_user_of_synapse_finds_our_alias(trellis, synapse):
    room = trellis.register().create_room(room_alias_name="über/all", preset="public_chat")
    alias = quote(f"#über/all:{trellis.name}", safe="")
    assert synapse.register().get(f"/v3/directory/room/{alias}")["room_id"] == room


def test_each_is_a_notary_for_the_other(trellis, synapse):
    for notary, other in ((trellis, synapse), (synapse, trellis)):
        url = f"{notary.base}/_matrix/key/v2/query"
        (keys,) = requests.post(url, json={"server_keys": {other.name: {}}}, timeout=30).json()["server_keys"]
        assert set(keys["signatures"]) == {trellis.name, synapse.name}
        parse_server_keys(keys, other.name, 0)
