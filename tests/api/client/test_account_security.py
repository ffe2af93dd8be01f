"""What somebody learns, or gets, who guesses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests

from tests.servers.trellis import Server

TICKS = os.sysconf("SC_CLK_TCK")
GUESSES = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with passwords that cost something, the usual limits on tokens, and registration by token."""
    server = Server(
        tmp_path_factory.mktemp("guessing"),
        bcrypt_rounds=10,
        enable_registration=True,
        registration_requires_token=True,
        ui_auth={"session_timeout": "0s"},
    )
    server.start()
    yield server
    server.stop()


def cpu_seconds(server):
    """What the server's workers have computed so far; unlike the time, it does not depend on who else computes."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS


def guess(server, user):
    """The computing that wrong passwords of one user cost."""
    before = cpu_seconds(server)
    for number in range(GUESSES):
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": str(number)}
        answer = requests.post(f"{server.base}/_matrix/client/v3/login", json=body, timeout=30)
        assert (answer.status_code, answer.json()["errcode"]) == (403, "M_FORBIDDEN")
    return cpu_seconds(server) - before


def test_an_unknown_user_costs_what_a_wrong_password_costs(server):
    alice = server.register()
    guess(server, "warming.up")
    known, unknown = guess(server, alice.user_id), guess(server, "nobody.at.all")
    assert 0.6 < unknown / known < 1.6


def test_registration_tokens_cannot_be_guessed_quickly(server):
    url = f"{server.base}/_matrix/client/v1/register/m.login.registration_token/validity"
    statuses = [requests.get(url, params={"token": f"guess{number}"}, timeout=10).status_code for number in range(12)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_guessing_registration_tokens_in_interactive_authentication_is_limited(server):
    url, statuses = f"{server.base}/_matrix/client/v3/register", []
    session = requests.post(url, json={"username": "guesser"}, timeout=10).json()["session"]
    for number in range(12):
        auth = {"type": "m.login.registration_token", "token": f"guess{number}", "session": session}
        statuses.append(requests.post(url, json={"username": "guesser", "auth": auth}, timeout=10).status_code)
    assert 429 in statuses


def test_a_session_that_somebody_else_has_completed_opens_nothing_for_another_user(server):
    mallory, alice = server.register(), server.register()
    path, auth = f"{server.base}/_matrix/client/v3/delete_devices", {"type": "m.login.password", "password": "pässword"}
    body = {"devices": [alice.device_id, mallory.device_id, "OTHER"]}

    def ask(user, auth):
        headers = {"Authorization": f"Bearer {user.token}"}
        return requests.post(path, json={**body, "auth": auth}, headers=headers, timeout=10)

    session = ask(mallory, {}).json()["session"]
    stolen = ask(alice, {**auth, "session": session})
    assert stolen.status_code in (400, 401, 403)
    assert stolen.json().get("completed") is None
    assert ask(mallory, {"session": session}).status_code == 401
    alice.get("/v3/account/whoami")


def test_access_tokens_are_long_enough_not_to_be_guessed(server):
    tokens = {server.register().token for _ in range(5)}
    assert len(tokens) == 5
    assert all(len(token) >= 43 for token in tokens)
    made_up = requests.get(
        f"{server.base}/_matrix/client/v3/account/whoami",
        headers={"Authorization": f"Bearer {next(iter(tokens))[:-1]}"},
        timeout=10,
    )
    assert (made_up.status_code, made_up.json()["errcode"]) == (401, "M_UNKNOWN_TOKEN")
