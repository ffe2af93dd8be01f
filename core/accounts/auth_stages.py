"""The stages of user-interactive authentication: the core's own, and those of plugins under the guard.

Spec: Client-Server API, "Authentication types".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.interactive_auth import WrongAccount
from core.accounts.login import Identifiers, LoginLimits
from core.accounts.passwords import Passwords
from core.errors import Forbidden, LimitExceeded, MatrixError, MissingParam, Unavailable
from core.hooks.declarations import AuthStage
from core.hooks.errors import PluginFailed
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions
from core.hooks.verdicts import Reject
from core.ids import UserId
from core.storage.registration_tokens import RegistrationTokenStore

_Answer = TypeVar("_Answer")

STAGE_SECONDS = 30.0
"""How long a plugin may take for one attempt."""


class DummyStage:
    """`m.login.dummy`: passed by asking for it."""

    type = "m.login.dummy"

    def params(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """Always right."""
        return {}


class RegistrationTokenStage:
    """`m.login.registration_token`: the token is checked here and spent when the account is made."""

    type = "m.login.registration_token"

    def __init__(self, tokens: RegistrationTokenStore, now_ms: Clock = wall_clock_ms) -> None:
        self._tokens = tokens
        self._now_ms = now_ms

    def params(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remembers the token. Raises: `MissingParam`, `Forbidden`."""
        token = auth.get("token")
        if not isinstance(token, str):
            raise MissingParam("'auth.token' is required and must be a string.")
        if not self.is_valid(token):
            raise Forbidden("This registration token is not valid.")
        return {"token": token}

    def is_valid(self, token: str) -> bool:
        """Whether an account could be made with this token now."""
        found = self._tokens.find(token)
        return found is not None and found.is_valid(self._now_ms())


class PasswordStage:
    """`m.login.password`: the password of the account that asks."""

    type = "m.login.password"

    def __init__(self, identifiers: Identifiers, passwords: Passwords, limits: LoginLimits) -> None:
        self._identifiers = identifiers
        self._passwords = passwords
        self._limits = limits

    def params(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remembers whose password it was.

        Raises: `MissingParam`, `BadJson`, `Forbidden`, `WrongAccount`, `LimitExceeded`.
        """
        password = auth.get("password")
        if not isinstance(password, str):
            raise MissingParam("'auth.password' is required and must be a string.")
        if "identifier" in auth or "user" in auth or "address" in auth:
            named = self._identifiers.user_id(auth)
        else:
            named = user_id
        key = named or "nobody"
        self._limits.peek("rc_login.failed_attempts", key)
        accepted = self._passwords.check(named or UserId(""), password)
        if accepted is None or (user_id is not None and accepted.user_id != user_id):
            with suppress(LimitExceeded):  # others may have failed meanwhile; this one is told what is wrong
                self._limits.check("rc_login.failed_attempts", key)
            if accepted is not None:
                raise WrongAccount("This is the password of another account.")
            raise Forbidden("The password is wrong.")
        return {"user_id": accepted.user_id}


class PluginStage:
    """A stage that a plugin contributed, run under the guard; where the plugin fails the answer is 503."""

    def __init__(self, plugin: str, stage: AuthStage, plugins: PluginManager) -> None:
        self.type = stage.type
        self._plugin = plugin
        self._stage = stage
        self._plugins = plugins

    def params(self) -> Mapping[str, Any]:
        """What the plugin tells clients. Raises: `Unavailable`."""
        return self._run("params", self._stage.params)

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the plugin remembers. Raises: MatrixErrors of the plugin's, `Unavailable` for all else."""

        def attempt() -> Mapping[str, Any] | Reject | MatrixError:
            try:
                return self._stage.check(user_id, auth)
            except MatrixError as error:
                return error

        answer = self._run("check", attempt)
        if isinstance(answer, Reject):
            raise Forbidden(answer.reason, errcode=answer.errcode, **answer.fields)
        if isinstance(answer, MatrixError):
            raise answer
        return answer

    def _run(self, what: str, function: Callable[[], _Answer]) -> _Answer:
        try:
            return self._plugins.run(self._plugin, f"auth_stage:{self.type}:{what}", STAGE_SECONDS, function)
        except PluginFailed as error:
            raise Unavailable("This stage of authentication does not work at present.") from error


def contributed_stages(plugins: PluginManager) -> list[PluginStage]:
    """The stages of all plugins. Raises: PluginError, at start."""
    found = plugins.contributions(contributions.contribute_auth_stages)
    return [PluginStage(one.plugin, one.item, plugins) for one in found]
