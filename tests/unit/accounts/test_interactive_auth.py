"""The engine of interactive authentication, with flows of several stages."""

import pytest

from core.accounts.auth_stages import DummyStage, PasswordStage
from core.accounts.interactive_auth import InteractiveAuth, InteractiveAuthNeeded, Operation, WrongAccount
from core.accounts.login import Identifiers
from core.errors import BadRequest, LimitExceeded
from core.storage.auth_sessions import AuthSessionStore

OPERATION = Operation("POST", "/delete", {"devices": ["X"]}, "@alice:example.org")
FLOWS = [["m.login.password", "m.login.dummy"], ["org.example.missing"]]


@pytest.fixture
def engine(make_accounts):
    accounts = make_accounts(limits={"rc_login.failed_attempts": (0.001, 2)})
    accounts.user("alice")
    accounts.user("bob", password="other")
    stages = [DummyStage(), PasswordStage(Identifiers("example.org"), accounts.passwords, accounts.limits)]
    return InteractiveAuth(stages, AuthSessionStore(accounts.database), accounts.writer, b"key", accounts.clock)


def needed(engine, auth, operation=OPERATION):
    with pytest.raises(InteractiveAuthNeeded) as caught:
        engine.authorize(operation, auth, FLOWS)
    return caught.value.body()


def password(session=None, word="secret", **fields):
    return {"type": "m.login.password", "password": word, **({} if session is None else {"session": session}), **fields}


def test_stages_are_done_in_order_and_kept(engine):
    asked = needed(engine, None)
    assert asked["flows"] == [{"stages": FLOWS[0]}]
    session = asked["session"]
    assert needed(engine, {"type": "m.login.dummy", "session": session})["errcode"] == "M_UNKNOWN"
    assert needed(engine, password(session))["completed"] == ["m.login.password"]
    assert needed(engine, {"session": session})["completed"] == ["m.login.password"]
    passed = engine.authorize(OPERATION, {"type": "m.login.dummy", "session": session}, FLOWS)
    assert passed.completed == {"m.login.password": {"user_id": "@alice:example.org"}, "m.login.dummy": {}}


def test_a_request_without_auth_never_succeeds(engine):
    for auth in (None, {}):
        with pytest.raises(InteractiveAuthNeeded):
            engine.authorize(OPERATION, auth, [["m.login.dummy"]])


def test_a_wrong_password_keeps_the_session(engine):
    session = needed(engine, None)["session"]
    failed = needed(engine, password(session, "wrong"))
    assert (failed["errcode"], failed["session"]) == ("M_FORBIDDEN", session)
    assert "completed" not in failed


def test_the_password_must_be_that_of_the_caller(engine):
    bob = {"type": "m.id.user", "user": "bob"}
    assert needed(engine, password(None, "wrong", identifier=bob))["errcode"] == "M_FORBIDDEN"
    with pytest.raises(WrongAccount):
        engine.authorize(OPERATION, password(None, "other", identifier=bob), FLOWS)


def test_guessing_the_password_is_limited(engine):
    for _ in range(2):
        needed(engine, password(None, "wrong"))
    with pytest.raises(LimitExceeded):
        engine.authorize(OPERATION, password(None), FLOWS)


@pytest.mark.parametrize(
    "other",
    [
        Operation("PUT", "/delete", {"devices": ["X"]}, "@alice:example.org"),
        Operation("POST", "/other", {"devices": ["X"]}, "@alice:example.org"),
        Operation("POST", "/delete", {"devices": ["Y"]}, "@alice:example.org"),
        Operation("POST", "/delete", {"devices": ["X"]}, "@bob:example.org"),
    ],
)
def test_a_session_confirms_nothing_but_its_own_operation(engine, other):
    session = needed(engine, password())["session"]
    with pytest.raises(BadRequest, match="differs"):
        engine.authorize(other, {"type": "m.login.dummy", "session": session}, FLOWS)
