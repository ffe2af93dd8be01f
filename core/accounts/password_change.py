"""A new password: by who knows the old one, or by who shows that an address of the account is theirs.

Who did not come with an access token is logged out everywhere, unless they asked otherwise; a client that did keeps
its own session. A reset link that was used does not work again, and ends all others of its address.
Spec: Client-Server API, `POST /account/password`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.accounts.interactive_auth import Flow, InteractiveAuth, Operation
from core.accounts.passwords import Passwords
from core.accounts.sessions import Sessions
from core.accounts.threepids import Threepids, proofs_of
from core.accounts.validation import Proof, Purpose, Validation
from core.errors import Forbidden
from core.ids import Requester, UserId
from core.storage.users import User, UserStore
from core.storage.writer import Transaction, Writer

PASSWORD_FLOW: Flow = ("m.login.password",)


class PasswordChange:
    """Changes passwords for users themselves."""

    def __init__(
        self,
        interactive: InteractiveAuth,
        users: UserStore,
        passwords: Passwords,
        sessions: Sessions,
        threepids: Threepids,
        validation: Validation,
        writer: Writer,
    ) -> None:
        self._interactive = interactive
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._threepids = threepids
        self._validation = validation
        self._writer = writer

    def change(self, requester: Requester | None, operation: Operation, auth: Any, logout_devices: bool) -> None:
        """Set `operation.body["new_password"]` once a flow is complete.

        Raises: `InteractiveAuthNeeded`, `WeakPassword`, `Forbidden` where the address is nobody's or the account ended.
        """
        new_password = operation.body["new_password"]
        self._passwords.check_policy(new_password)
        passed = self._interactive.authorize(operation, auth, self._flows(requester))
        proof = next(iter(proofs_of(passed.completed)), None)
        user = self._user(requester, passed.completed, proof)
        hashed = self._passwords.hash(new_password)
        own = None if requester is None else requester.device_id

        def change(transaction: Transaction) -> None:
            if proof is not None:
                self._validation.spend(transaction, proof, Purpose.RESET)
            self._users.set_password_hash(transaction, user.user_nid, hashed)
            if logout_devices:
                self._sessions.close_others_in(transaction, user.user_nid, own)

        self._writer.submit(change, user.user_nid)
        self._interactive.end(passed)

    def _flows(self, requester: Requester | None) -> list[Flow]:
        if requester is not None:
            return [PASSWORD_FLOW]
        return [PASSWORD_FLOW, ("m.login.email.identity",), ("m.login.msisdn",)]

    def _user(self, requester: Requester | None, completed: Mapping[str, Any], proof: Proof | None) -> User:
        user_id: UserId | None
        if requester is not None:
            user_id = requester.user_id
        elif proof is not None:
            user_id = self._threepids.owner_of(proof.medium, proof.address)
        else:
            user_id = completed["m.login.password"]["user_id"]
        user = None if user_id is None else self._users.find(user_id)
        if user is None or user.is_deactivated or user.is_guest:
            raise Forbidden("There is no account whose password could be changed.")
        if user.is_locked:
            raise Forbidden("This account has been locked.", errcode="M_USER_LOCKED")
        return user
