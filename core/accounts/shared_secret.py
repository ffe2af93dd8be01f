"""Registration by shared secret: whoever knows the secret proves it with an HMAC over a nonce and the account's fields.

A nonce carries its own time and signature, so that any worker accepts it, and a restart does not matter. Each worker
takes it once; where another took it before, the account it was for exists already, as the HMAC covers both.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from core.accounts.clock import Clock, wall_clock_ms
from core.errors import BadRequest, Forbidden

NONCE_MS = 60_000
"""How long a nonce may be used."""
MAX_SPENT = 100_000
"""Spent nonces remembered; they are forgotten once they have expired."""


class SharedSecret:
    """Gives out nonces and checks HMACs."""

    def __init__(self, secret: str | None, now_ms: Clock = wall_clock_ms) -> None:
        self._secret = None if not secret else secret.encode()
        self._now_ms = now_ms
        self._spent: dict[str, int] = {}

    def nonce(self) -> str:
        """A nonce for one registration within a minute. Raises: `BadRequest` where no secret is configured."""
        body = f"{self._now_ms():x}.{secrets.token_hex(16)}"
        return f"{body}.{self._signature(body)}"

    def check(self, nonce: str, mac: str, fields: list[str]) -> None:
        """Spend the nonce and check the HMAC over nonce and `fields`.

        Raises: `BadRequest` for a nonce that is unknown, spent or too old, `Forbidden` for a wrong HMAC.
        """
        key = self._key()
        now_ms = self._now_ms()
        body, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()) or nonce in self._spent:
            raise BadRequest("This nonce is not known or was used before; ask for another.")
        if now_ms - int(body.partition(".")[0], 16) > NONCE_MS:
            raise BadRequest(f"This nonce is older than {NONCE_MS // 1000} seconds; ask for another.")
        self._spend(nonce, now_ms)
        text = "\0".join((nonce, *fields)).encode("utf-8", "surrogatepass")
        right = hmac.new(key, text, hashlib.sha1).hexdigest()
        if not hmac.compare_digest(right.encode(), mac.lower().encode("utf-8", "surrogatepass")):
            raise Forbidden("The HMAC is wrong: it must be HMAC-SHA1, in hex, with the shared secret as the key.")

    def _key(self) -> bytes:
        if self._secret is None:
            raise BadRequest("Registration by shared secret is off: registration_shared_secret is not set.")
        return self._secret

    def _signature(self, body: str) -> str:
        text = b"nonce\0" + body.encode("utf-8", "surrogatepass")
        return hmac.new(self._key(), text, hashlib.sha256).hexdigest()[:32]

    def _spend(self, nonce: str, now_ms: int) -> None:
        if len(self._spent) >= MAX_SPENT:
            self._spent = {n: at for n, at in self._spent.items() if now_ms - at <= NONCE_MS}
        if len(self._spent) >= MAX_SPENT:
            raise BadRequest("Too many registrations at once; try again in a minute.")
        self._spent[nonce] = now_ms
