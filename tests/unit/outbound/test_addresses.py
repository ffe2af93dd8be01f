"""Server-side request forgery: no spelling of a closed address is connected to."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.federation import FederationConfig
from core.outbound.addresses import AddressRules
from core.outbound.connecting import Connector, Endpoint
from core.outbound.failures import AddressRefused, NotConnected
from core.outbound.names import Names
from core.outbound.proxies import Proxies
from core.outbound.trust import Trust
from tests.servers.names import FakeNames

DEFAULTS = AddressRules(FederationConfig().ip_range_blacklist)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "100.64.0.1", "169.254.169.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "[::1]", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:7f00:1",
        "::ffff:192.168.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "2002:7f00:1::",
        "2002:c0a8:101::1", "::127.0.0.1", "::10.0.0.1", "2001:0:7f00:1::1",
        "localhost", "2130706433", "0x7f.1", "127.1", "", "::ffff:1.2.3.4.5",
    ],
)  # fmt: skip
def test_closed_addresses_and_what_is_no_address_are_refused(address):
    assert DEFAULTS.refuses(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"],
)
def test_the_rest_of_the_world_is_open(address):
    assert not DEFAULTS.refuses(address)


def test_an_opened_range_wins_over_a_closed_one_in_every_spelling():
    rules = AddressRules(["10.0.0.0/8", "::/0"], ["10.1.0.0/16", "fd00::/8"])
    assert [rules.refuses(a) for a in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1")] == [False] * 3
    assert [rules.refuses(a) for a in ("10.2.2.3", "::ffff:10.2.2.3", "2606::1")] == [True] * 3


def connector(hosts, closed=("127.0.0.0/8", "::1/128")):
    return Connector(Names(FakeNames(hosts)), AddressRules(closed), Trust(), Proxies())


def test_a_name_that_is_rebound_is_refused_when_it_is_looked_up_again(plain):
    now = [0.0]
    names = Names(FakeNames({"rebound.test": [["127.0.0.5"], ["127.0.0.1"]]}), lambda: now[0])
    rules = AddressRules(["127.0.0.0/8"], ["127.0.0.5/32"])
    connector = Connector(names, rules, Trust(), Proxies())
    with pytest.raises(NotConnected):  # nobody listens where it leads at first, and the second answer is not asked for
        connector.connect(Endpoint("rebound.test", plain.port, None))
    now[0] += 1_000
    with pytest.raises(AddressRefused):
        connector.connect(Endpoint("rebound.test", plain.port, None))


def test_an_endpoint_with_rules_of_its_own_is_held_to_those(plain):
    with pytest.raises(AddressRefused):
        connector({}, closed=()).connect(Endpoint("127.0.0.1", plain.port, None, rules=AddressRules(["127.0.0.0/8"])))
    connector({}).connect(Endpoint("127.0.0.1", plain.port, None, rules=AddressRules(["10.0.0.0/8"]))).close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "rebound.test", "mapped.test", "2130706433", "0x7f000001"]
)
def test_a_name_that_leads_to_a_closed_address_is_refused_before_connecting(host, plain):
    hosts = {
        "rebound.test": ["127.0.0.1"],
        "mapped.test": ["::ffff:127.0.0.1"],
        "2130706433": ["127.0.0.1"],
        "0x7f000001": ["127.0.0.1"],
    }
    with pytest.raises(AddressRefused):
        connector(hosts).connect(Endpoint(host, plain.port, None))
    assert not plain.requests


def test_of_several_addresses_only_the_open_ones_are_tried(plain):
    hosts = {"mixed.test": ["127.0.0.2", "::1", "127.0.0.1"]}
    rules = AddressRules(["127.0.0.2/32", "::1/128"])
    found = Connector(Names(FakeNames(hosts)), rules, Trust(), Proxies())
    connection = found.connect(Endpoint("mixed.test", plain.port, None))
    assert connection.sock.getpeername()[0] == "127.0.0.1"
    connection.close()


def test_a_name_that_changes_between_looking_and_connecting_gains_nothing(plain):
    names = FakeNames({"rebinding.test": [["192.0.2.1"], ["127.0.0.1"]]})
    found = Connector(Names(names), AddressRules(["192.0.2.0/24"]), Trust(), Proxies())
    with pytest.raises(AddressRefused):
        found.connect(Endpoint("rebinding.test", plain.port, None))
    assert names.asked == ["rebinding.test"]
    assert not plain.requests


def test_a_name_without_addresses_cannot_be_connected_to():
    with pytest.raises(NotConnected, match="no addresses"):
        connector({"empty.test": []}).connect(Endpoint("empty.test", 1, None))


@given(st.ip_addresses(v=4))
def test_no_ipv6_spelling_of_a_closed_address_is_open(address):
    spelt = [
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        f"::{address}",
        str(IPv6Address((0x2002 << 112) | int(address) << 80)),
    ]
    if DEFAULTS.refuses(str(address)):
        assert all(DEFAULTS.refuses(spelling) for spelling in spelt)


@given(st.ip_addresses(v=6))
def test_every_address_gets_a_verdict(address):
    assert DEFAULTS.refuses(str(address)) in {True, False}
