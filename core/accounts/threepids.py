"""Addresses of accounts: asked to be validated, added, listed, taken away.

An address is of one account at most; a plugin and `allowed_local_3pids` may keep some out. What is told about whether
an address belongs to somebody follows `request_token_inhibit_3pid_errors`.
Spec: Client-Server API, "Adding Account Administrative Contact Information".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.validation import Proof, Purpose, Validation
from core.config.registration import RegistrationConfig
from core.errors import BadRequest, Forbidden, InvalidParam
from core.hooks.manager import PluginManager
from core.hooks.specs import observers, permissions
from core.ids import UserId, UserNid
from core.mail.outgoing import Mailer, canonical_mail_address, is_mail_address
from core.storage.threepids import Threepid, ThreepidStore
from core.storage.writer import Transaction, Writer

MAX_THREEPIDS = 100
"""Addresses an account may have."""


class ThreepidInUse(BadRequest):
    """The address belongs to an account already."""

    errcode = "M_THREEPID_IN_USE"


class ThreepidNotFound(BadRequest):
    """The address belongs to no account."""

    errcode = "M_THREEPID_NOT_FOUND"


class Threepids:
    """The addresses of this server's accounts."""

    def __init__(
        self,
        store: ThreepidStore,
        validation: Validation,
        mailer: Mailer,
        writer: Writer,
        plugins: PluginManager,
        config: RegistrationConfig,
        now_ms: Clock = wall_clock_ms,
    ) -> None:
        self._store = store
        self._validation = validation
        self._mailer = mailer
        self._writer = writer
        self._plugins = plugins
        self._config = config
        self._now_ms = now_ms

    def owner_of(self, medium: str, address: str) -> UserId | None:
        """Whose address it is, however it was typed."""
        return self._store.owner_of(medium, canonical(medium, address))

    def of_user(self, user_nid: UserNid) -> list[Threepid]:
        """An account's addresses."""
        return self._store.of_user(user_nid)

    def request_email_token(
        self, purpose: Purpose, email: str, client_secret: str, send_attempt: int, next_link: str | None
    ) -> str:
        """Begin to validate an e-mail address; the id of the session.

        Raises: `InvalidParam`, `Forbidden` (`M_THREEPID_DENIED`), `BadRequest` (`M_THREEPID_MEDIUM_NOT_SUPPORTED`),
        and unless they are inhibited `ThreepidInUse` or, for a new password, `ThreepidNotFound`.
        """
        if not self._validation.can_mail:
            raise BadRequest(
                "This server sends no mail, so it cannot verify e-mail addresses.",
                errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED",
            )
        address = self.checked_email(email)
        self.check_allowed(None, "email", address)
        is_taken, is_quiet = self.owner_of("email", address) is not None, self._config.request_token_inhibit_3pid_errors
        if is_taken == (purpose is Purpose.RESET):
            return self._validation.begin(purpose, address, client_secret, send_attempt, next_link, is_quiet)
        if not is_quiet:
            raise self._refusal(is_taken)
        if is_taken:
            self._mailer.send_template_later("already_in_use", address)
        return self._validation.pretend(client_secret, next_link)

    def check_phone(self, purpose: Purpose, msisdn: str) -> bool:
        """Whether a text message is to be sent to a number, which may depend on whose it is. Raises: as for e-mail."""
        self.check_allowed(None, "msisdn", msisdn)
        is_taken = self.owner_of("msisdn", msisdn) is not None
        if is_taken == (purpose is Purpose.RESET):
            return True
        if not self._config.request_token_inhibit_3pid_errors:
            raise self._refusal(is_taken)
        return False

    def no_session(self, client_secret: str) -> str:
        """The id of a session that leads nowhere. Raises: `InvalidParam`."""
        return self._validation.pretend(client_secret)

    def checked_email(self, email: str) -> str:
        """The canonical form of an address. Raises: `InvalidParam`."""
        if not is_mail_address(email):
            raise InvalidParam("'email' is not an e-mail address that mail can be sent to.")
        return canonical_mail_address(email)

    def check_allowed(self, user_id: UserId | None, medium: str, address: str) -> None:
        """Raises: `Forbidden` with `M_THREEPID_DENIED` where configuration or a plugin keeps the address out."""
        rules = self._config.allowed_local_3pids
        if rules and not any(_matches(rule, medium, address) for rule in rules):
            raise Forbidden("This address is not allowed on this server.", errcode="M_THREEPID_DENIED")
        self._plugins.require(permissions.may_bind_threepid, user_id=user_id, medium=medium, address=address)

    def add(self, user_id: UserId, user_nid: UserNid, proof: Proof) -> None:
        """Add a validated address to an account. Raises: `ThreepidInUse`, `Forbidden`, `BadRequest`."""
        self.check_allowed(user_id, proof.medium, proof.address)
        self._writer.submit(lambda transaction: self.add_in(transaction, user_nid, proof, Purpose.ADD), user_nid)
        self._tell(user_id, proof.medium, proof.address, is_bound=True)

    def bind(self, user_id: UserId, user_nid: UserNid, medium: str, address: str) -> None:
        """Add an address that a plugin has validated just now, without a session. Raises: as `add`."""
        now_ms, address = self._now_ms(), canonical(medium, address)
        self.check_allowed(user_id, medium, address)
        threepid = Proof(medium, address, now_ms, None, "").threepid(now_ms)

        def write(transaction: Transaction) -> None:
            owner = self._store.owner_nid_in(transaction, medium, address)
            if owner is not None and owner != user_nid:
                raise self._refusal(is_taken=True)
            if owner is None:
                self._store.add(transaction, user_nid, threepid)

        self._writer.submit(write, user_nid)
        self._tell(user_id, medium, address, is_bound=True)

    def add_in(self, transaction: Transaction, user_nid: UserNid, proof: Proof, purpose: Purpose) -> None:
        """As `add`, inside the caller's transaction, which spends the proof."""
        self._validation.spend(transaction, proof, purpose)
        owner = self._store.owner_nid_in(transaction, proof.medium, proof.address)
        if owner == user_nid:
            return
        if owner is not None:
            raise self._refusal(is_taken=True)
        self._store.add(transaction, user_nid, proof.threepid(self._now_ms()))

    def remove(self, user_id: UserId, user_nid: UserNid, medium: str, address: str) -> bool:
        """Take an address from an account; False where it was not the account's."""
        address = canonical(medium, address)
        done = self._writer.submit(
            lambda transaction: self._store.remove(transaction, user_nid, medium, address), user_nid
        )
        if done:
            self._tell(user_id, medium, address, is_bound=False)
        return done

    def _tell(self, user_id: UserId, medium: str, address: str, *, is_bound: bool) -> None:
        self._plugins.tell(
            observers.threepid_changed, user_id=user_id, medium=medium, address=address, is_bound=is_bound
        )

    @staticmethod
    def _refusal(is_taken: bool) -> BadRequest:
        if is_taken:
            return ThreepidInUse("This address belongs to an account already.")
        return ThreepidNotFound("No account has this address.")


def canonical(medium: str, address: str) -> str:
    """The form under which an address is kept: e-mail case folded, phone numbers as their digits."""
    if medium == "email":
        return canonical_mail_address(address)
    return "".join(character for character in address if character.isalnum())


def proofs_of(stages: Mapping[str, Any]) -> Sequence[Proof]:
    """What the stages of interactive authentication have validated."""
    return [proof_from(found) for found in stages.values() if isinstance(found, Mapping) and "sid" in found]


def proof_from(remembered: Mapping[str, Any]) -> Proof:
    """The proof that a stage remembered."""
    purpose = remembered.get("purpose")
    return Proof(
        remembered["medium"],
        remembered["address"],
        int(remembered.get("validated_ms", 0)),
        None if purpose is None else Purpose(purpose),
        remembered["sid"],
    )


def _matches(rule: Mapping[str, Any], medium: str, address: str) -> bool:
    pattern = rule.get("pattern")
    return rule.get("medium") == medium and isinstance(pattern, str) and re.match(pattern, address) is not None
