"""X-Matrix, from the header to the verdict: one signature fits one request, and everything else is a 401."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import create_environ

from core.errors import Forbidden, Unauthorized
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Tier
from core.federation.request_authentication import RequestAuthentication
from core.web.federation_auth import authenticate_server
from tests.servers.remote import new_key
from tests.unit.federation.conftest import OWN
from tests.unit.federation.test_keyring import make_ring, notary

__all__ = ["make_ring", "notary"]
BODY = b'{"a":1}'


def ask(check, header, method="PUT", target="/_matrix/federation/v1/send/1%2F2?x=1", content=None):
    environ = create_environ("/", method=method, headers={"Authorization": header})
    environ["RAW_URI"] = target
    return authenticate_server(Request(environ), check, OWN, {"a": 1} if content is None else content)


@pytest.fixture
def check(make_ring, backoff):
    """The check, as the server uses it."""
    return RequestAuthentication(make_ring().ring, AllowedServers(OWN, None), backoff)


TARGET = "/_matrix/federation/v1/send/1%2F2?x=1"


def test_a_signed_request_is_that_of_its_origin_and_revives_it(check, remote, backoff):
    backoff.failed(remote.name)
    assert ask(check, remote.authorization("PUT", TARGET, OWN, BODY)) == remote.name
    assert backoff.tier(remote.name) is Tier.UP


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "POST"},
        {"target": "/_matrix/federation/v1/send/1/2?x=1"},
        {"target": "/_matrix/federation/v1/send/1%2f2?x=1"},
        {"target": "/_matrix/federation/v1/send/1%2F2"},
        {"content": {"a": 2}},
        {"content": {}},
        {"content": {"a": True}},
    ],
)
def test_a_request_changed_on_its_way_is_refused(check, remote, changed):
    with pytest.raises(Unauthorized, match="does not fit"):
        ask(check, remote.authorization("PUT", TARGET, OWN, BODY), **changed)


def test_the_spelling_of_the_body_does_not_matter(check, remote):
    header = remote.authorization("PUT", TARGET, OWN, b'{"a":1,"b":"\xc3\xa9"}')
    assert ask(check, header, content={"b": "é", "a": 1}) == remote.name


@pytest.mark.parametrize(
    "case",
    ["forged", "misdirected", "no destination", "foreign origin", "ours", "other algorithm", "unknown key", "junk"],
)
def test_a_signature_that_proves_nothing_is_refused(check, remote, case):
    header = {
        "forged": remote.authorization("PUT", TARGET, OWN, BODY, key=new_key()),
        "misdirected": remote.authorization("PUT", TARGET, "else.test", BODY),
        "no destination": remote.authorization("PUT", TARGET, OWN, BODY).replace(f'destination="{OWN}",', ""),
        "foreign origin": remote.authorization("PUT", TARGET, OWN, BODY, origin="victim.test"),
        "ours": remote.authorization("PUT", TARGET, OWN, BODY, origin=OWN),
        "other algorithm": remote.authorization("PUT", TARGET, OWN, BODY).replace("ed25519:a", "rsa:a"),
        "unknown key": remote.authorization("PUT", TARGET, OWN, BODY).replace("ed25519:a", "ed25519:z"),
        "junk": f'X-Matrix origin="{remote.name}",destination="{OWN}",key="ed25519:a",sig="not base64!"',
    }[case]
    with pytest.raises(Unauthorized) as caught:
        ask(check, header)
    assert (caught.value.status, caught.value.errcode) == (401, "M_UNAUTHORIZED")


def test_a_server_off_the_list_is_refused_before_its_keys_are_asked_for(make_ring, backoff, remote):
    check = RequestAuthentication(make_ring().ring, AllowedServers(OWN, ["good.test"]), backoff)
    with pytest.raises(Forbidden, match="does not federate"):
        ask(check, remote.authorization("PUT", TARGET, OWN, BODY))
    assert not remote.requests
