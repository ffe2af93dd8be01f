"""What a new user has shown on the way to an account, kept with it: addresses that are theirs, and consent to the terms.

In the same transaction, so that a validated address makes one account at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.accounts.registration import Also
from core.accounts.terms import Terms
from core.accounts.threepids import Threepids, proofs_of
from core.accounts.validation import Purpose
from core.ids import UserNid
from core.storage.writer import Transaction


class ShownAtRegistration:
    """Implements core.accounts.registering.ShownAtRegistration."""

    def __init__(
        self, threepids: Threepids, terms: Terms, has_mail: Callable[[Transaction, UserNid, str], None] | None = None
    ) -> None:
        """`has_mail` hears of each e-mail address that a new account has, within its transaction."""
        self._threepids = threepids
        self._terms = terms
        self._has_mail = has_mail

    def keep(self, stages: Mapping[str, Any]) -> Also | None:
        """What is written with the account. Raises: `Forbidden` for an address that is not allowed."""
        proofs = proofs_of(stages)
        accepted = stages.get("m.login.terms")
        for proof in proofs:
            self._threepids.check_allowed(None, proof.medium, proof.address)
        if not proofs and accepted is None:
            return None

        def also(transaction: Transaction, user_nid: UserNid) -> None:
            for proof in proofs:
                self._threepids.add_in(transaction, user_nid, proof, Purpose.REGISTER)
                if self._has_mail is not None and proof.medium == "email":
                    self._has_mail(transaction, user_nid, proof.address)
            if accepted is not None:
                self._terms.accept_in(transaction, user_nid, accepted["version"])

        return also
