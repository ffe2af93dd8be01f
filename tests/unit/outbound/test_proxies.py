"""Proxies: which, for whom, and that requests really go through them."""

from __future__ import annotations

import pytest
from gevent import spawn
from gevent.server import StreamServer
from gevent.socket import create_connection

from core.outbound.failures import AddressRefused
from core.outbound.proxies import Proxies, parse_proxy
from core.outbound.trust import Trust
from tests.servers.remote import Reply


@pytest.mark.parametrize(
    ("host", "no_proxy", "is_used"),
    [
        ("a.org", [], True),
        ("a.org", ["a.org"], False),
        ("A.Org", ["a.org"], False),
        ("x.a.org", [".a.org"], False),
        ("x.a.org", ["a.org"], False),
        ("xa.org", ["a.org"], True),
        ("10.1.2.3", ["10.0.0.0/8"], False),
        ("11.1.2.3", ["10.0.0.0/8"], True),
        ("::1", ["[::1]"], False),
        ("a.org", ["*"], False),
        ("1.2.3.4", ["nonsense"], True),
    ],
)
def test_hosts_on_the_list_are_reached_without_the_proxy(host, no_proxy, is_used):
    assert (Proxies(None, "proxy:3128", no_proxy).find(host, True) is not None) is is_used


def test_the_environment_counts_where_the_configuration_says_nothing():
    environment = {"HTTPS_PROXY": "http://u%40:p@env:1", "http_proxy": "env:2", "no_proxy": "a.org, b.org"}
    proxies = Proxies(None, None, None, environment)
    found = proxies.find("c.org", True)
    assert (found.host, found.port, found.headers) == ("env", 1, {"Proxy-Authorization": "Basic dUA6cA=="})
    assert proxies.find("c.org", False).port == 2
    assert proxies.find("b.org", True) is None
    assert Proxies(None, "http://mine:9", None, environment).find("c.org", True).host == "mine"


@pytest.mark.parametrize("url", ["socks5://p:1", "https://p:1", "http://"])
def test_other_kinds_of_proxies_are_refused(url):
    with pytest.raises(ValueError, match="http://host:port"):
        parse_proxy(url)


class Tunnel:
    """A proxy that knows only CONNECT, and opens every tunnel to one port."""

    def __init__(self, port):
        self.port, self.asked = port, []
        self.server = StreamServer(("127.0.0.1", 0), self.handle)
        self.server.start()

    def handle(self, client, _address):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1000)
        self.asked.append(head.split(b"\r\n")[0].decode())
        target = create_connection(("127.0.0.1", self.port))
        client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        back = spawn(self.pump, target, client)
        self.pump(client, target)
        back.kill()

    def pump(self, one, other):
        while data := one.recv(65536):
            other.sendall(data)
        one.close()
        other.close()


def test_tls_goes_through_a_tunnel_and_checks_the_certificate_of_the_host(world, remote):
    tunnel = Tunnel(remote.port)
    remote.answer("/", {"a": 1})
    through = world.build(
        proxies=Proxies(None, f"http://127.0.0.1:{tunnel.server.server_port}"), closed=["127.0.0.0/8"]
    )
    assert through.web.request("GET", "https://far.hs.test:77/").body == b'{"a":1}'
    assert tunnel.asked[0].startswith("CONNECT far.hs.test:77")
    assert remote.sni == ["far.hs.test"]
    tunnel.server.stop()


def test_a_proxy_does_not_lead_to_closed_addresses(world, remote):
    through = world.build(proxies=Proxies("http://127.0.0.1:1", "http://127.0.0.1:1"), closed=["10.0.0.0/8"])
    for url in ("http://10.1.1.1/", "https://10.1.1.1/"):
        with pytest.raises(AddressRefused):
            through.web.request("GET", url)


def test_a_plain_request_tells_the_proxy_whom_it_is_for(world, plain):
    plain.answer("", Reply("200 OK", b"proxied"))
    through = world.build(proxies=Proxies(f"http://127.0.0.1:{plain.port}"))
    assert through.web.request("GET", "http://far.hs.test/x?y=1").body == b"proxied"
    assert (plain.requests[0].target, plain.requests[0].host) == ("http://far.hs.test/x?y=1", "far.hs.test")


@pytest.mark.parametrize(
    ("host", "verifies"), [("a.org", True), ("x.onion", False), ("X.ONION", False), ("onion", True), ("b.org", False)]
)
def test_certificates_of_listed_hosts_are_not_checked(host, verifies):
    assert Trust(True, ["*.onion", "b.org"]).verifies(host) is verifies
    assert not Trust(False).verifies(host)
