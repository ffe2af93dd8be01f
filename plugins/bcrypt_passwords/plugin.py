"""Hashing and checking, one at a time, on a thread that is kept for it.

A check costs a quarter of a second of CPU on purpose. On the hub it would stop every other request for that long; on
several threads it would take all cores. So there is one thread, a bounded wait for it, and 503 for those who would
wait longer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import bcrypt
from gevent.lock import BoundedSemaphore
from gevent.threadpool import ThreadPool

from core.hooks import PluginApi, PluginBusy, PluginError, Reject, hookimpl

_Result = TypeVar("_Result")

MOST_BYTES: Final = 72
"""bcrypt uses no more of a password than this; everything after it would not be checked."""
LONGEST_WAIT_SECONDS: Final = 5.0
_HASH = re.compile(r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_ALLOWED: Final = ("pepper", "rounds")


@dataclass(frozen=True, slots=True)
class BcryptSettings:
    """`rounds` is the logarithm of the work of a new hash; `pepper` is appended to every password."""

    rounds: int = 12
    pepper: str = ""


class BcryptPasswords:
    """Implements `hash_password` and `verify_password`."""

    def __init__(self, settings: BcryptSettings, api: PluginApi) -> None:
        self._log = api.log
        self._rounds = settings.rounds
        self._pepper = settings.pepper.encode()
        self._nobody = bcrypt.gensalt(settings.rounds)
        self._turn = BoundedSemaphore(1)
        self._threads: ThreadPool | None = None

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> BcryptSettings:
        """Check the plugin's configuration. Raises PluginError naming key, value and what is allowed."""
        for key in config:
            if key not in _ALLOWED:
                raise PluginError(f"{key} is no setting of it; allowed are {' and '.join(_ALLOWED)}")
        rounds, pepper = config.get("rounds", 12), config.get("pepper") or ""
        if not isinstance(rounds, int) or isinstance(rounds, bool) or not 4 <= rounds <= 31:
            raise PluginError(f"rounds is {rounds!r}; it must be a whole number from 4 to 31")
        if not isinstance(pepper, str) or len(pepper.encode()) > MOST_BYTES // 2:
            raise PluginError(f"pepper must be text of up to {MOST_BYTES // 2} bytes")
        return BcryptSettings(rounds, pepper)

    @hookimpl
    def hash_password(self, password: str) -> str | Reject:
        """The hash of a new password, or Reject for one of which bcrypt would ignore the end."""
        secret = self._secret(password)
        if len(secret) > MOST_BYTES:
            most = MOST_BYTES - len(self._pepper)
            return Reject("M_INVALID_PARAM", f"The password is too long: at most {most} bytes of UTF-8 are allowed.")
        return self._in_turn(lambda: bcrypt.hashpw(secret, bcrypt.gensalt(self._rounds))).decode()

    @hookimpl
    def verify_password(self, stored_hash: str | None, password: str) -> bool | None:
        """Whether the password fits; None if the hash is not bcrypt's.

        More than 72 bytes are cut, as every bcrypt does, so that hashes from elsewhere of longer passwords still fit.
        """
        if stored_hash is None:
            return self.dummy_verify(password)
        if _HASH.fullmatch(stored_hash) is None:
            return None
        secret = self._secret(password)[:MOST_BYTES]
        return self._in_turn(lambda: bcrypt.checkpw(secret, stored_hash.encode()))

    def dummy_verify(self, password: str) -> bool:
        """Work as long as for an account that exists, and return False."""
        secret = self._secret(password)[:MOST_BYTES]
        self._in_turn(lambda: bcrypt.hashpw(secret, self._nobody))
        return False

    @hookimpl
    def server_stopping(self) -> None:
        """End the thread. A check that still runs is not waited for."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.kill()

    def _secret(self, password: str) -> bytes:
        """The bytes that are hashed: the password in normal form NFKC, so that every keyboard spells it alike."""
        return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass") + self._pepper

    def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` on the plugin's thread. Raises PluginBusy rather than wait longer than `LONGEST_WAIT_SECONDS`."""
        if not self._turn.acquire(timeout=LONGEST_WAIT_SECONDS):
            self._log.warning("a password check was given up: others took all of %g s", LONGEST_WAIT_SECONDS)
            raise PluginBusy("too many passwords are being checked")
        try:
            if self._threads is None:
                self._threads = ThreadPool(1)
            result: _Result = self._threads.apply(work)
            return result
        finally:
            self._turn.release()
