"""One-time keys are given out once, in the order in which they came, and then the fallback key is."""

import gevent


def test_keys_are_given_out_in_the_order_of_their_upload(alice, bob):
    alice.upload()
    for first in (500, 100, 300):
        alice.ask("POST", "/keys/upload", {"one_time_keys": alice.device.one_time_keys(first, 1)})
    ids = [next(iter(bob.claim(alice))) for _ in range(3)]
    assert ids == ["signed_curve25519:000500", "signed_curve25519:000100", "signed_curve25519:000300"]


def test_no_key_is_given_out_twice_to_many_at_once(alice, bob):
    alice.upload(30)
    jobs = [gevent.spawn(bob.claim, alice) for _ in range(40)]
    gevent.joinall(jobs, timeout=30, raise_error=True)
    given = [key_id for job in jobs for key_id in job.value]
    assert len(given) == len(set(given)) == 30


def test_a_restart_gives_no_key_again(alice, bob):
    alice.upload(4)
    before = {next(iter(bob.claim(alice))) for _ in range(2)}
    alice.server.build()
    after = {next(iter(bob.claim(alice))) for _ in range(2)}
    assert len(before | after) == 4


def test_the_fallback_key_serves_when_no_other_is_left_and_stays(alice, bob):
    fallback = alice.device.fallback_key("F")
    alice.upload(1, fallback_keys=fallback)
    assert next(iter(bob.claim(alice))) == "signed_curve25519:000000"
    assert [bob.claim(alice) for _ in range(2)] == [fallback, fallback]


def test_a_used_fallback_key_is_told_and_a_new_one_counts_as_unused(alice, bob):
    fallback = alice.device.fallback_key("F")
    alice.upload(fallback_keys=fallback)
    assert alice.sync()["device_unused_fallback_key_types"] == ["signed_curve25519"]
    bob.claim(alice)
    assert alice.sync()["device_unused_fallback_key_types"] == []
    alice.ask("POST", "/keys/upload", {"fallback_keys": fallback})
    assert alice.sync()["device_unused_fallback_key_types"] == []
    alice.ask("POST", "/keys/upload", {"fallback_keys": alice.device.fallback_key("G")})
    assert alice.sync()["device_unused_fallback_key_types"] == ["signed_curve25519"]


def test_a_claim_is_told_to_the_device_whose_key_it_was(alice, bob):
    alice.upload(5)
    assert alice.sync()["device_one_time_keys_count"] == {"signed_curve25519": 5}
    bob.claim(alice)
    assert alice.sync()["device_one_time_keys_count"] == {"signed_curve25519": 4}


def test_devices_and_users_that_do_not_exist_are_left_out(alice, bob):
    alice.upload(1)
    wanted = {alice.user_id: {"NONE": "signed_curve25519"}, "@nobody:example.org": {"X": "signed_curve25519"}}
    answer = bob.ask("POST", "/keys/claim", {"one_time_keys": wanted})
    assert answer == {"failures": {}, "one_time_keys": {}}


def test_an_algorithm_without_keys_gives_nothing(alice, bob):
    alice.upload(1)
    wanted = {alice.user_id: {alice.device_id: "curve448"}}
    assert bob.ask("POST", "/keys/claim", {"one_time_keys": wanted})["one_time_keys"] == {}


def test_a_deleted_device_has_no_keys_left(alice, bob):
    phone = alice.another()
    phone.upload(3)
    phone.ask("POST", "/logout")
    assert bob.claim(phone) == {}
    assert bob.query(alice.user_id)["device_keys"] == {alice.user_id: {}}
