"""URLs through the door: TLS, redirects, limits."""

from __future__ import annotations

import gevent
import pytest

from core.errors import InvalidParam
from core.outbound.failures import AddressRefused, BrokenAnswer, CertificateRefused, NotConnected, TookTooLong
from tests.servers.remote import Reply


def moved(to: str, status: str = "302 Found") -> Reply:
    return Reply(status, b"", [("Location", to)])


def test_an_answer_arrives_with_status_headers_and_body(world, remote):
    remote.answer("/hello", Reply("201 Created", {"a": 1}, [("X-Colour", "green")]))
    found = world.web.request("POST", f"https://localhost:{remote.port}/hello?x=%2F", body=b"{}")
    assert (found.status, found.headers["x-colour"], found.body) == (201, "green", b'{"a":1}')
    assert (remote.requests[0].target, remote.requests[0].host) == ("/hello?x=%2F", f"localhost:{remote.port}")


def test_a_connection_is_used_again(world, remote):
    for _ in range(3):
        world.web.request("GET", f"https://localhost:{remote.port}/")
    assert world.door.open_connections == 1
    assert len(remote.sni) == 1


def test_a_connection_the_other_side_closed_is_not_used_again(world, remote):
    url = f"https://localhost:{remote.port}/"
    remote.answer("/", Reply("200 OK", b"x", [("Connection", "close")]))
    assert world.web.request("GET", url).status == 200
    assert world.web.request("GET", url).status == 200
    assert world.door.open_connections == 0


def test_a_redirect_is_followed_to_another_host(world, remote, plain):
    remote.answer("/from", moved(f"http://localhost:{plain.port}/to"))
    plain.answer("/to", {"is": "here"})
    found = world.web.request(
        "POST", f"https://localhost:{remote.port}/from", body=b"secret", headers={"Authorization": "Bearer x"}
    )
    assert found.body == b'{"is":"here"}'
    assert (plain.requests[0].method, plain.requests[0].body, plain.requests[0].authorization) == ("GET", b"", None)


def test_a_permanent_redirect_within_one_origin_keeps_method_body_and_login(world, remote):
    remote.answer("/from", moved("/to", "308 Permanent Redirect"))
    world.web.request("PUT", f"https://localhost:{remote.port}/from", body=b"x", headers={"Authorization": "Bearer x"})
    last = remote.requests[-1]
    assert (last.method, last.target, last.body, last.authorization) == ("PUT", "/to", b"x", "Bearer x")


def test_a_ring_of_redirects_ends(world, remote):
    remote.answer("/", moved("/again"))
    with pytest.raises(BrokenAnswer, match="more than 5"):
        world.web.request("GET", f"https://localhost:{remote.port}/")
    assert len(remote.requests) == 6


@pytest.mark.parametrize(
    "url",
    [
        "ftp://localhost/",
        "file:///etc/passwd",
        "localhost",
        "",
        "http://",
        "http://u:p@localhost/",
        "http://[::1/",
        "https://localhost:99999/",
        "http://localhost:0/",
    ],
)
def test_what_is_no_url_of_the_web_is_refused(world, url):
    with pytest.raises(InvalidParam):
        world.web.request("GET", url)


def test_a_redirect_to_what_is_no_url_of_the_web_is_refused(world, remote):
    remote.answer("/", moved("file:///etc/passwd"))
    with pytest.raises(BrokenAnswer, match="no URL"):
        world.web.request("GET", f"https://localhost:{remote.port}/")


def test_a_certificate_for_another_name_is_refused(world, remote):
    world.names.hosts["other.example"] = ["127.0.0.1"]
    with pytest.raises(CertificateRefused, match=r"other\.example"):
        world.web.request("GET", f"https://other.example:{remote.port}/")
    assert not remote.requests


def test_a_certificate_is_believed_where_the_switch_is_off(world, remote):
    open_world = world.build(verify=False, hosts={"other.example": ["127.0.0.1"]})
    assert open_world.web.request("GET", f"https://other.example:{remote.port}/").status == 404


def test_a_body_longer_than_allowed_is_refused_whether_announced_or_not(world, remote):
    remote.answer("/", Reply("200 OK", b"x" * 5000))
    with pytest.raises(BrokenAnswer, match="1000 bytes"):
        world.web.request("GET", f"https://localhost:{remote.port}/", max_bytes=1000)
    remote.answer("/", Reply("200 OK", b"x" * 5000, [("Content-Encoding", "identity")]))
    with pytest.raises(BrokenAnswer, match="1000 bytes"):
        world.web.request("GET", f"https://localhost:{remote.port}/", max_bytes=1000)


def test_a_slow_answer_is_given_up(world, remote):
    never = gevent.event.Event()
    remote.answer("/", lambda _seen: never.wait())
    with pytest.raises(TookTooLong):
        world.web.request("GET", f"https://localhost:{remote.port}/", timeout_ms=100)
    never.set()
    assert world.door.open_connections == 0


def test_nobody_listening_is_said_so(world, remote):
    remote.stop()
    with pytest.raises(NotConnected, match="refused"):
        world.web.request("GET", f"https://localhost:{remote.port}/")


def test_plain_tls_is_told_from_http(world, plain):
    with pytest.raises(NotConnected, match="TLS"):
        world.web.request("GET", f"https://localhost:{plain.port}/")


def test_a_closed_address_is_refused_and_never_connected_to(world, plain):
    closed = world.build(closed=["127.0.0.0/8"])
    with pytest.raises(AddressRefused, match="localhost"):
        closed.web.request("GET", f"http://localhost:{plain.port}/")
    assert not plain.requests


def test_what_the_administrator_named_may_be_anywhere_but_not_redirect_there(world, plain, remote):
    closed = world.build(closed=["127.0.0.0/8"])
    plain.answer("/", {})
    assert closed.web.request("GET", f"http://localhost:{plain.port}/", is_guarded=False).status == 200
    plain.answer("/", moved(f"https://localhost:{remote.port}/"))
    with pytest.raises(AddressRefused):
        closed.web.request("GET", f"http://localhost:{plain.port}/", is_guarded=False)
