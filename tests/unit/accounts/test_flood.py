"""An hour of a spammer's attempts against a server as it is installed."""

from __future__ import annotations

import itertools

import pytest

from tests.servers.trellis import Server

DUMMY = {"type": "m.login.dummy"}


def attempts():
    """The ways in that a script tries, again and again."""
    for number in itertools.count():
        name = f"spam{number}"
        yield "/register", {"username": name, "password": "hunter2!"}
        yield "/register", {"username": name, "password": "hunter2!", "auth": DUMMY}
        yield "/register", {"username": name, "auth": {**DUMMY, "session": "a"}}
        yield "/register", {"auth": {"type": "m.login.registration_token", "token": str(number)}}
        yield "/register?kind=guest", {}
        yield "/login", {"type": "m.login.password", "user": name, "password": "hunter2!"}
        yield "/login", {"type": "m.login.token", "token": str(number)}


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_sign_ups_make_no_account_and_leave_nothing_behind(accounts, monkeypatch, count):
    monkeypatch.setattr(accounts.passwords, "check", lambda *_: None)  # hashing for each would take minutes
    for path, body in itertools.islice(attempts(), count):
        answer = accounts.request("POST", path, body)
        assert answer.status_code in (400, 403), answer.get_data()
        assert "access_token" not in answer.json
    for table in ("users", "access_tokens", "devices", "auth_sessions", "profiles"):
        assert accounts.database.value(f"SELECT COUNT(*) FROM {table}") == 0, table


def test_an_open_door_without_any_condition_is_refused_at_start(tmp_path):
    server = Server(tmp_path, enable_registration=True)
    with pytest.raises(AssertionError, match="enable_registration_without_verification"):
        server.start()
