"""What a login tells, and how long it takes, does not say which accounts there are."""

from __future__ import annotations

import pytest

from core.hooks.specs import passwords as hooks


@pytest.fixture
def checks(accounts, monkeypatch):
    """The (hash is there) of each password check that the plugins are asked for."""
    found = []
    ask = accounts.plugins.ask

    def watched(hook, *args, **kwargs):
        if hook is hooks.verify_password:
            found.append(kwargs["stored_hash"] is not None)
        return ask(hook, *args, **kwargs)

    monkeypatch.setattr(accounts.plugins, "ask", watched)
    return found


def test_an_unknown_account_costs_the_same_check_and_answer_as_a_wrong_password(accounts, checks):
    accounts.user("alice")
    answers = [accounts.log_in("alice", "wrong"), accounts.log_in("nobody", "wrong"), accounts.log_in("@x:else.where")]
    assert checks == [True, False, False]
    assert len({(answer.status_code, answer.get_data()) for answer in answers}) == 1


def test_a_deactivated_account_answers_as_one_that_never_was(accounts, checks):
    accounts.user("alice")
    accounts.user_commands.deactivate("alice")
    gone, never = accounts.log_in("alice"), accounts.log_in("nobody")
    assert (gone.status_code, gone.get_data()) == (never.status_code, never.get_data())
    assert checks == [False, False]


def test_guessing_passwords_in_interactive_authentication_is_limited(make_accounts):
    accounts = make_accounts(limits={"rc_login.failed_attempts": (0.001, 3)})
    accounts.user("alice")
    statuses = [accounts.log_in("alice", f"guess{n}").status_code for n in range(5)]
    assert statuses == [403, 403, 403, 429, 429]
