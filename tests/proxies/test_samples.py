"""What a proxy may spoil, and our samples do not: encoded slashes, signatures, addresses, sizes, waiting."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from tests.proxies.proxies import nginx
from tests.servers.trellis import User


@pytest.fixture
def through(proxy, behind):
    """A user who comes by the proxy."""
    direct = behind.register()
    user = User(proxy.base, direct.user_id, direct.token, direct.device_id)
    user._session.verify = proxy.certificate
    return user


def signed_get(remote, proxy, behind, event_id):
    """A signed request for an event by way of the proxy; the answer."""
    target = f"/_matrix/federation/v1/event/{quote(event_id, safe='')}"
    headers = {"Authorization": remote.authorization("GET", target, behind.name)}
    return requests.get(proxy.base + target, headers=headers, verify=proxy.certificate, timeout=30)


def test_a_slash_in_a_state_key_stays_one(through):
    room = quote(through.create_room(), safe="")
    through.put(f"/v3/rooms/{room}/state/org.example/{quote('a/b c', safe='')}", {"is": "here"})
    assert through.get(f"/v3/rooms/{room}/state/org.example/{quote('a/b c', safe='')}") == {"is": "here"}


def test_signatures_fit_where_an_id_has_a_slash(remote, proxy, behind):
    answer = signed_get(remote, proxy, behind, "$a/b+c:d")
    assert answer.status_code == 404, answer.text  # the signature was believed, and there is no such event


def test_the_address_is_the_clients_whatever_it_says_itself(through):
    through.call("GET", "/v3/sync", timeout="0")
    through._session.headers["X-Forwarded-For"] = "203.0.113.9"
    through.call("GET", "/v3/sync", timeout="0")
    (device,) = through.get("/v3/devices")["devices"]
    assert device["last_seen_ip"] == "127.0.0.1"


def test_uploads_pass_up_to_the_servers_own_limit(through, proxy):
    headers = {"Authorization": f"Bearer {through.token}", "Content-Type": "application/octet-stream"}
    url = f"{proxy.base}/_matrix/media/v3/upload"
    answer = requests.post(url, data=bytes(5_000_000), headers=headers, verify=proxy.certificate, timeout=30)
    assert answer.status_code == 200, answer.text


def test_browsers_are_told_once_whom_to_believe(proxy):
    answer = requests.get(f"{proxy.base}/_matrix/client/versions", verify=proxy.certificate, timeout=10)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_waiting_sync_is_answered_when_its_time_is_over(through):
    since = through.get("/v3/sync", timeout="0")["next_batch"]
    assert through.get("/v3/sync", since=since, timeout="1500")["next_batch"]


def test_a_proxy_that_decodes_the_path_is_named_as_the_likely_cause(remote, tmp_path, certificate, behind):
    mistake = {"proxy_pass http://trellis;": "proxy_pass http://trellis/;"}
    with nginx(tmp_path, certificate, behind.port, mistake) as decoding:
        answer = signed_get(remote, decoding, behind, "$a:b")
    assert answer.status_code == 401
    assert "proxy" in answer.json()["error"]


def test_a_proxy_that_changes_the_host_breaks_no_signature(remote, tmp_path, certificate, behind):
    mistake = {"Host $http_host": "Host elsewhere.example"}
    with nginx(tmp_path, certificate, behind.port, mistake) as renaming:
        assert signed_get(remote, renaming, behind, "$a:b").status_code == 404
