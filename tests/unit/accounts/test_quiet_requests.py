"""With `request_token_inhibit_3pid_errors` nobody learns by asking whether an address has an account."""

from __future__ import annotations

import pytest

from core.accounts.threepids import Threepids
from core.accounts.validation import Lifetimes, Purpose, Validation
from core.config.registration import RegistrationConfig
from core.storage.threepids import Threepid, ThreepidStore
from core.storage.validation_sessions import ValidationSessionStore


class Mails:
    can_send = True

    def __init__(self):
        self.later = []

    def send_template_later(self, kind, to, **variables):
        self.later.append((kind, to))


@pytest.fixture
def mails():
    return Mails()


@pytest.fixture
def threepids(accounts, mails):
    alice = accounts.users.find(accounts.user("alice")["user_id"])
    store, database, writer = ThreepidStore(accounts.database), accounts.database, accounts.writer
    found = Threepid("email", "alice@example.org", 1, 1)
    writer.submit(lambda transaction: store.add(transaction, alice.user_nid, found))
    sessions = ValidationSessionStore(database)
    validation = Validation(sessions, writer, mails, "https://hs/", Lifetimes(1000, 1000), None, accounts.clock)
    config = RegistrationConfig(request_token_inhibit_3pid_errors=True)
    return Threepids(store, validation, mails, writer, accounts.plugins, config, accounts.clock)


def ask(threepids, purpose, address):
    return threepids.request_email_token(purpose, address, "secret", 1, None)


@pytest.mark.parametrize("purpose", [Purpose.REGISTER, Purpose.ADD, Purpose.RESET])
def test_both_kinds_of_address_are_answered_alike_and_without_waiting_for_mail(threepids, purpose):
    answers = [ask(threepids, purpose, f"{name}@example.org") for name in ("alice", "nobody")]
    assert {len(answer) for answer in answers} == {32}


def test_the_owner_of_a_taken_address_is_told_by_mail(threepids, mails):
    ask(threepids, Purpose.REGISTER, "Alice@example.org")
    ask(threepids, Purpose.REGISTER, "nobody@example.org")
    ask(threepids, Purpose.RESET, "nobody@example.org")
    assert mails.later == [("already_in_use", "alice@example.org"), ("registration", "nobody@example.org")]
