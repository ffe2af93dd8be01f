"""User-interactive authentication: stages a client completes before an operation is carried out.

A session belongs to one operation (method, URI, body and user), and to no other. It is written when the client has to
come back, so an operation whose only stage is passed at once costs no row. What stages exist is decided by whoever
constructs the engine; the core's and the plugins' look the same. Where an operation `is_remembered`, its client need
not repeat what it said, and may say more; the body is kept sealed, as there may be a password in it.
Spec: Client-Server API, "User-Interactive Authentication API".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.seal import Seal
from core.accounts.secrets import new_session_id
from core.errors import BadJson, BadRequest, Forbidden, LimitExceeded, MatrixError, Unauthorized, Unavailable
from core.ids import UserId
from core.storage.auth_sessions import AuthSession, AuthSessionStore
from core.storage.writer import Writer

SESSION_MS = 48 * 3600 * 1000
"""How long a session may rest before it is forgotten; a mail with a link in it may take a day."""

MAX_CONFIRMED = 10_000
"""How many access tokens are remembered as confirmed; the oldest go first."""

EXPIRE_EVERY_MS = 3600 * 1000
"""How often, at most, forgotten sessions are deleted."""

REMEMBERED = "request"
"""Under which of its notes a session keeps the sealed request."""

Flow = Sequence[str]
"""The stages of one way, in order."""


class Stage(Protocol):
    """One stage. `core.hooks.declarations.AuthStage` is one."""

    @property
    def type(self) -> str: ...

    def params(self) -> Mapping[str, Any]:
        """What a client is told about the stage."""

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the session is to remember, given the user, if there is one yet. Raises: MatrixError."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be authorized. `body` is without its `auth`; `user_id` None where there is no account yet."""

    method: str
    uri: str
    body: Mapping[str, Any]
    user_id: UserId | None = None
    token_nid: int | None = None
    """The access token it came with, by which a confirmation of before counts."""
    may_skip: bool = False
    """Whether such a confirmation suffices, within `ui_auth.session_timeout`."""
    is_remembered: bool = False
    """Whether a later request of the session may leave out parts of the body, or add some."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A flow that was completed: what each stage remembered, and what the operation noted in the session before."""

    session_id: str
    completed: Mapping[str, Any]
    notes: Mapping[str, Any]


class InteractiveAuthNeeded(Unauthorized):
    """The 401 that tells a client what to do next; `errcode` and `error` only where an attempt failed."""

    def __init__(self, failure: MatrixError | None, **fields: Any) -> None:
        super().__init__("More authentication is needed." if failure is None else failure.sentence, **fields)
        self.failure = failure
        if failure is not None:
            self.errcode = failure.errcode

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        if self.failure is None:
            return dict(self.fields)
        return {**self.failure.body(), **self.fields}


class WrongAccount(Forbidden):
    """Somebody's right password, and not that of the account concerned: no further attempt is asked for."""


class InteractiveAuth:
    """The engine. `key` makes the hashes of operations, which cover passwords, worthless to who reads the database."""

    def __init__(
        self,
        stages: Iterable[Stage],
        store: AuthSessionStore,
        writer: Writer,
        key: bytes,
        now_ms: Clock = wall_clock_ms,
        grace_ms: int = 0,
    ) -> None:
        self._grace_ms = grace_ms
        self._confirmed_ms: dict[int, int] = {}
        self._stages = {stage.type: stage for stage in stages}
        self._store = store
        self._writer = writer
        self._key = key
        self._seal = Seal(key)
        self._now_ms = now_ms
        self._expired_ms = 0

    def offers(self, stage: str) -> bool:
        """Whether there is a stage of this type."""
        return stage in self._stages

    def params(self, stage: str) -> Mapping[str, Any]:
        """What clients are told of a stage."""
        return self._stages[stage].params()

    def authorize(self, operation: Operation, auth: Any, flows: Sequence[Flow]) -> Passed:
        """Go on with the session that `auth` names, or begin one.

        Returns once a flow is complete. Raises: `InteractiveAuthNeeded` until then; `BadJson`; `BadRequest` for a
        session of another operation; `LimitExceeded` and `Unavailable` from a stage as they are.
        """
        flows = [flow for flow in flows if all(stage in self._stages for stage in flow)]
        if auth is not None and not isinstance(auth, Mapping):
            raise BadJson("'auth' must be an object.")
        if operation.may_skip and self._is_confirmed(operation.token_nid):
            return Passed("", {}, {})
        digest = self._digest(operation)
        session, failure = self._session(auth, operation, digest)
        before = session
        if auth and failure is None and "type" in auth:
            session, failure = self._attempt(session, operation, auth, flows)
        if failure is None and auth and any(set(flow) <= session.completed.keys() for flow in flows):
            self._confirm(operation.token_nid, session.completed)
            return Passed(session.session_id, session.completed, session.notes)
        is_new = not (auth and auth.get("session") == session.session_id)
        if is_new or session is not before:
            self._save(session)
        fields: dict[str, Any] = {
            "session": session.session_id,
            "flows": [{"stages": list(flow)} for flow in flows],
            "params": {s: params for flow in flows for s in flow if (params := self.params(s))},
        }
        if session.completed:
            fields["completed"] = list(session.completed)
        raise InteractiveAuthNeeded(failure, **fields)

    def resumed(self, operation: Operation, auth: Any) -> Operation:
        """An operation that `is_remembered`, with what was said before in the session that `auth` names."""
        wanted = auth.get("session") if isinstance(auth, Mapping) else None
        found = self._store.find(wanted, self._now_ms() - SESSION_MS) if isinstance(wanted, str) else None
        said = None if found is None else self._said_before(found, operation)
        return operation if said is None else replace(operation, body={**said, **operation.body})

    def complete(self, session_id: str, stage: str, auth: Mapping[str, Any]) -> None:
        """Complete a stage from elsewhere, such as its fallback page. Raises: `BadRequest`, and as the stage does."""
        session = self._store.find(session_id, self._now_ms() - SESSION_MS)
        if session is None:
            raise BadRequest("This session has expired, or never was; please begin again.")
        if stage not in self._stages:
            raise BadRequest("There is no such stage.")
        remembered = self._stages[stage].check(None, auth)
        self._save(replace(session, completed={**session.completed, stage: remembered}))

    def note(self, passed: Passed, **notes: Any) -> None:
        """Keep something with the session, for the client that repeats a request whose answer it lost."""
        operation = self._store.find(passed.session_id, 0)
        if operation is not None:
            kept = {key: value for key, value in passed.notes.items() if key != REMEMBERED}
            self._save(replace(operation, completed=passed.completed, notes={**kept, **notes}))

    def end(self, passed: Passed) -> None:
        """Forget a session whose operation was carried out, so that it authorizes nothing more."""
        if passed.session_id and self._store.find(passed.session_id, 0) is not None:
            self._writer.submit(lambda transaction: self._store.remove(transaction, passed.session_id))

    def expire(self) -> int:
        """Forget sessions that rest too long; returns how many. Happens by itself, once an hour of use."""
        self._expired_ms = self._now_ms()
        before_ms = self._expired_ms - SESSION_MS
        return self._writer.submit(lambda transaction: self._store.drop_older(transaction, before_ms))

    def _is_confirmed(self, token_nid: int | None) -> bool:
        at_ms = None if token_nid is None else self._confirmed_ms.get(token_nid)
        return at_ms is not None and self._now_ms() - at_ms < self._grace_ms

    def _confirm(self, token_nid: int | None, completed: Mapping[str, Any]) -> None:
        """Remember that whoever holds this access token has just shown the password."""
        if token_nid is None or not self._grace_ms or "m.login.password" not in completed:
            return
        self._confirmed_ms.pop(token_nid, None)
        self._confirmed_ms[token_nid] = self._now_ms()
        if len(self._confirmed_ms) > MAX_CONFIRMED:
            del self._confirmed_ms[next(iter(self._confirmed_ms))]

    def _session(
        self, auth: Mapping[str, Any] | None, operation: Operation, digest: bytes
    ) -> tuple[AuthSession, MatrixError | None]:
        wanted = auth.get("session") if auth else None
        now_ms = self._now_ms()
        notes = {REMEMBERED: self._seal.close(_all_of(operation))} if operation.is_remembered else {}
        fresh = AuthSession(new_session_id(), digest, now_ms, notes=notes)
        if wanted is None:
            return fresh, None
        found = self._store.find(wanted, now_ms - SESSION_MS) if isinstance(wanted, str) else None
        if found is None:
            return fresh, BadRequest("This session has expired, or never was; here is another.")
        if not hmac.compare_digest(found.operation, digest):
            said = self._said_before(found, operation)
            if said is None or {**operation.body, **said} != operation.body:
                raise BadRequest("The request differs from the one this session was begun with.")
            found = replace(found, operation=digest, notes={**found.notes, **notes})
            self._save(found)
        return found, None

    def _said_before(self, session: AuthSession, operation: Operation) -> Mapping[str, Any] | None:
        """The body that the session remembers for this operation, if it does."""
        if not operation.is_remembered or REMEMBERED not in session.notes:
            return None
        said = self._seal.open(session.notes[REMEMBERED])
        if said is None or said[:-1] != _all_of(operation)[:-1]:
            return None
        body: Mapping[str, Any] = said[-1]
        return body

    def _attempt(
        self, session: AuthSession, operation: Operation, auth: Mapping[str, Any], flows: Sequence[Flow]
    ) -> tuple[AuthSession, MatrixError | None]:
        kind = auth["type"]
        if isinstance(kind, str) and kind in session.completed:
            return session, None
        done = session.completed.keys()
        due = {s for flow in flows for s in _next(flow, done)}
        if not isinstance(kind, str) or kind not in due:
            offered = ", ".join(sorted(due)) or "nothing"
            return session, BadRequest(f"'auth.type' is not a stage that comes next; that would be {offered}.")
        try:
            remembered = self._stages[kind].check(operation.user_id, auth)
        except (LimitExceeded, Unavailable, WrongAccount):
            raise
        except MatrixError as error:
            return session, error
        completed = {**session.completed, kind: remembered}
        return replace(session, completed=completed, used_ms=self._now_ms()), None

    def _save(self, session: AuthSession) -> None:
        if self._now_ms() - self._expired_ms > EXPIRE_EVERY_MS:
            self.expire()
        self._writer.submit(lambda transaction: self._store.set(transaction, session))

    def _digest(self, operation: Operation) -> bytes:
        what = orjson.dumps(_all_of(operation), option=orjson.OPT_SORT_KEYS)
        return hmac.new(self._key, what, hashlib.sha256).digest()


def _all_of(operation: Operation) -> list[Any]:
    """What an operation is, as JSON."""
    return [operation.method, operation.uri, operation.user_id, dict(operation.body)]


def _next(flow: Flow, done: Iterable[str]) -> list[str]:
    """The stage of the flow that comes next, none where something done is not of this flow."""
    completed = set(done)
    if not completed <= set(flow):
        return []
    return next(([stage] for stage in flow if stage not in completed), [])
