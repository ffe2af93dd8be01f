"""What plugins decide about accounts, and what they hear of them."""

from dataclasses import replace

import pytest

from core.accounts.auth_stages import PluginStage
from core.accounts.login import PluginLogin
from core.config.registration import RegistrationConfig
from core.errors import Forbidden, Unavailable
from core.hooks import ALLOW, AuthStage, PasswordAccepted, Reject, hookimpl

OPEN = replace(RegistrationConfig(), enable_registration=True, enable_registration_without_verification=True)


class Plugin:
    """Answers as a test tells it to, and notes what it hears."""

    def __init__(self):
        self.heard = []
        self.expired = set()
        self.doors = ALLOW
        self.elsewhere = {}

    @hookimpl
    def is_user_expired(self, user_id):
        return user_id in self.expired or None

    @hookimpl
    def check_login(self, user_id):
        return self.doors

    @hookimpl
    def check_username(self, localpart):
        return Reject("M_EXCLUSIVE", "Kept.") if localpart.startswith("bot-") else None

    @hookimpl
    def check_registration(self, localpart):
        return Reject("M_FORBIDDEN", "Not you.") if localpart == "mallory" else None

    @hookimpl(tryfirst=True)
    def check_password(self, user_id, password):
        return PasswordAccepted(user_id, "From elsewhere") if self.elsewhere.get(user_id) == password else None

    @hookimpl
    def check_login_type(self, login_type, user, fields):
        return PasswordAccepted(f"@{user}:example.org") if fields == {"card": "valid"} else None

    @hookimpl
    def user_registered(self, user_id, is_guest):
        self.heard.append(("registered", user_id))

    @hookimpl
    def user_logged_in(self, user_id, device_id, login_type):
        self.heard.append(("logged in", user_id, device_id))

    @hookimpl
    def logged_out(self, user_id, device_id, access_token_hash):
        self.heard.append(("logged out", user_id, device_id))

    @hookimpl
    def profile_updated(self, user_id, displayname):
        self.heard.append(("profile", user_id, displayname))

    @hookimpl
    def account_data_updated(self, user_id, room_id, type):
        self.heard.append(("account data", user_id, room_id, type))


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def accounts(make_accounts, plugin):
    accounts = make_accounts(registration=OPEN)
    accounts.plugins.register("tested", plugin)
    return accounts


def test_an_expired_account_is_told_so_within_a_minute(accounts, plugin):
    token = accounts.user("alice")["access_token"]
    assert accounts.request("GET", "/account/whoami", token=token).status_code == 200
    plugin.expired.add("@alice:example.org")
    accounts.clock.ms += 60_000
    answer = accounts.request("GET", "/account/whoami", token=token)
    assert (answer.status_code, answer.json["errcode"]) == (403, "M_USER_ACCOUNT_EXPIRED")


def test_a_login_can_be_refused_after_the_password(accounts, plugin):
    accounts.user("alice")
    plugin.doors = Reject("M_FORBIDDEN", "Closed on Sundays.")
    assert accounts.log_in("alice").json["error"] == "Closed on Sundays."


def test_an_account_kept_elsewhere_is_made_at_its_first_login(accounts, plugin):
    plugin.elsewhere["@carol:example.org"] = "ldap"
    assert accounts.log_in("carol", "wrong").status_code == 403
    assert accounts.log_in("carol", "ldap").json["user_id"] == "@carol:example.org"
    assert accounts.request("GET", "/profile/@carol:example.org").json == {"displayname": "From elsewhere"}


def test_names_and_registrations_are_judged(accounts):
    dummy = {"type": "m.login.dummy"}
    kept = accounts.request("POST", "/register", {"username": "bot-x", "password": "secret", "auth": dummy})
    assert (kept.status_code, kept.json["errcode"]) == (400, "M_EXCLUSIVE")
    refused = accounts.request("POST", "/register", {"username": "mallory", "password": "secret", "auth": dummy})
    assert (refused.status_code, refused.json["error"]) == (403, "Not you.")


def test_a_login_type_of_a_plugin_takes_its_own_fields(accounts, plugin):
    accounts.user("alice")
    method = PluginLogin("org.example.card", ["card"], accounts.plugins)
    assert method.authenticate({"user": "alice", "card": "valid"}).user_id == "@alice:example.org"
    for body in ({"user": "alice", "card": "torn"}, {"user": "alice"}):
        with pytest.raises(Exception, match=r"wrong|required"):
            method.authenticate(body)


def test_plugins_hear_what_happens_to_accounts(accounts, plugin):
    token = accounts.user("alice")["access_token"]
    phone = accounts.log_in("alice", device_id="PHONE").json["access_token"]
    accounts.request("PUT", "/profile/@alice:example.org/displayname", {"displayname": "A"}, token)
    accounts.request("PUT", "/user/@alice:example.org/account_data/t", {}, token)
    accounts.request("POST", "/logout", token=phone)
    who = "@alice:example.org"
    assert plugin.heard == [
        ("registered", who),
        ("logged in", who, "PHONE"),
        ("profile", who, "A"),
        ("account data", who, None, "t"),
        ("logged out", who, "PHONE"),
    ]


def test_a_stage_of_a_plugin_may_refuse_and_may_break(accounts):
    def check(user_id, auth):
        if auth["word"] == "broken":
            raise ValueError("bug")
        if auth["word"] != "sesame":
            raise Forbidden("Wrong word.")
        return {"word": "ok"}

    stage = PluginStage("tested", AuthStage("org.example.word", lambda: {"hint": "open"}, check), accounts.plugins)
    assert stage.params() == {"hint": "open"}
    assert stage.check(None, {"word": "sesame"}) == {"word": "ok"}
    with pytest.raises(Forbidden, match="Wrong word"):
        stage.check(None, {"word": "x"})
    with pytest.raises(Unavailable):
        stage.check(None, {"word": "broken"})
