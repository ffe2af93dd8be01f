"""From a server's name to where it listens, step by step as the specification numbers them."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from core.errors import InvalidParam
from core.federation.discovery import Discovery
from core.federation.srv import in_order
from core.federation.well_known import Delegation, WellKnown, lifetime
from core.ids import ServerName
from core.outbound.failures import NameUnknown, NotConnected
from core.outbound.names import Names, Service
from tests.servers.names import FakeNames


class Delegations:
    """Well-known documents as a table."""

    def __init__(self, table: dict) -> None:
        self.table, self.asked = table, []

    def find(self, host: str) -> Delegation:
        self.asked.append(host)
        return Delegation(self.table.get(host), "there is none")


def find(name, delegations=None, services=None):
    """(host to connect to, port, certificate's name, Host header) of each route."""
    records = {key: [Service(*value) for value in values] for key, values in (services or {}).items()}
    discovery = Discovery(Names(FakeNames({}, records)), Delegations(delegations or {}), Random(1))
    return [(r.endpoint.host, r.endpoint.port, r.endpoint.tls_name, r.host) for r in discovery.find(name).routes]


FED, OLD = "_matrix-fed._tcp.a.org", "_matrix._tcp.a.org"


@pytest.mark.parametrize(
    ("name", "delegations", "services", "expected"),
    [
        ("1.2.3.4", {}, {}, ("1.2.3.4", 8448, "1.2.3.4", "1.2.3.4")),
        ("1.2.3.4:99", {}, {}, ("1.2.3.4", 99, "1.2.3.4", "1.2.3.4:99")),
        ("[1234:5678::abcd]", {}, {}, ("1234:5678::abcd", 8448, "1234:5678::abcd", "[1234:5678::abcd]")),
        ("[::1]:99", {}, {}, ("::1", 99, "::1", "[::1]:99")),
        ("a.org:99", {"a.org": "b.org"}, {FED: [("c.org", 1, 1, 1)]}, ("a.org", 99, "a.org", "a.org:99")),
        ("a.org", {"a.org": "5.6.7.8"}, {}, ("5.6.7.8", 8448, "5.6.7.8", "5.6.7.8")),
        ("a.org", {"a.org": "[::2]:9"}, {}, ("::2", 9, "::2", "[::2]:9")),
        ("a.org", {"a.org": "b.org:99"}, {FED: [("c.org", 1, 1, 1)]}, ("b.org", 99, "b.org", "b.org:99")),
        ("z.org", {"z.org": "a.org"}, {FED: [("c.org", 7, 1, 1)], OLD: [("d.org", 8, 1, 1)]},
         ("c.org", 7, "a.org", "a.org")),
        ("z.org", {"z.org": "a.org"}, {OLD: [("d.org", 8, 1, 1)]}, ("d.org", 8, "a.org", "a.org")),
        ("z.org", {"z.org": "a.org"}, {}, ("a.org", 8448, "a.org", "a.org")),
        ("a.org", {}, {FED: [("c.org", 7, 1, 1)], OLD: [("d.org", 8, 1, 1)]}, ("c.org", 7, "a.org", "a.org")),
        ("a.org", {}, {OLD: [("d.org", 8, 1, 1)]}, ("d.org", 8, "a.org", "a.org")),
        ("a.org", {}, {}, ("a.org", 8448, "a.org", "a.org")),
    ],
)  # fmt: skip
def test_each_step_gives_address_port_certificate_and_host_header(name, delegations, services, expected):
    assert find(ServerName(name), delegations, services) == [expected]


@pytest.mark.parametrize(
    "name", ["", "a b", "a.org:0", "a.org:99999", "[::1", "[abc]:1", "http://a.org", "a.org/x", "é.org"]
)
def test_what_is_no_server_name_is_refused(name):
    with pytest.raises(InvalidParam):
        find(name)


def test_targets_of_a_service_come_by_priority_and_those_of_none_are_refused():
    services = {FED: [("low.org", 1, 20, 1), ("high.org", 2, 10, 1)]}
    assert [route[0] for route in find("a.org", {}, services)] == ["high.org", "low.org"]
    with pytest.raises(NameUnknown, match="no such service"):
        find("a.org", {}, {FED: [("", 0, 0, 0)]})


def test_heavier_targets_come_first_oftener():
    services = [Service("light", 1, 1, 1), Service("heavy", 1, 1, 9)]
    random = Random(7)
    first = [in_order(services, random)[0].host for _ in range(500)]
    assert 0.7 < first.count("heavy") / 500 < 0.95


def test_a_delegation_is_not_followed_any_further():
    delegations = Delegations({"a.org": "b.org", "b.org": "c.org"})
    found = Discovery(Names(FakeNames()), delegations).find(ServerName("a.org"))
    assert found.routes[0].endpoint.host == "b.org"
    assert delegations.asked == ["a.org"]


def test_name_servers_that_are_away_do_not_hide_the_port_of_old():
    names = FakeNames()
    names.is_broken = True
    found = Discovery(Names(names), Delegations({})).find(ServerName("a.org"))
    assert found.routes[0].endpoint.port == 8448


class Page:
    """One answer of the web, as `Web.open` lends it."""

    def __init__(self, body, status=200, **headers):
        self.body = body if isinstance(body, bytes) else orjson.dumps(body)
        self.status, self.headers = status, headers
        self.asked = []

    def open(self, method, url, **limits):
        self.asked.append(url)
        return self

    def __enter__(self):
        if isinstance(self.body, Exception):
            raise self.body
        return self

    def __exit__(self, *_error):
        return None

    def read(self, max_bytes):
        assert max_bytes == 51_200
        return self.body


@pytest.mark.parametrize(
    "page",
    [
        Page({"m.server": "b.org"}, 404),
        Page(b"<html>"),
        Page([]),
        Page({}),
        Page({"m.server": 5}),
        Page({"m.server": "not a name"}),
        Page({"m.server": "b.org:99999"}),
    ],
)
def test_a_document_that_names_no_server_delegates_to_nobody(page, clock):
    assert WellKnown(page, clock).find("a.org").server is None


def test_a_delegation_is_kept_as_long_as_it_says_within_bounds(clock):
    page = Page({"m.server": "b.org"}, **{"cache-control": "public, max-age=7200"})
    well_known = WellKnown(page, clock)
    for later, asked in ((0, 1), (6000, 1), (7300, 2)):
        clock.now = 1_700_000_000.0 + later
        assert well_known.find("A.org").server == "b.org"
        assert len(page.asked) == asked
    assert page.asked[0] == "https://a.org/.well-known/matrix/server"


@pytest.mark.parametrize(("max_age", "kept", "gone"), [(1, 200, 301), (10**12, 40 * 3600, 49 * 3600)])
def test_no_delegation_is_kept_shorter_or_longer_than_allowed(clock, max_age, kept, gone):
    page = Page({"m.server": "b.org"}, **{"cache-control": f"max-age={max_age}"})
    well_known, start = WellKnown(page, clock), clock.now
    well_known.find("a.org")
    clock.now = start + kept
    well_known.find("a.org")
    assert len(page.asked) == 1
    clock.now = start + gone
    well_known.find("a.org")
    assert len(page.asked) == 2


def test_failures_are_remembered_ever_longer(clock):
    page = Page({}, 500)
    well_known, pauses, asked_at = WellKnown(page, clock), [], clock.now
    for _ in range(8):
        before = len(page.asked)
        while len(page.asked) == before:
            well_known.find("a.org")
            clock.now += 10
        pauses.append(clock.now - asked_at)
        asked_at = clock.now
    assert 50 <= pauses[1] <= 80
    assert 3000 <= pauses[-1] <= 3700


def test_a_delegation_outlives_an_outage_of_its_host(clock):
    page = Page({"m.server": "b.org"})
    well_known, start = WellKnown(page, clock), clock.now
    well_known.find("a.org")
    page.body = NotConnected("No connection.")
    clock.now = start + 30 * 3600
    assert well_known.find("a.org").server == "b.org"
    clock.now = start + 49 * 3600
    assert well_known.find("a.org").server is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 86_400),
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": 'private, Max-Age="60"'}, 60),
        ({"cache-control": "max-age=-5"}, 86_400),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "no-cache, max-age=60"}, 0),
        ({"expires": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
        ({"expires": "0"}, 0),
        ({"cache-control": "max-age=5", "expires": "Tue, 14 Nov 2023 22:14:20 GMT"}, 5),
    ],
)
def test_headers_say_how_long_an_answer_counts(headers, seconds):
    assert lifetime(headers, 1_700_000_000.0) == seconds
