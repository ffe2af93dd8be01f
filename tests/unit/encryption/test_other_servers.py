"""What other servers' users need: their keys in queries and claims, signatures on them, and our users' lists for them."""

import orjson
import pytest

from core.encryption.remote import RemoteKeysClaimed, RemoteKeysFound
from core.errors import NotFound
from tests.servers.device_keys import ClientDevice, Identity

EVE = "@eve:other.org"


class OtherServer:
    """Eve's server, and one that does not answer."""

    def __init__(self):
        self.identity, self.device = Identity(EVE), ClientDevice(EVE, "D")
        self.asked = []

    def query(self, wanted, timeout_ms):
        self.asked.append((dict(wanted), timeout_ms))
        return RemoteKeysFound(
            {EVE: {"D": self.device.keys()}},
            {EVE: self.identity.key("master")},
            {EVE: self.identity.key("self_signing")},
            {"down.org": {}},
        )

    def claim(self, wanted, timeout_ms):
        return RemoteKeysClaimed({EVE: {"D": self.device.one_time_keys(0, 1)}}, {"down.org": {}})

    def find_master_key(self, user_id):
        return self.identity.key("master") if user_id == EVE else None


@pytest.fixture
def other(server):
    server.remote_keys = OtherServer()
    server.build()
    return server.remote_keys


def test_a_query_joins_here_and_elsewhere(alice, bob, other):
    bob.upload()
    answer = alice.query(bob.user_id, EVE, "@x:down.org")
    assert answer["device_keys"][EVE] == {"D": other.device.keys()}
    assert list(answer["device_keys"][bob.user_id]) == [bob.device_id]
    assert answer["master_keys"] == {EVE: other.identity.key("master")}
    assert answer["failures"] == {"down.org": {}}
    assert other.asked == [({EVE: [], "@x:down.org": []}, 10_000)]


def test_a_claim_joins_here_and_elsewhere(alice, bob, other):
    bob.upload(1)
    wanted = {bob.user_id: {bob.device_id: "signed_curve25519"}, EVE: {"D": "signed_curve25519"}}
    answer = alice.ask("POST", "/keys/claim", {"one_time_keys": wanted})
    assert set(answer["one_time_keys"]) == {bob.user_id, EVE}
    assert answer["failures"] == {"down.org": {}}


def test_a_signature_on_a_remote_master_key_is_shown_to_the_signer_alone(alice, bob, other):
    identity = Identity(alice.user_id)
    alice.ask("POST", "/keys/device_signing/upload", identity.body())
    signed = identity.user_signing.sign(other.identity.key("master"), alice.user_id, identity.user_signing.public)
    body = {EVE: {other.identity.master.public: signed}}
    assert alice.ask("POST", "/keys/signatures/upload", body) == {"failures": {}}
    assert alice.query(EVE)["master_keys"][EVE] == signed
    assert bob.query(EVE)["master_keys"][EVE] == other.identity.key("master")


def test_other_servers_do_not_see_user_signing_keys(server, alice):
    alice.ask("POST", "/keys/device_signing/upload", Identity(alice.user_id).body())
    parts = server.queries.query_here({alice.user_id: []}, None)
    assert [name for name, users in parts.items() if users] == ["device_keys", "master_keys", "self_signing_keys"]


def test_a_device_list_for_other_servers_has_keys_names_and_a_growing_number(server, alice):
    identity = Identity(alice.user_id)
    alice.upload()
    alice.ask("POST", "/keys/device_signing/upload", identity.body())
    first = orjson.loads(server.queries.device_list(alice.user_id, True))
    assert first["devices"] == [{"device_id": alice.device_id, "keys": alice.device.keys()}]
    assert first["master_key"] == identity.key("master")
    assert first["self_signing_key"] == identity.key("self_signing")
    alice.ask("PUT", f"/devices/{alice.device_id}", {"display_name": "phone"})
    second = orjson.loads(server.queries.device_list(alice.user_id, True))
    assert second["devices"][0]["device_display_name"] == "phone"
    assert second["stream_id"] > first["stream_id"]
    assert "device_display_name" not in orjson.loads(server.queries.device_list(alice.user_id, False))["devices"][0]


def test_there_is_no_list_of_who_is_not_here(server):
    with pytest.raises(NotFound):
        server.queries.device_list("@nobody:example.org", True)
