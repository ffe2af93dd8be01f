"""Server ACLs."""

from __future__ import annotations

from typing import Any

import pytest

from core.events.server_acl import ServerAcl

EVERYBODY = {"allow": ["*"]}


@pytest.mark.parametrize(
    ("content", "server", "allowed"),
    [
        (EVERYBODY, "good.example", True),
        ({}, "good.example", False),
        ({"allow": []}, "good.example", False),
        ({"allow": ["good.example"]}, "good.example", True),
        ({"allow": ["good.example"]}, "sub.good.example", False),
        ({"allow": ["*.example"]}, "a.b.example", True),
        ({"allow": ["*.example"]}, "example", False),
        ({"allow": ["h?st"]}, "host", True),
        ({"allow": ["h?st"]}, "hst", False),
        ({"allow": ["a.b"]}, "axb", False),
        ({"allow": ["good*"]}, "good.example", True),
        ({"allow": ["good*"]}, "not.good.example", False),
        ({"allow": ["*good*"]}, "not.good.example", True),
        ({"allow": ["?"]}, "x", True),
        ({"allow": ["?"]}, "?", True),
        ({"allow": ["?*"]}, "x", True),
        ({"allow": ["*?"]}, "", False),
        ({"allow": ["**"]}, "x", True),
        ({"allow": ["a*?"]}, "a", False),
        ({"allow": ["", "*?"]}, "", True),
        ({**EVERYBODY, "deny": ["evil.example"]}, "evil.example", False),
        ({**EVERYBODY, "deny": ["evil.example"]}, "evil.example:8448", False),
        ({**EVERYBODY, "deny": ["evil.example"]}, "EVIL.example:1", False),
        ({**EVERYBODY, "deny": ["EVIL.*"]}, "evil.example", False),
        ({**EVERYBODY, "deny": ["*.evil.example"]}, "evil.example", True),
        ({"allow": ["evil.example"], "deny": ["*"]}, "evil.example", False),
        ({**EVERYBODY, "allow_ip_literals": False}, "1.2.3.4", False),
        ({**EVERYBODY, "allow_ip_literals": False}, "1.2.3.4:8448", False),
        ({**EVERYBODY, "allow_ip_literals": False}, "[::1]", False),
        ({**EVERYBODY, "allow_ip_literals": False}, "[2001:db8::1]:8448", False),
        ({**EVERYBODY, "allow_ip_literals": False}, "1.2.3.4.example", True),
        ({**EVERYBODY, "allow_ip_literals": "false"}, "1.2.3.4", True),
        ({**EVERYBODY, "allow_ip_literals": 0}, "[::1]", True),
        ({**EVERYBODY, "deny": ["[::1]"]}, "[::1]:8448", False),
        ({"allow": "*"}, "good.example", False),
        ({"allow": [None, 3, "*"]}, "good.example", True),
        ({**EVERYBODY, "deny": "evil.example"}, "evil.example", True),
        ({**EVERYBODY, "deny": [["evil.example"], "evil.example"]}, "evil.example", False),
    ],
)
def test_an_acl_lets_in_whom_the_specification_says(content: dict[str, Any], server: str, allowed: bool) -> None:
    assert ServerAcl(content).allows(server) is allowed
