"""The guard: every call into a plugin goes through here, and none comes out with an exception of the plugin's.

It times the call, ends it at its limit, checks the answer's type, counts failures, and switches a plugin off that
fails several times in a row in one place. After a while one more call is let through to see if it has recovered.

The limit works where the plugin yields: waits, network, database. Code that holds the hub cannot be interrupted by
anybody; it is noticed afterwards and counted as a failure (`slow`), though its answer is used.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import gevent

from core.errors import MatrixError, Unavailable
from core.hooks.errors import PluginBusy
from core.hooks.markers import Policy
from core.hooks.meters import Meter

LOG = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """How patient the server is with one plugin."""

    observe_only: bool = False
    """Verdicts and answers are logged and not applied."""
    strikes: int = 3
    """Failures in a row, in one hook, after which the plugin is switched off."""
    off_seconds: float = 300.0
    """How long it stays off before it is tried again."""
    time_limits: Mapping[str, float] = field(default_factory=dict)
    """Seconds by hook, in place of the spec's."""


class GuardedPlugin:
    """A loaded plugin and its standing."""

    __slots__ = ("_meters", "_off_until", "name", "settings", "source", "target")

    def __init__(self, name: str, target: object, settings: GuardSettings, source: str = "") -> None:
        self.name = name
        self.source = source
        self.target = target
        self.settings = settings
        self._off_until = 0.0
        self._meters: dict[str, Meter] = {}

    def is_off(self, now: float) -> bool:
        """Whether the plugin is switched off at `now` of the guard's clock."""
        return now < self._off_until

    def switch_off(self, now: float) -> None:
        """Call the plugin no more for `off_seconds`."""
        self._off_until = now + self.settings.off_seconds

    def meter(self, hook: str) -> Meter:
        """The meter of one hook or contributed function."""
        if hook not in self._meters:
            self._meters[hook] = Meter(self.name, hook)
        return self._meters[hook]

    def meters(self) -> list[Meter]:
        """All meters so far."""
        return list(self._meters.values())


class Implementation:
    """One plugin's function in one hook; `strikes` counts its failures since the last success."""

    __slots__ = ("argument_names", "function", "hook", "meter", "plugin", "policy", "seconds", "strikes")

    def __init__(
        self,
        plugin: GuardedPlugin,
        hook: str,
        function: Callable[..., object],
        argument_names: tuple[str, ...],
        policy: Policy,
    ) -> None:
        self.plugin = plugin
        self.hook = hook
        self.function = function
        self.argument_names = argument_names
        self.policy = policy
        self.seconds = plugin.settings.time_limits.get(hook, policy.seconds)
        self.meter = plugin.meter(hook)
        self.strikes = 0


class Failed:
    """What the guard returns for a plugin that gave no usable answer. `cause` as in Meter, or `off`."""

    __slots__ = ("cause", "sentence")

    def __init__(self, cause: str, sentence: str) -> None:
        self.cause = cause
        self.sentence = sentence


_OFF: Final = Failed("off", "it is switched off after failing repeatedly")
_BUSY: Final = Failed("busy", "it has too much to do")


class Guard:
    """Calls plugins. `clock` gives seconds, never backwards."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock

    def is_off(self, plugin: GuardedPlugin) -> bool:
        """Whether the plugin is switched off now."""
        return plugin.is_off(self._clock())

    def call(self, implementation: Implementation, arguments: Mapping[str, Any]) -> object:
        """The plugin's answer, of a type that the hook allows or None; or an instance of `Failed`.

        Raises nothing of the plugin's. A timeout or kill aimed at the calling greenlet passes through.
        """
        values = [arguments[name] for name in implementation.argument_names]
        return self.run(implementation, values)

    def run(self, implementation: Implementation, values: list[Any]) -> object:
        """As `call`, with the arguments in the function's order."""
        started = self._clock()
        if implementation.plugin.is_off(started):
            return _OFF
        failure: Failed | None = None
        answer: object = None
        limit = gevent.Timeout.start_new(implementation.seconds)
        try:
            answer = implementation.function(*values)
        except gevent.Timeout as timeout:
            if timeout is not limit:
                raise
            failure = Failed("timeout", f"no answer within {implementation.seconds:g} s")
        except PluginBusy:
            failure = _BUSY
        except (Exception, SystemExit) as error:
            failure = Failed("error", f"{type(error).__name__}: {error}")
            LOG.warning("plugin %s raised in %s", implementation.plugin.name, implementation.hook, exc_info=error)
        finally:
            limit.close()
            ended = self._clock()
            implementation.meter.count(ended - started)
        if failure is None and answer is not None and not _is_allowed(answer, implementation.policy):
            failure = Failed("answer", f"it answered with {type(answer).__name__}, not {_names(implementation.policy)}")
        if failure is not None:
            self._strike(implementation, failure, ended)
            return failure
        if implementation.seconds is not None and ended - started > implementation.seconds:
            held = Failed("slow", f"it held all other requests up for {ended - started:.1f} s")
            self._strike(implementation, held, ended)
        else:
            implementation.strikes = 0
        return answer

    def serve(self, plugin: GuardedPlugin, name: str, function: Callable[[], _Answer]) -> _Answer:
        """See PluginManager.serve."""
        started = self._clock()
        if plugin.is_off(started):
            raise Unavailable("This part of the server is switched off at the moment. Please try again later.")
        meter = plugin.meter(name)
        try:
            return function()
        except MatrixError:
            raise
        except Exception:
            meter.fail("error")
            raise
        finally:
            meter.count(self._clock() - started)

    def _strike(self, implementation: Implementation, failure: Failed, now: float) -> None:
        """Count a failure, and switch the plugin off if it is one too many. A plugin tried again has one strike."""
        plugin = implementation.plugin
        implementation.meter.fail(failure.cause)
        if failure is _BUSY:
            return
        implementation.strikes += 1
        LOG.warning("plugin %s failed in %s: %s", plugin.name, implementation.hook, failure.sentence)
        if implementation.strikes >= plugin.settings.strikes:
            implementation.strikes = plugin.settings.strikes - 1
            plugin.switch_off(now)
            LOG.error(
                "plugin %s is switched off for %g s: it failed %d times in a row in %s",
                plugin.name,
                plugin.settings.off_seconds,
                plugin.settings.strikes,
                implementation.hook,
            )


def _is_allowed(answer: object, policy: Policy) -> bool:
    if not policy.answers:
        return True
    if not isinstance(answer, policy.answers):
        return False
    return policy.of is None or (
        not isinstance(answer, str | bytes) and all(isinstance(element, policy.of) for element in answer)  # type: ignore[attr-defined]
    )


def _names(policy: Policy) -> str:
    names = " or ".join(kind.__name__ for kind in policy.answers)
    return f"{names} of {policy.of.__name__}" if policy.of else f"{names} or None"
