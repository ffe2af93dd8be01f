"""Mails about missed messages over HTTP: set up by a client or at registration, sent by real SMTP, ended by their link."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.api.client.test_addresses import begin, credentials, follow, post
from tests.servers.smtp_sink import SmtpSink
from tests.servers.trellis import Refused, Server, User


@pytest.fixture(scope="module")
def sink():
    with SmtpSink().running() as sink:
        yield sink


@pytest.fixture(scope="module")
def server(tmp_path_factory, sink):
    email = {"smtp_host": "127.0.0.1", "smtp_port": sink.port, "notif_from": "%(app)s <no@example.org>"}
    server = Server(
        tmp_path_factory.mktemp("missed"),
        enable_registration=True,
        enable_registration_without_verification=True,
        email={**email, "enable_notifs": True, "notif_delay_before_mail": 0, "client_base_url": "https://app.example"},
    )
    server.start()
    yield server
    server.stop()


def registered(server, sink, address):
    """Somebody who registered with an address."""
    sid = begin(server, "/register", address)["sid"]
    assert follow(sink.to(address)[-1].link).status_code == 200
    body = {"username": address.partition("@")[0], "password": "pässword"}
    asked = post(server, "/register", body, 401)
    made = post(server, "/register", {**body, "auth": {**credentials(sid), "session": asked["session"]}})
    return User(server.base, made["user_id"], made["access_token"], made["device_id"])


def pusher(address, **changes):
    names = {"app_display_name": "Email Notifications", "device_display_name": address, "lang": "en"}
    return {"kind": "email", "app_id": "m.email", "pushkey": address, **names, "data": {"brand": "App"}, **changes}


def mail_about(sink, address, words):
    """The mail that has these words, when it has come."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for mail in sink.to(address):
            if words in mail.text:
                return mail
        time.sleep(0.02)
    raise AssertionError(f"no mail to {address} says {words}: {[mail.text for mail in sink.mails]}")


def test_a_new_user_is_mailed_what_they_miss_until_they_follow_the_last_link(server, sink):
    ann, bob = registered(server, sink, "ann@example.org"), server.register()
    assert [(one["kind"], one["pushkey"]) for one in ann.get("/v3/pushers")["pushers"]] == [
        ("email", "ann@example.org")
    ]
    room = bob.create_room(name="Garden", preset="public_chat")
    ann.join(room)
    bob.send(room, {"msgtype": "m.text", "body": "The roses are out"})
    mail = mail_about(sink, "ann@example.org", "The roses are out")
    assert "Garden" in mail.message["Subject"]
    assert f"https://app.example/#/room/{room}" in mail.text
    link = mail.message["List-Unsubscribe"][1:-1]
    here = server.base + urlsplit(link).path + "?" + urlsplit(link).query
    assert "<form" in requests.get(here, timeout=30).text
    assert len(ann.get("/v3/pushers")["pushers"]) == 1
    assert requests.post(here[:-1], timeout=30).status_code == 403
    assert requests.post(here, data="List-Unsubscribe=One-Click", timeout=30).status_code == 200
    assert ann.get("/v3/pushers")["pushers"] == []


def test_a_client_switches_mails_on_and_off(server, sink):
    cat = registered(server, sink, "cat@example.org")
    cat.post("/v3/pushers/set", {"kind": None, "app_id": "m.email", "pushkey": "cat@example.org"})
    assert cat.get("/v3/pushers")["pushers"] == []
    cat.post("/v3/pushers/set", pusher("cat@example.org"))
    cat.post("/v3/logout")
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": cat.user_id}}
    again = post(server, "/login", {**login, "password": "pässword"})
    cat = User(server.base, cat.user_id, again["access_token"], again["device_id"])
    assert len(cat.get("/v3/pushers")["pushers"]) == 1  # mails come to the account, not to a device
    body = {"medium": "email", "address": "cat@example.org"}
    cat.post("/v3/account/3pid/delete", body)
    assert cat.get("/v3/pushers")["pushers"] == []


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [({"pushkey": "else@example.org"}, "M_THREEPID_NOT_FOUND"), ({"app_id": "app"}, "M_INVALID_PARAM")],
)
def test_mails_go_to_own_addresses_only(server, changes, errcode):
    with pytest.raises(Refused) as refused:
        server.register().post("/v3/pushers/set", pusher("dan@example.org", **changes))
    assert refused.value.errcode == errcode
