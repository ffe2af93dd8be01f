"""Long runs: no one-time key is given out twice, whatever restarts in between."""

import gevent
import pytest

CLAIMS = 100_000
CLAIMERS = 50
KEYS_PER_UPLOAD = 1_000


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_no_key_is_given_out_twice_in_a_hundred_thousand_claims(server, alice):
    alice.upload()
    wanted = {alice.user_id: {alice.device_id: "signed_curve25519"}}
    given: list[bytes] = []
    for first in range(0, CLAIMS, KEYS_PER_UPLOAD):
        keys = alice.device.one_time_keys(first, 1)
        ((full_id, key),) = keys.items()
        batch = {f"signed_curve25519:{n:06}": key for n in range(first, first + KEYS_PER_UPLOAD)}
        server.uploads.upload(alice.requester, {"one_time_keys": {full_id: key, **batch}})
        for _ in range(KEYS_PER_UPLOAD // CLAIMERS):
            jobs = [gevent.spawn(server.claims.claim_here, wanted) for _ in range(CLAIMERS)]
            given += [job.get(timeout=30) for job in jobs]
        if first % 10_000 == 0:
            server.build()
    assert len(set(given)) == len(given) == CLAIMS
    assert b"{}" not in given
