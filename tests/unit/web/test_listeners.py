"""What is served on which socket, and whose address a request has."""

from __future__ import annotations

import socket

import pytest
from flask import request
from werkzeug.test import Client

from core.web.gate import client_address
from core.web.listeners import Listener, Listeners
from core.web.replies import json_reply
from core.web.settings import ListenerSettings, WebSettings

CLIENTS = ListenerSettings(("127.0.0.1:8008", "[::1]:8008"), resources=frozenset({"client"}), x_forwarded=True)
SERVERS = ListenerSettings(("0.0.0.0:8448",), resources=frozenset({"federation", "health"}))
LOCAL = ListenerSettings(("unix:/run/trellis.sock",), resources=frozenset({"metrics"}))
NOTHING = ListenerSettings(resources=frozenset())


@pytest.mark.parametrize(
    ("path", "resources"),
    [
        ("/_matrix/client/v3/sync", {"client"}),
        ("/_matrix/client/v1/media/download/x/y", {"client", "media"}),
        ("/_matrix/media/v3/upload", {"client", "federation", "media"}),
        ("/_matrix/federation/v1/version", {"federation"}),
        ("/_matrix/federation/v1/media/download/x", {"federation", "media"}),
        ("/_matrix/federation/v1/openid/userinfo", {"federation", "openid"}),
        ("/_matrix/key/v2/server", {"federation", "keys"}),
        ("/_synapse/admin/v1/server_version", {"client", "admin"}),
        ("/_matrix/consent", {"client", "consent"}),
        ("/_synapse/metrics", {"metrics"}),
        ("/metrics", {"metrics"}),
        ("/.well-known/matrix/server", {"client", "federation"}),
        ("/", {"client", "static"}),
        ("/_plugin/page", {"client"}),
    ],
)
def test_a_path_is_offered_by_its_resources_and_no_others(path: str, resources: set[str]) -> None:
    everything = {"client", "federation", "keys", "media", "openid", "metrics", "health", "static", "admin", "consent"}
    offering = {name for name in everything if Listener(frozenset({name}), False, None).offers(path)}
    assert offering == resources


def test_health_is_answered_everywhere() -> None:
    assert Listener(frozenset(), False, None).offers("/health")


def listeners() -> Listeners:
    return Listeners([CLIENTS, SERVERS, LOCAL], NOTHING)


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        ({"REMOTE_ADDR": "10.0.0.9", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8008"}, CLIENTS),
        ({"REMOTE_ADDR": "::1", "SERVER_NAME": "::1", "SERVER_PORT": "8008"}, CLIENTS),
        ({"REMOTE_ADDR": "10.0.0.9", "SERVER_NAME": "10.0.0.1", "SERVER_PORT": "8448"}, SERVERS),
        ({"REMOTE_ADDR": "10.0.0.9", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80"}, NOTHING),
        ({"trellis.listener": "0.0.0.0:8448", "SERVER_PORT": "8008"}, SERVERS),
        ({"trellis.listener": "unix:/run/trellis.sock"}, LOCAL),
        ({"trellis.listener": "unix:/run/other.sock"}, NOTHING),
        ({}, NOTHING),
    ],
)
def test_the_local_address_tells_the_listener(environ: dict[str, str], settings: ListenerSettings) -> None:
    assert listeners().of(environ).resources == settings.resources


def test_a_unix_socket_is_known_by_its_path_whatever_the_host_header_says(tmp_path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)
        local = Listeners([CLIENTS, ListenerSettings((f"unix:{path}",), resources=frozenset({"metrics"}))], NOTHING)
        environ = {"gunicorn.socket": bound, "REMOTE_ADDR": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8008"}
        assert local.of(environ).resources == {"metrics"}


@pytest.fixture
def client(client_of) -> Client:
    settings = WebSettings(listeners=(CLIENTS, SERVERS), default_listener=NOTHING)
    here = lambda: json_reply({"address": client_address(request), "scheme": request.scheme})  # noqa: E731
    return client_of({"/_matrix/client/where": here}, settings)


def test_what_a_listener_does_not_offer_is_unrecognized_there(client: Client) -> None:
    reply = client.get("/_matrix/client/where", environ_overrides={"trellis.listener": "0.0.0.0:8448"})
    assert (reply.status_code, reply.json["errcode"]) == (404, "M_UNRECOGNIZED")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_behind_a_proxy_the_last_forwarded_address_is_the_clients(client: Client) -> None:
    environ = {"trellis.listener": "127.0.0.1:8008", "REMOTE_ADDR": "127.0.0.1"}
    headers = {"X-Forwarded-For": "1.1.1.1, 2.2.2.2", "X-Forwarded-Proto": "https"}
    reply = client.get("/_matrix/client/where", headers=headers, environ_overrides=environ)
    assert reply.json == {"address": "2.2.2.2", "scheme": "https"}


def test_a_listener_without_proxy_believes_no_header(client_of) -> None:
    client = client_of({"/where": lambda: json_reply({"address": client_address(request)})})
    reply = client.get("/where", headers={"X-Forwarded-For": "1.1.1.1"}, environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
    assert reply.json == {"address": "10.0.0.9"}
