"""What the server says it can do."""

import requests


def test_versions_reach_from_the_old_ones_to_the_newest(server):
    versions = requests.get(f"{server.base}/_matrix/client/versions", timeout=10).json()["versions"]
    assert versions == ["r0.6.1", *[f"v1.{minor}" for minor in range(1, 20)]]


def test_every_flag_that_clients_look_at_is_true(server):
    flags = requests.get(f"{server.base}/_matrix/client/versions", timeout=10).json()["unstable_features"]
    assert all(flags.values())
    wanted = ("e2e_cross_signing", "msc2285.stable", "msc3440.stable", "msc3771", "msc3773", "msc3827.stable")
    wanted += ("simplified_msc3575", "msc4140", "msc4143", "msc4380.stable")
    assert {f"org.matrix.{flag}" for flag in wanted} <= set(flags)


def test_profile_fields_are_served_under_the_name_of_their_proposal(alice):
    path = f"/unstable/uk.tcpip.msc4133/profile/{alice.user_id}/m.tz"
    alice.put(path, {"m.tz": "Europe/Berlin"})
    assert alice.get(path) == alice.get(f"/v3/profile/{alice.user_id}/m.tz") == {"m.tz": "Europe/Berlin"}
