"""Terms and captchas before an account: stages, fallback pages, and the page of the terms themselves."""

from __future__ import annotations

import itertools
import re

import pytest
import requests

from tests.servers.identity import FakeIdentity
from tests.servers.trellis import Server

NUMBERS = itertools.count(1)
PAGE = "<p>Terms {{ version }}</p>{% if not public_version %}<form>{{ user }} {{ has_consented }}</form>{% endif %}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that asks for a captcha and for consent."""
    folder = tmp_path_factory.mktemp("terms")
    (folder / "terms" / "en").mkdir(parents=True)
    (folder / "terms" / "en" / "1.0.html").write_text(PAGE)
    (folder / "terms" / "en" / "success.html").write_text("<p>Thanks</p>")
    with FakeIdentity().running() as verifier:
        server = Server(
            folder,
            enable_registration=True,
            enable_registration_captcha=True,
            recaptcha_public_key="public",
            recaptcha_private_key="private",
            recaptcha_siteverify_api=f"{verifier.url}/siteverify",
            user_consent={
                "template_dir": str(folder / "terms"),
                "version": "1.0",
                "require_at_registration": True,
                "policy_name": "House Rules",
            },
            rc_registration_token_validity={"per_second": 1000, "burst_count": 1000},
        )
        server.start()
        yield server
        server.stop()


def register(server, auth=None, name=None):
    body = {"username": name, "password": "secret", **({} if auth is None else {"auth": auth})}
    answer = requests.post(f"{server.base}/_matrix/client/v3/register", json=body, timeout=30)
    return answer.status_code, answer.json()


def new_name():
    return f"newcomer{next(NUMBERS)}"


def test_an_account_takes_a_captcha_and_consent(server):
    name = new_name()
    _, asked = register(server, None, name)
    assert asked["flows"] == [{"stages": ["m.login.recaptcha", "m.login.terms"]}]
    assert asked["params"]["m.login.recaptcha"] == {"public_key": "public"}
    policy = asked["params"]["m.login.terms"]["policies"]["privacy_policy"]
    assert (policy["version"], policy["en"]["name"]) == ("1.0", "House Rules")
    assert "Terms 1.0" in requests.get(policy["en"]["url"], timeout=10).text
    session = asked["session"]
    robot = {"type": "m.login.recaptcha", "response": "robot", "session": session}
    assert register(server, robot, name)[1]["errcode"] == "M_CAPTCHA_INVALID"
    status, found = register(server, {**robot, "response": "human"}, name)
    assert (status, found["completed"]) == (401, ["m.login.recaptcha"])
    assert register(server, {"type": "m.login.terms", "session": session}, name)[0] == 200


def test_a_browser_completes_the_stages_a_client_does_not_know(server):
    name = new_name()
    session = register(server, None, name)[1]["session"]
    base = f"{server.base}/_matrix/client/v3/auth"
    captcha, terms = f"{base}/m.login.recaptcha/fallback/web", f"{base}/m.login.terms/fallback/web"
    page = requests.get(captcha, params={"session": session}, timeout=10)
    assert 'data-sitekey="public"' in page.text
    assert "script-src https://www.recaptcha.net" in page.headers["Content-Security-Policy"]
    form = {"session": session, "g-recaptcha-response": "robot"}
    assert "not solved" in requests.post(captcha, data=form, timeout=10).text
    assert "onAuthDone" in requests.post(captcha, data={**form, "g-recaptcha-response": "human"}, timeout=10).text
    assert "House Rules" in requests.get(terms, params={"session": session}, timeout=10).text
    assert "onAuthDone" in requests.post(terms, data={"session": session}, timeout=10).text
    assert register(server, {"session": session}, name)[0] == 200


@pytest.mark.parametrize("stage", ["m.login.password", "m.login.email.identity", "m.login.msisdn", "nonsense"])
def test_there_is_no_page_for_what_a_page_must_not_or_cannot_do(server, stage):
    page = requests.get(f"{server.base}/_matrix/client/v3/auth/{stage}/fallback/web?session=x", timeout=10)
    assert page.status_code == 404


def test_a_session_in_a_page_is_not_markup(server):
    url = f"{server.base}/_matrix/client/v3/auth/m.login.terms/fallback/web"
    page = requests.get(url, params={"session": '"><script>x()</script>'}, timeout=10)
    assert re.search("<script>x", page.text) is None


@pytest.mark.parametrize(("query", "status"), [("v=../../x", 400), ("v=9", 404), ("u=alice&h=wrong", 403)])
def test_terms_are_shown_by_version_and_accepted_by_their_own_link(server, query, status):
    assert requests.get(f"{server.base}/_matrix/consent?{query}", timeout=10).status_code == status


def test_nobody_accepts_for_another(server):
    form = {"u": "alice", "v": "1.0", "h": "wrong"}
    assert requests.post(f"{server.base}/_matrix/consent", data=form, timeout=10).status_code == 403
