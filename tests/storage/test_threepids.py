"""Addresses, their validation and short-lived tokens, on both engines."""

from __future__ import annotations

import pytest

from core.accounts.login_tokens import LoginTokens
from core.accounts.openid import Openid
from core.accounts.validation import MAX_WRONG_TOKENS, Lifetimes, NotValidated, NoValidSession, Purpose, Validation
from core.errors import BadRequest, Forbidden, UnknownToken
from core.ids import Requester
from core.storage.login_tokens import LoginTokenStore
from core.storage.openid_tokens import OpenidTokenStore
from core.storage.threepids import Bind, Threepid, ThreepidStore
from core.storage.users import User, UserStore
from core.storage.validation_sessions import ValidationSessionStore

HOUR_MS = 3_600_000


class Mails:
    """A mailer that keeps links."""

    can_send = True

    def __init__(self):
        self.links = []

    def send_template(self, kind, to, link):
        self.links.append(link)

    @property
    def token(self):
        return self.links[-1].partition("token=")[2].partition("&")[0]


class Clock:
    ms = 1_700_000_000_000

    def __call__(self):
        return self.ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def mails():
    return Mails()


@pytest.fixture
def validation(database, writer, mails, clock):
    lifetimes = Lifetimes(HOUR_MS, 24 * HOUR_MS)
    return Validation(ValidationSessionStore(database), writer, mails, "https://hs/", lifetimes, None, clock)


@pytest.fixture
def alice(database, writer, interner):
    nid = interner.nid("@alice:example.org")
    writer.submit(lambda transaction: UserStore(database).add(transaction, User(nid, "@alice:example.org", 1), None))
    return nid


def begin(validation, purpose=Purpose.RESET):
    return validation.begin(purpose, "a@b.c", "secret", 1)


def code(call, *arguments):
    with pytest.raises(BadRequest) as caught:
        call(*arguments)
    return caught.value.errcode


def test_a_session_is_validated_by_its_token_and_spent_once(validation, mails, writer):
    sid = begin(validation)
    with pytest.raises(NotValidated):
        validation.proof(sid, "secret")
    validation.submit(Purpose.RESET, sid, "secret", mails.token)
    proof = validation.proof(sid, "secret")
    assert (proof.address, proof.purpose) == ("a@b.c", Purpose.RESET)
    with pytest.raises(NoValidSession):
        writer.submit(lambda transaction: validation.spend(transaction, proof, Purpose.ADD))
    writer.submit(lambda transaction: validation.spend(transaction, proof, Purpose.RESET))
    with pytest.raises(NoValidSession):
        writer.submit(lambda transaction: validation.spend(transaction, proof, Purpose.RESET))


def test_spending_one_session_ends_all_others_of_the_address_and_purpose(validation, mails, writer):
    sids = []
    for secret in ("one", "two"):
        sids.append(validation.begin(Purpose.RESET, "a@b.c", secret, 1))
        validation.submit(Purpose.RESET, sids[-1], secret, mails.token)
    proof = validation.proof(sids[0], "one")
    writer.submit(lambda transaction: validation.spend(transaction, proof, Purpose.RESET))
    with pytest.raises(NoValidSession):
        validation.proof(sids[1], "two")


def test_a_token_expires_and_so_does_a_session(validation, mails, clock):
    sid = begin(validation)
    clock.ms += HOUR_MS
    assert code(validation.submit, Purpose.RESET, sid, "secret", mails.token) == "M_SESSION_EXPIRED"
    sid = validation.begin(Purpose.RESET, "a@b.c", "secret", 2)
    validation.submit(Purpose.RESET, sid, "secret", mails.token)
    clock.ms += 24 * HOUR_MS
    assert code(validation.proof, sid, "secret") == "M_SESSION_EXPIRED"
    assert validation.expire() == 1


def test_tokens_cannot_be_guessed_at_leisure(validation, mails):
    sid = begin(validation)
    for _ in range(MAX_WRONG_TOKENS):
        assert code(validation.submit, Purpose.RESET, sid, "secret", "wrong") == "M_TOKEN_INCORRECT"
    assert code(validation.submit, Purpose.RESET, sid, "secret", mails.token) == "M_NO_VALID_SESSION"


def test_a_link_is_of_no_use_for_another_purpose_or_without_the_secret(validation, mails):
    sid = begin(validation)
    assert code(validation.submit, Purpose.ADD, sid, "secret", mails.token) == "M_NO_VALID_SESSION"
    assert code(validation.submit, Purpose.RESET, sid, "other", mails.token) == "M_NO_VALID_SESSION"
    assert code(validation.proof, sid, "other") == "M_NO_VALID_SESSION"


def test_an_address_is_of_one_account_and_kept_byte_for_byte(database, writer, alice):
    store = ThreepidStore(database)
    found = Threepid("email", "straße@example.org", 1, 2)
    writer.submit(lambda transaction: store.add(transaction, alice, found))
    assert (store.owner_of("email", "straße@example.org"), store.of_user(alice)) == ("@alice:example.org", [found])
    assert store.owner_of("email", "strasse@example.org") is None
    assert writer.submit(lambda transaction: store.owner_nid_in(transaction, "email", found.address)) == alice
    assert writer.submit(lambda transaction: store.remove(transaction, alice, "email", found.address))
    assert store.of_user(alice) == []


def test_where_an_address_is_published_is_remembered_once(database, writer, alice):
    store, bind = ThreepidStore(database), Bind("email", "a@b.c", "id.example.org")
    for _ in range(2):
        writer.submit(lambda transaction: store.add_bind(transaction, alice, bind))
    assert store.binds_of(alice) == [bind]
    assert store.binds_of(alice, "email", "x@y.z") == []
    writer.submit(lambda transaction: store.remove_all(transaction, alice))
    assert store.binds_of(alice) == []


def test_a_login_token_is_spent_once_and_expires(database, writer, clock, alice):
    tokens = LoginTokens(LoginTokenStore(database), writer, True, 1000, clock)
    first, second = tokens.new_token(alice), tokens.new_token(alice)
    assert tokens.authenticate({"token": first}).user_id == "@alice:example.org"
    with pytest.raises(Forbidden):
        tokens.authenticate({"token": first})
    clock.ms += 1000
    with pytest.raises(Forbidden):
        tokens.authenticate({"token": second})


def test_an_openid_token_expires_and_ends_with_its_account(database, writer, clock, alice):
    openid = Openid(OpenidTokenStore(database), writer, clock)
    requester = Requester("@alice:example.org", alice, None, 1)
    token = openid.new_token(requester)
    assert openid.owner_of(token) == "@alice:example.org"
    clock.ms += HOUR_MS
    with pytest.raises(UnknownToken):
        openid.owner_of(token)
    token = openid.new_token(requester)
    writer.submit(lambda transaction: UserStore(database).set_flag(transaction, alice, "is_deactivated", True))
    with pytest.raises(UnknownToken):
        openid.owner_of(token)


def test_old_sessions_are_forgotten_while_new_ones_begin(validation, clock, database):
    begin(validation)
    clock.ms += 25 * HOUR_MS
    validation.begin(Purpose.ADD, "x@y.z", "secret", 1)
    assert database.value("SELECT COUNT(*) FROM validation_sessions") == 1
