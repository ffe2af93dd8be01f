"""The well-known documents: served where configured, and only there."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from core.api.client.well_known import WellKnown, blueprint
from core.ids import ServerName
from core.web.factory import create_app
from core.web.settings import WebSettings

NAME = ServerName("example.org")


def get(document: str, well_known: WellKnown):
    return Client(create_app([blueprint(well_known)], WebSettings())).get(f"/.well-known/matrix/{document}")


@pytest.mark.parametrize("document", ["client", "server", "support"])
def test_a_document_that_is_not_configured_is_not_found(document: str) -> None:
    reply = get(document, WellKnown(NAME))
    assert (reply.status_code, reply.json["errcode"]) == (404, "M_NOT_FOUND")


def test_clients_are_told_the_base_url_and_what_else_is_configured() -> None:
    extra = {"org.example.call": {"url": "https://call.example.org"}, "m.homeserver": {"base_url": "wrong"}}
    reply = get("client", WellKnown(NAME, "https://matrix.example.org/", extra))
    assert reply.json == {
        "m.homeserver": {"base_url": "https://matrix.example.org/"},
        "org.example.call": {"url": "https://call.example.org"},
    }
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("example.org", "example.org:443"),
        ("example.org:8448", "example.org:443"),
        ("[::1]", "[::1]:443"),
        ("[::1]:8448", "[::1]:443"),
    ],
)
def test_servers_are_sent_to_port_443(name: str, host: str) -> None:
    assert get("server", WellKnown(ServerName(name), serves_server_document=True)).json == {"m.server": host}


def test_the_support_document_is_served_as_it_is() -> None:
    support = {"contacts": [{"role": "m.role.admin", "email_address": "admin@example.org"}]}
    assert get("support", WellKnown(NAME, support=support)).json == support
