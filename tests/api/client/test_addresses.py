"""E-mail addresses and phone numbers: at registration, for a new password, on an account. Mail goes to a real SMTP sink."""

from __future__ import annotations

import itertools

import pytest
import requests

from tests.servers.identity import FakeIdentity
from tests.servers.smtp_sink import SmtpSink
from tests.servers.trellis import Refused, Server, User

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def sink():
    with SmtpSink().running() as sink:
        yield sink


@pytest.fixture(scope="module")
def identity():
    with FakeIdentity().running() as identity:
        yield identity


@pytest.fixture(scope="module")
def server(tmp_path_factory, sink, identity):
    """A server that sends mail, has text messages sent, and lets people in."""
    folder = tmp_path_factory.mktemp("mailing")
    templates = folder / "templates"
    templates.mkdir()
    (templates / "add_threepid.txt").write_text("Our own words, {{ app_name }}: {{ link }}\n")
    server = Server(
        folder,
        enable_registration=True,
        enable_registration_without_verification=True,
        email={"smtp_host": "127.0.0.1", "smtp_port": sink.port, "notif_from": "%(app)s <no@example.org>"},
        templates={"custom_template_directory": str(templates)},
        account_threepid_delegates={"msisdn": identity.url},
        ui_auth={"session_timeout": "1h"},
        rc_registration_token_validity={"per_second": 1000, "burst_count": 1000},
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def address():
    return f"person{next(NUMBERS)}@example.org"


@pytest.fixture
def alice(server):
    return server.register()


def post(server, path, body, status=200, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(f"{server.base}/_matrix/client/v3{path}", json=body, headers=headers, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json()


def begin(server, path, email, secret="s3cret", attempt=1, status=200, **fields):
    body = {"client_secret": secret, "email": email, "send_attempt": attempt, **fields}
    return post(server, f"{path}/email/requestToken", body, status)


def credentials(sid, secret="s3cret"):
    return {"type": "m.login.email.identity", "threepid_creds": {"sid": sid, "client_secret": secret}}


def follow(link):
    return requests.get(link, timeout=30, allow_redirects=False)


def add_address(server, sink, user, address):
    sid = begin(server, "/account/3pid", address)["sid"]
    assert follow(sink.to(address)[-1].link).status_code == 200
    body = {"sid": sid, "client_secret": "s3cret"}
    user.post("/v3/account/3pid/add", {**body, "auth": {"type": "m.login.password", "password": "pässword"}})
    return sid


def log_in(server, user_id, password, status=200):
    identifier = {"type": "m.id.user", "user": user_id}
    body = {"type": "m.login.password", "identifier": identifier, "password": password}
    return post(server, "/login", body, status)


def test_an_account_is_made_with_an_address_that_was_confirmed(server, sink, address):
    sid = begin(server, "/register", address.upper())["sid"]
    body = {"username": f"u{next(NUMBERS)}", "password": "secret"}
    session = post(server, "/register", body, 401)["session"]
    auth = {**credentials(sid), "session": session}
    assert post(server, "/register", {**body, "auth": auth}, 401)["errcode"] == "M_UNAUTHORIZED"
    assert "confirmed" in follow(sink.to(address)[0].link).text
    made = post(server, "/register", {**body, "auth": auth})
    listed = User(server.base, made["user_id"], made["access_token"], "").get("/v3/account/3pid")["threepids"]
    assert [(one["medium"], one["address"]) for one in listed] == [("email", address)]
    identifier = {"type": "m.id.thirdparty", "medium": "email", "address": address.upper()}
    login = {"type": "m.login.password", "identifier": identifier, "password": "secret"}
    assert post(server, "/login", login)["user_id"] == made["user_id"]


def test_a_confirmed_address_makes_one_account_only(server, sink, address):
    sid = begin(server, "/register", address)["sid"]
    follow(sink.to(address)[0].link)
    body = {"username": f"u{next(NUMBERS)}", "password": "secret"}
    post(server, "/register", {**body, "auth": credentials(sid)})
    again = {"username": f"u{next(NUMBERS)}", "password": "secret", "auth": credentials(sid)}
    assert post(server, "/register", again, 401)["errcode"] == "M_UNAUTHORIZED"
    assert begin(server, "/register", address, status=400)["errcode"] == "M_THREEPID_IN_USE"


def test_a_repeated_attempt_sends_nothing_and_a_later_one_replaces_the_link(server, sink, address):
    sid = begin(server, "/register", address)["sid"]
    assert begin(server, "/register", address)["sid"] == sid
    assert len(sink.to(address)) == 1
    assert begin(server, "/register", address, attempt=2)["sid"] == sid
    first, second = sink.to(address)
    assert "newer mail" in follow(first.link).text
    assert follow(second.link).status_code == 200


def test_a_link_works_once_and_leads_on(server, sink, address):
    begin(server, "/register", address, next_link="https://app.example.org/on")
    link = sink.to(address)[0].link
    assert follow(link).headers["Location"] == "https://app.example.org/on"
    assert (follow(link).status_code, "used already" in follow(link).text) == (400, True)


def test_a_session_is_of_no_use_without_its_secret(server, sink, address, alice):
    sid = begin(server, "/account/3pid", address)["sid"]
    follow(sink.to(address)[0].link)
    body = {"three_pid_creds": {"sid": sid, "client_secret": "another"}}
    with pytest.raises(Refused) as refused:
        alice.post("/v3/account/3pid", body)
    assert refused.value.errcode == "M_THREEPID_AUTH_FAILED"


@pytest.mark.parametrize(
    "junk",
    [
        "a@b.c\nBcc: victim@x.y",
        "a@b.c\r\n\r\nbody",
        "a b@c.d",
        "a@b.c,d@e.f",
        '"a"@b.c',
        "<a@b.c>",
        "a@",
        "@b",
        "a\0@b",
    ],
)
def test_an_address_that_could_reach_into_a_header_is_refused(server, sink, junk):
    before = len(sink.mails)
    assert begin(server, "/register", junk, status=400)["errcode"] == "M_INVALID_PARAM"
    assert len(sink.mails) == before


@pytest.mark.parametrize("field", [{"secret": "a b"}, {"secret": ""}, {"next_link": "javascript:x"}])
def test_secrets_and_links_have_a_grammar(server, address, field):
    assert begin(server, "/register", address, status=400, **field)["errcode"] == "M_INVALID_PARAM"


def test_a_password_is_reset_by_mail_and_all_devices_are_logged_out(server, sink, address, alice):
    add_address(server, sink, alice, address)
    sid = begin(server, "/account/password", address)["sid"]
    link = sink.to(address)[-1].link
    body = {"new_password": "another", "auth": credentials(sid)}
    assert "Yes, set the new password" in follow(link).text
    assert post(server, "/account/password", body, 401)["errcode"] == "M_UNAUTHORIZED"
    assert requests.post(link, timeout=30).status_code == 200
    post(server, "/account/password", body)
    with pytest.raises(Refused) as refused:
        alice.get("/v3/account/whoami")
    assert refused.value.errcode == "M_UNKNOWN_TOKEN"
    log_in(server, alice.user_id, "another")
    again = {"new_password": "third", "auth": credentials(sid)}
    assert post(server, "/account/password", again, 401)["errcode"] == "M_UNAUTHORIZED"
    log_in(server, alice.user_id, "another")


def test_a_session_begun_for_one_thing_is_of_no_use_for_another(server, sink, address, alice):
    add_address(server, sink, alice, address)
    other = f"other{address}"
    sid = begin(server, "/account/3pid", other)["sid"]
    follow(sink.to(other)[0].link)
    body = {"new_password": "stolen", "auth": credentials(sid)}
    assert post(server, "/account/password", body, 403)["errcode"] == "M_FORBIDDEN"
    assert begin(server, "/account/password", f"nobody{address}", status=400)["errcode"] == "M_THREEPID_NOT_FOUND"
    log_in(server, alice.user_id, "pässword")


def test_a_changed_password_spares_the_session_that_changed_it(server, alice):
    other = log_in(server, alice.user_id, "pässword")
    auth = {"type": "m.login.password", "password": "pässword"}
    alice.post("/v3/account/password", {"new_password": "second", "auth": auth})
    assert alice.get("/v3/account/whoami")["user_id"] == alice.user_id
    post(server, "/logout", {}, 401, token=other["access_token"])
    kept = log_in(server, alice.user_id, "second")
    auth = {"type": "m.login.password", "password": "second"}
    alice.post("/v3/account/password", {"new_password": "third", "logout_devices": False, "auth": auth})
    post(server, "/logout", {}, token=kept["access_token"])


def test_addresses_are_added_with_confirmation_and_taken_away(server, sink, address, alice):
    sid = begin(server, "/account/3pid", address)["sid"]
    follow(sink.to(address)[0].link)
    body = {"sid": sid, "client_secret": "s3cret"}
    with pytest.raises(Refused) as refused:
        alice.post("/v3/account/3pid/add", body)
    assert refused.value.body["flows"] == [{"stages": ["m.login.password"]}]
    session = refused.value.body["session"]
    auth = {"type": "m.login.password", "password": "pässword", "session": session}
    alice.post("/v3/account/3pid/add", {**body, "auth": auth})
    assert [one["address"] for one in alice.get("/v3/account/3pid")["threepids"]] == [address]
    found = alice.post("/v3/account/3pid/delete", {"medium": "email", "address": address.title()})
    assert found == {"id_server_unbind_result": "no-support"}
    assert alice.get("/v3/account/3pid")["threepids"] == []


def test_a_password_that_was_just_given_counts_for_the_next_confirmation(server, sink, address, alice):
    add_address(server, sink, alice, address)
    other = f"second{address}"
    sid = begin(server, "/account/3pid", other)["sid"]
    follow(sink.to(other)[0].link)
    alice.post("/v3/account/3pid/add", {"sid": sid, "client_secret": "s3cret"})
    assert len(alice.get("/v3/account/3pid")["threepids"]) == 2
    again = log_in(server, alice.user_id, "pässword")
    assert "session" in post(
        server, "/account/3pid/add", {"sid": sid, "client_secret": "x"}, 401, again["access_token"]
    )


def test_a_session_of_interactive_authentication_is_of_no_use_for_another_request(server, alice):
    with pytest.raises(Refused) as refused:
        alice.post("/v3/account/password", {"new_password": "mine"})
    session = refused.value.body["session"]
    auth = {"type": "m.login.password", "password": "pässword", "session": session}
    with pytest.raises(Refused) as refused:
        alice.post("/v3/account/password", {"new_password": "changed", "auth": auth})
    assert (refused.value.status, "differs" in refused.value.body["error"]) == (400, True)
    with pytest.raises(Refused):
        alice.post("/v3/account/deactivate", {"auth": auth})


def test_templates_of_the_administrator_replace_those_built_in(server, sink, address):
    begin(server, "/account/3pid", address)
    mail = sink.to(address)[0]
    assert mail.text.startswith("Our own words, Matrix: http")
    assert str(mail.message["From"]) == "Matrix <no@example.org>"
    assert server.name in str(mail.message["Subject"])


def test_a_phone_number_is_validated_by_the_delegate(server, identity, alice):
    body = {"client_secret": "s3cret", "country": "GB", "phone_number": "07700900001", "send_attempt": 1}
    found = post(server, "/account/3pid/msisdn/requestToken", body)
    assert found["submit_url"].startswith(identity.url)
    assert identity.asked[-1]["country"] == "GB"
    wanted = {"sid": found["sid"], "client_secret": "s3cret"}
    auth = {"type": "m.login.password", "password": "pässword"}
    with pytest.raises(Refused) as refused:
        alice.post("/v3/account/3pid/add", {**wanted, "auth": auth})
    assert refused.value.errcode == "M_THREEPID_AUTH_FAILED"
    identity.validated[found["sid"]] = "447700900001"
    alice.post("/v3/account/3pid/add", {**wanted, "auth": auth})
    assert [one["address"] for one in alice.get("/v3/account/3pid")["threepids"]] == ["447700900001"]
    with pytest.raises(Refused) as refused:
        alice.post("/v3/account/3pid", {"three_pid_creds": wanted})
    assert refused.value.errcode == "M_NO_VALID_SESSION"
    reset = {"type": "m.login.msisdn", "threepid_creds": wanted}
    post(server, "/account/password", {"new_password": "stolen", "auth": reset}, 404)
    number = {"type": "m.id.phone", "country": "GB", "phone": "07700 900001"}
    login = {"type": "m.login.password", "identifier": number, "password": "pässword"}
    assert post(server, "/login", login)["user_id"] == alice.user_id
    assert post(server, "/register/msisdn/requestToken", body, 400)["errcode"] == "M_THREEPID_IN_USE"
