"""The fallback pages of interactive authentication."""

from dataclasses import replace

import pytest

from core.config.registration import RegistrationConfig
from core.storage.registration_tokens import RegistrationToken

PAGE = "/auth/m.login.registration_token/fallback/web"


@pytest.fixture
def by_token(make_accounts):
    accounts = make_accounts(
        registration=replace(RegistrationConfig(), enable_registration=True, registration_requires_token=True)
    )
    accounts.writer.submit(lambda tx: accounts.registration_tokens.set(tx, RegistrationToken("let", None, 0, None, 0)))
    return accounts


def post(accounts, **fields):
    return accounts.client.post("/_matrix/client/v3" + PAGE, data=fields)


def test_a_stage_completed_in_a_browser_counts_for_the_client(by_token):
    body = {"username": "alice", "password": "secret"}
    session = by_token.request("POST", "/register", body).json["session"]
    assert f'value="{session}"' in by_token.request("GET", f"{PAGE}?session={session}").text
    done = post(by_token, session=session, token="let")
    assert "onAuthDone" in done.text
    assert "script-src 'sha256-" in done.headers["Content-Security-Policy"]
    made = by_token.request("POST", "/register", {**body, "auth": {"session": session}})
    assert made.json["user_id"] == "@alice:example.org"


def test_a_wrong_token_shows_the_form_again(by_token):
    session = by_token.request("POST", "/register", {"username": "alice"}).json["session"]
    answer = post(by_token, session=session, token="wrong")
    assert answer.status_code == 403
    assert "<form" in answer.text
    assert "not valid" in answer.text


def test_nothing_in_the_query_gets_into_the_page_as_markup(by_token):
    assert "<script" not in by_token.request("GET", PAGE + "?session=%22%3E%3Cscript%3E").text


def test_a_session_that_is_not_known_is_told_so(by_token):
    assert "expired" in post(by_token, session="none", token="let").text


def test_other_stages_have_no_page(by_token):
    assert by_token.request("GET", "/auth/m.login.sso/fallback/web?session=x").status_code == 404
