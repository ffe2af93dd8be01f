"""Showing that an e-mail address is one's own: a token is mailed, comes back, and the session may be used once.

A session is for one purpose: one begun to make an account cannot set a password. Its id alone is worth nothing; the
client's secret goes with it. A token works once, for a limited time, and a few wrong ones end it. Using a session
deletes it in the transaction of what it was used for, so of two uses one fails.
Spec: Client-Server API, "Adding Account Administrative Contact Information"; Identity Service API, "Email associations".
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.secrets import token_hash
from core.errors import BadRequest, InvalidParam
from core.mail.outgoing import Mailer
from core.storage.threepids import Threepid
from core.storage.validation_sessions import ValidationSession, ValidationSessionStore
from core.storage.writer import Transaction, Writer

MAX_WRONG_TOKENS = 10
"""Wrong tokens after which a session is of no use; tokens have 192 bits, so nobody needs that many tries."""
EXPIRE_EVERY_MS = 3_600_000
"""How often, at most, old sessions are deleted."""
_CLIENT_SECRET = re.compile(r"[0-9a-zA-Z.=_-]{1,255}")


class Purpose(StrEnum):
    """What a session is for; the value names its templates, and stands in its link."""

    REGISTER = "registration"
    ADD = "add_threepid"
    RESET = "password_reset"


class NoValidSession(BadRequest):
    """There is no such session, or the secret is another's."""

    errcode, status = "M_NO_VALID_SESSION", 404


class NotValidated(BadRequest):
    """The token has not come back yet."""

    errcode = "M_SESSION_NOT_VALIDATED"


@dataclass(frozen=True, slots=True)
class Proof:
    """A validated session: whose address was shown, and the session to spend.

    `purpose` is None where another server validated it; the row that `adopt` wrote knows it.
    """

    medium: str
    address: str
    validated_ms: int
    purpose: Purpose | None
    sid: str

    def threepid(self, added_ms: int) -> Threepid:
        """The address as an account keeps it."""
        return Threepid(self.medium, self.address, self.validated_ms, added_ms)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a token works, and a session may be used, in milliseconds."""

    token_ms: int
    session_ms: int


class Validation:
    """Begins sessions, takes tokens back, and spends what was validated."""

    def __init__(
        self,
        store: ValidationSessionStore,
        writer: Writer,
        mailer: Mailer,
        public_baseurl: str,
        lifetimes: Lifetimes,
        next_link_domains: Sequence[str] | None = None,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._store = store
        self._writer = writer
        self._mailer = mailer
        self._base = public_baseurl
        self._lifetimes = lifetimes
        self._next_link_domains = next_link_domains
        self._now_ms = now_ms
        self._expired_ms = 0

    @property
    def can_mail(self) -> bool:
        """Whether this server sends mail at all."""
        return self._mailer.can_send

    def begin(
        self,
        purpose: Purpose,
        address: str,
        client_secret: str,
        send_attempt: int,
        next_link: str | None = None,
        is_quiet: bool = False,
    ) -> str:
        """The id of a session in which a token was mailed; a repeated attempt sends nothing.

        `is_quiet` does not wait for the mail, so that nobody learns from the time it takes.
        Raises: `InvalidParam` for a secret or link that is not allowed, `Unavailable` where the mail was not taken.
        """
        check_client_secret(client_secret)
        if next_link is not None:
            self._check_next_link(next_link)
        now_ms = self._now_ms()
        if now_ms - self._expired_ms > EXPIRE_EVERY_MS:
            self.expire()
        found = self._store.find_open(purpose.value, "email", address, client_secret)
        if found is not None and found.created_ms > now_ms - self._lifetimes.session_ms:
            if send_attempt <= found.send_attempt:
                return found.sid
            sid, created_ms = found.sid, found.created_ms
        else:
            sid, created_ms = secrets.token_urlsafe(24), now_ms
        token = secrets.token_urlsafe(24)
        session = ValidationSession(
            sid,
            purpose.value,
            "email",
            address,
            client_secret,
            send_attempt,
            next_link,
            token_hash(token),
            now_ms + self._lifetimes.token_ms,
            0,
            created_ms,
            None,
        )
        self._writer.submit(lambda transaction: self._store.set(transaction, session))
        send = self._mailer.send_template_later if is_quiet else self._mailer.send_template
        send(purpose.value, address, link=self.link(purpose, sid, client_secret, token))
        return sid

    def pretend(self, client_secret: str, next_link: str | None = None) -> str:
        """The id of a session that leads nowhere: for addresses of which nothing is to be told. Raises: as `begin`."""
        check_client_secret(client_secret)
        if next_link is not None:
            self._check_next_link(next_link)
        return secrets.token_urlsafe(24)

    def link(self, purpose: Purpose, sid: str, client_secret: str, token: str) -> str:
        """The address that the mail leads to."""
        query = urlencode({"token": token, "client_secret": client_secret, "sid": sid})
        return f"{self._base}_matrix/client/unstable/{purpose.value}/email/submit_token?{query}"

    def peek(self, purpose: Purpose, sid: str, client_secret: str, token: str) -> None:
        """Raise as `submit` would; changes nothing."""
        self._checked(self._store.find(sid), purpose, client_secret, token)

    def submit(self, purpose: Purpose, sid: str, client_secret: str, token: str) -> str | None:
        """Take a token back; returns where the browser is to go on, if the client said.

        Raises: `NoValidSession`, `BadRequest` with `M_TOKEN_INCORRECT` or `M_SESSION_EXPIRED`.
        """

        def submit(transaction: Transaction) -> ValidationSession | BadRequest:
            found = self._store.find_in(transaction, sid)
            try:
                session = self._checked(found, purpose, client_secret, token)
            except BadRequest as error:
                if error.errcode == "M_TOKEN_INCORRECT" and found is not None:
                    self._store.set(transaction, replace(found, wrong_tokens=found.wrong_tokens + 1))
                return error
            self._store.set(transaction, replace(session, token_hash=None, validated_ms=self._now_ms()))
            return session

        done = self._writer.submit(submit)
        if isinstance(done, BadRequest):
            raise done
        return done.next_link

    def proof(self, sid: str, client_secret: str) -> Proof:
        """What a session has shown. Raises: `NoValidSession`, `NotValidated`, `BadRequest` with `M_SESSION_EXPIRED`."""
        session = self._store.find(sid)
        if session is None or not _is_secret(session, client_secret):
            raise NoValidSession("There is no validation session of this id and secret.")
        self._check_age(session)
        if session.validated_ms is None:
            raise NotValidated("The address is not confirmed yet: open the link in the mail.")
        return Proof(session.medium, session.address, session.validated_ms, Purpose(session.purpose), session.sid)

    def adopt(self, purpose: Purpose, medium: str, address: str, client_secret: str, sid: str) -> None:
        """Note what a session of another server is for, so that it is used for that, and once."""
        now_ms = self._now_ms()
        session = ValidationSession(
            adopted_sid(sid), purpose.value, medium, address, client_secret, 0, None, None, now_ms, 0, now_ms, None
        )
        self._writer.submit(lambda transaction: self._store.set(transaction, session))

    def spend(self, transaction: Transaction, proof: Proof, purpose: Purpose) -> None:
        """Use a proof up, in the transaction of what it is used for.

        Raises: `NoValidSession` where it was used meanwhile or is for another purpose.
        """
        session = self._store.find_in(transaction, proof.sid)
        is_validated = session is not None and (proof.purpose is None or session.validated_ms is not None)
        if session is None or not is_validated or session.purpose != purpose.value:
            raise NoValidSession("This validation session is for something else, or was used already.")
        self._store.remove(transaction, proof.sid)
        self._store.remove_of_address(transaction, session.medium, session.address, purpose.value)

    def expire(self) -> int:
        """Forget sessions that are too old; returns how many."""
        self._expired_ms = self._now_ms()
        before_ms = self._expired_ms - self._lifetimes.session_ms
        return self._writer.submit(lambda transaction: self._store.drop_older(transaction, before_ms))

    def _checked(
        self, session: ValidationSession | None, purpose: Purpose, client_secret: str, token: str
    ) -> ValidationSession:
        if session is None or session.purpose != purpose.value:
            raise NoValidSession("There is no validation session of this id and secret.")
        if not _is_secret(session, client_secret):
            raise NoValidSession("There is no validation session of this id and secret.")
        if session.wrong_tokens >= MAX_WRONG_TOKENS:
            raise NoValidSession("Too many wrong tokens were sent; please begin again.")
        if session.token_hash is None:
            raise BadRequest("This link was used already.", errcode="M_TOKEN_INCORRECT")
        if session.token_expires_ms <= self._now_ms():
            raise BadRequest("This link has expired; please ask for another mail.", errcode="M_SESSION_EXPIRED")
        self._check_age(session)
        if not hmac.compare_digest(session.token_hash, token_hash(token)):
            raise BadRequest("This link is wrong, or a newer mail was sent.", errcode="M_TOKEN_INCORRECT")
        return session

    def _check_age(self, session: ValidationSession) -> None:
        if session.created_ms <= self._now_ms() - self._lifetimes.session_ms:
            raise BadRequest("This validation has expired; please begin again.", errcode="M_SESSION_EXPIRED")

    def _check_next_link(self, link: str) -> None:
        if len(link.encode("utf-8", "replace")) > 2048 or not link.isprintable():
            raise InvalidParam("'next_link' must be a URL of at most 2048 bytes.")
        try:
            parts = urlsplit(link)
            host = parts.hostname
        except ValueError as error:
            raise InvalidParam("'next_link' is no URL.") from error
        if parts.scheme not in {"http", "https"} or not host:
            raise InvalidParam("'next_link' must be an http or https URL.")
        if self._next_link_domains is not None and host not in self._next_link_domains:
            raise InvalidParam("'next_link' leads to a domain that this server does not allow.")


def adopted_sid(sid: str) -> str:
    """Under which id a session of another server is known here."""
    return f"a.{token_hash(sid).hex()[:60]}"


def check_client_secret(client_secret: str) -> None:
    """Raises: `InvalidParam`. Spec: Identity Service API, "Email associations"."""
    if _CLIENT_SECRET.fullmatch(client_secret) is None:
        raise InvalidParam("'client_secret' must consist of 1 to 255 of the characters 0-9 a-z A-Z . = _ -")


def _is_secret(session: ValidationSession, client_secret: str) -> bool:
    return hmac.compare_digest(session.client_secret.encode(), client_secret.encode("utf-8", "replace"))
