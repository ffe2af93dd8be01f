"""Who gets past the gate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Request
from werkzeug.test import create_environ

from core.errors import Forbidden, LimitExceeded, MissingToken, UnknownToken
from core.ids import DeviceId, Requester, UserId, UserNid
from core.web.gate import Gate, limited_address
from core.web.rate_limits import NoLimits, RateLimits

ALICE = Requester(UserId("@alice:x"), UserNid(1), DeviceId("D"), 7)
BY_TOKEN = {
    "alice": ALICE,
    "guest": replace(ALICE, user_id=UserId("@1:x"), is_guest=True),
    "admin": replace(ALICE, user_id=UserId("@admin:x"), is_admin=True),
    "bridge": replace(ALICE, user_id=UserId("@bridge:x"), appservice_id="irc"),
}


class Tokens:
    def __init__(self) -> None:
        self.seen_from: list[tuple[str, str, str]] = []

    def requester_of(self, token: str) -> Requester:
        if token not in BY_TOKEN:
            raise UnknownToken("This access token is not known.", soft_logout=False)
        return BY_TOKEN[token]

    def seen(self, requester: Requester, ip: str, user_agent: str) -> None:
        self.seen_from.append((requester.user_id, ip, user_agent))


class ActAsAnyone:
    def act_as(self, requester: Requester, user_id: str | None, device_id: str | None) -> Requester:
        return replace(requester, user_id=user_id or requester.user_id, device_id=device_id)


def request_with(token: str | None = None, query: str = "", scheme: str = "Bearer") -> Request:
    headers = {"Authorization": f"{scheme} {token}", "User-Agent": "Element"} if token else {}
    return Request(
        create_environ("/", query_string=query, headers=headers, environ_overrides={"REMOTE_ADDR": "10.0.0.1"})
    )


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def gate(tokens: Tokens) -> Gate:
    return Gate(tokens, NoLimits(), ActAsAnyone())


def test_the_header_names_the_caller_and_is_noted(gate: Gate, tokens: Tokens) -> None:
    assert gate.authenticate(request_with("alice")) is ALICE
    assert tokens.seen_from == [("@alice:x", "10.0.0.1", "Element")]


def test_the_scheme_is_read_in_any_case(gate: Gate) -> None:
    assert gate.authenticate(request_with("alice", scheme="bearer")) is ALICE


def test_the_query_parameter_still_counts_and_the_header_goes_before_it(gate: Gate) -> None:
    assert gate.authenticate(request_with(query="a=b&access_token=alice")) is ALICE
    assert gate.authenticate(request_with("alice", query="access_token=guest")) is ALICE


@pytest.mark.parametrize("query", ["", "access_token=", "my_access_token=alice"])
def test_no_token_is_missing(gate: Gate, query: str) -> None:
    with pytest.raises(MissingToken):
        gate.authenticate(request_with(query=query))


def test_guests_need_leave(gate: Gate) -> None:
    with pytest.raises(Forbidden) as caught:
        gate.authenticate(request_with("guest"))
    assert caught.value.errcode == "M_GUEST_ACCESS_FORBIDDEN"
    assert gate.authenticate(request_with("guest"), allow_guest=True).is_guest


def test_only_administrators_pass_as_such(gate: Gate) -> None:
    assert gate.authenticate_admin(request_with("admin")).is_admin
    with pytest.raises(Forbidden):
        gate.authenticate_admin(request_with("alice"))


def test_authentication_may_be_optional_but_not_wrong(gate: Gate) -> None:
    assert gate.find_requester(request_with()) is None
    assert gate.find_requester(request_with("guest")) is BY_TOKEN["guest"]
    with pytest.raises(UnknownToken):
        gate.find_requester(request_with("stale"))


def test_only_an_application_service_acts_as_others(gate: Gate) -> None:
    query = "user_id=%40bob%3Ax&device_id=E"
    acting = gate.authenticate(request_with("bridge", query=query))
    assert (acting.user_id, acting.device_id) == ("@bob:x", "E")
    assert gate.authenticate(request_with("alice", query=query)) is ALICE


def test_limits_count_per_user_and_per_address(tokens: Tokens) -> None:
    gate = Gate(tokens, RateLimits({"rc_login.address": (0.1, 1), "rc_message": (0.1, 1)}))
    gate.limit("10.0.0.1", "rc_login.address")
    gate.limit("10.0.0.2", "rc_login.address")
    gate.limit(ALICE, "rc_message")
    with pytest.raises(LimitExceeded):
        gate.limit("10.0.0.1", "rc_login.address")
    with pytest.raises(LimitExceeded):
        gate.limit(ALICE, "rc_message")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("", ""),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8::6", "2001:db8:0:0::/64"),
        ("::1", "0:0:0:0::/64"),
        ("fe80::", "fe80:0:0:0::/64"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
    ],
)
def test_ipv6_clients_are_limited_by_their_network(address: str, key: str) -> None:
    assert limited_address(address) == key
