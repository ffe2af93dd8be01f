"""Values that make no sense, in every place where accounts take one: no answer is a 500, each says what is wrong."""

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from core.config.registration import RegistrationConfig
from tests.servers.accounts import Accounts

JUNK = [
    None,
    True,
    0,
    -1,
    2**60,
    1.5,
    "",
    "\0",
    "\ud800",
    "é" * 400,
    "x" * 70_000,
    "$2b$",
    [],
    [[]],
    {},
    {"type": 7},
    {"type": []},
    {"session": []},
]
USER = "@alice:example.org"
SECRET = "/_synapse/admin/v1/register"

BODIES = {
    "/login": ["type", "identifier", "user", "password", "device_id", "initial_device_display_name", "refresh_token"],
    "/register": ["username", "password", "auth", "device_id", "inhibit_login", "guest_access_token", "refresh_token"],
    "/refresh": ["refresh_token"],
    "/register/email/requestToken": ["email", "client_secret", "send_attempt"],
    SECRET: ["nonce", "username", "password", "mac", "admin", "displayname", "user_type"],
}
PATHS = [
    ("GET", "/profile/{}"),
    ("GET", f"/profile/{USER}/{{}}"),
    ("PUT", f"/profile/{USER}/{{}}"),
    ("DELETE", f"/profile/{USER}/{{}}"),
    ("GET", f"/user/{USER}/account_data/{{}}"),
    ("PUT", f"/user/{USER}/account_data/{{}}"),
    ("PUT", f"/user/{USER}/rooms/{{}}/account_data/x"),
    ("GET", f"/user/{USER}/filter/{{}}"),
    ("GET", "/devices/{}"),
    ("PUT", "/devices/{}"),
    ("GET", "/register/available?username={}"),
    ("GET", "/auth/m.login.registration_token/fallback/web?session={}"),
    ("GET", "/auth/{}/fallback/web"),
]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    config = replace(
        RegistrationConfig(),
        enable_registration=True,
        enable_registration_without_verification=True,
        allow_guest_access=True,
    )
    accounts = Accounts(tmp_path_factory.mktemp("junk"), registration=config)
    accounts.token = accounts.user("alice")["access_token"]
    yield accounts
    accounts.close()


def send(accounts, method, path, body):
    path = path if path.startswith("/_") else f"/_matrix/client/v3{path}"
    headers = {"Authorization": f"Bearer {accounts.token}", "Content-Type": "application/json"}
    return accounts.client.open(path, method=method, data=body, headers=headers)


def as_json(value):
    return json.dumps(value).encode()


@pytest.mark.parametrize(("path", "keys"), BODIES.items(), ids=BODIES)
def test_junk_in_a_body_is_refused_in_a_sentence(accounts, path, keys):
    sensible = {"type": "m.login.password", "user": "alice", "password": "secret", "username": "x", "nonce": "1"}
    for key in keys:
        for value in JUNK:
            answer = send(accounts, "POST", path, as_json({**sensible, key: value}))
            assert answer.status_code < 500, (key, value, answer.text)
            if answer.status_code >= 400 and answer.status_code != 401:
                assert answer.json["error"], (key, value)


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_junk_in_a_path_is_refused_in_a_sentence(accounts, method, path):
    for value in ["x", "a/b", "\0", "é" * 300, "@:", "!", "%", " ", "x" * 3000, "\ud800", "<script>", "'; DROP"]:
        text = quote(value, safe="", errors="surrogatepass")
        for body in (b"{}", b"", b"[", b'{"x": "\\ud800"}', as_json({value.encode("utf-8", "replace").decode(): 1})):
            answer = send(accounts, method, path.format(text), None if method == "GET" else body)
            assert answer.status_code < 500, (value, body, answer.text)
