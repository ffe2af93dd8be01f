"""The plugin manager: the server's side of the hooks.

Services call a hook by its spec, `plugins.require(permissions.user_may_join, user_id=…, …)`, so that the type checker
sees a wrong name or argument. pluggy registers and checks the implementations; calling them is the guard's, because
one plugin's exception must not end the others' turn. A hook that nobody implements costs one dictionary lookup.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy

from core.errors import Forbidden
from core.hooks.declarations import Consumer, Job
from core.hooks.errors import PluginError, PluginFailed, PluginUnavailable
from core.hooks.guard import Failed, Guard, GuardedPlugin, GuardSettings, Implementation
from core.hooks.markers import PROJECT, Failure, Kind, P, Policy, policy_of
from core.hooks.meters import Meter
from core.hooks.specs import FAMILIES
from core.hooks.verdicts import ALLOW, Reject, Verdict

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LOG = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Contribution(Generic[_Item]):
    """A declaration, and the name of the plugin that made it."""

    plugin: str
    item: _Item


@dataclass(frozen=True, slots=True)
class PluginSummary:
    """One line of `hsctl plugins list`."""

    name: str
    source: str
    """Where it comes from: a package with its version, `this server`, or the path it was configured by."""
    hooks: tuple[str, ...]
    observe_only: bool
    is_off: bool


class PluginManager:
    """All loaded plugins, and every way of calling them. Made by core.hooks.loading."""

    def __init__(self, *, registry: CollectorRegistry | None = None, guard: Guard | None = None) -> None:
        self._guard = guard or Guard()
        self._plugins: dict[str, GuardedPlugin] = {}
        self._registrar = pluggy.PluginManager(PROJECT)
        self._specs: dict[str, Callable[..., object]] = {}
        self._policies: dict[Callable[..., object], Policy] = {}
        self._implementations: dict[Callable[..., object], tuple[Implementation, ...]] = {}
        self._contributed: dict[tuple[str, str], Implementation] = {}
        for family in FAMILIES:
            self._registrar.add_hookspecs(family)
            for name, function in vars(family).items():
                policy = policy_of(function)
                if policy is not None:
                    self._specs[name] = function
                    self._policies[function] = policy
                    self._implementations[function] = ()
        if registry is not None:
            from core.hooks.figures import PluginCollector  # 1 MB with its library, and few collect metrics

            registry.register(PluginCollector(self.meters, self._standing))

    def register(self, name: str, target: object, settings: GuardSettings | None = None, source: str = "") -> None:
        """Take a plugin in. Raises PluginError for one that implements nothing, or something that is no hook."""
        settings = settings or GuardSettings()
        if name in self._plugins:
            raise PluginError(f"There are two plugins called {name}; one of them has to go.")
        unknown = sorted(set(settings.time_limits) - set(self._specs))
        if unknown:
            raise PluginError(f"The settings of plugin {name} limit {unknown[0]}, {self._no_such_hook(unknown[0])}")
        if not self._check(name, target):
            raise PluginError(f"The plugin {name} implements no hook: nothing in it is marked with hookimpl.")
        try:
            self._registrar.register(target, name)
            self._registrar.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"The plugin {name} cannot be registered: {' '.join(str(error).split())}") from error
        self._plugins[name] = GuardedPlugin(name, target, settings, source)
        for hook, function in self._specs.items():
            self._implementations[function] = self._ordered(hook, self._policies[function])

    def has(self, hook: Callable[..., Any]) -> bool:
        """Whether any plugin implements the hook: worth asking before arguments are costly to make."""
        return bool(self._implementations[hook])

    def judge(self, hook: Callable[P, Verdict | None], *args: P.args, **kwargs: P.kwargs) -> Verdict:
        """The first verdict on something, `ALLOW` if there is none.

        Raises PluginUnavailable (503) if a plugin fails in a hook that fails closed.
        """
        implementations = self._implementations[hook]
        if not implementations:
            return ALLOW
        answer: Verdict | None = self._first(implementations, self._named(hook, args, kwargs))
        return ALLOW if answer is None else answer

    def require(self, hook: Callable[P, Verdict | None], *args: P.args, **kwargs: P.kwargs) -> None:
        """As `judge`, for those who only go on if the answer is yes. Raises Forbidden with the plugin's code."""
        implementations = self._implementations[hook]
        if not implementations:
            return
        answer: object = self._first(implementations, self._named(hook, args, kwargs))
        if isinstance(answer, Reject):
            raise Forbidden(answer.reason, errcode=answer.errcode, **answer.fields)

    def ask(self, hook: Callable[P, _Answer], *args: P.args, **kwargs: P.kwargs) -> _Answer:
        """The first answer to a question, None if there is none. Raises as `judge`."""
        implementations = self._implementations[hook]
        arguments = self._named(hook, args, kwargs) if implementations else kwargs
        answer: _Answer = self._first(implementations, arguments)
        return answer

    def tell(self, hook: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell every plugin; failures are counted. Raises nothing, PluginError in a contribution."""
        arguments = self._named(hook, args, kwargs)
        for implementation in self._implementations[hook]:
            answer = self._guard.call(implementation, arguments)
            if isinstance(answer, Failed) and implementation.policy.failure is Failure.STOP:
                raise _stopped_by(implementation, answer)

    def contributions(
        self, hook: Callable[P, Sequence[_Item] | None], *args: P.args, **kwargs: P.kwargs
    ) -> list[Contribution[_Item]]:
        """Everything plugins declare in one hook, in their order. Raises PluginError if one fails or names clash."""
        found = [
            Contribution(plugin, item)
            for plugin, answer in self._declared(hook, self._named(hook, args, kwargs))
            for item in answer
        ]
        _refuse_clashes(found)
        return found

    def contribution(
        self, hook: Callable[P, _Item | None], *args: P.args, **kwargs: P.kwargs
    ) -> Contribution[_Item] | None:
        """What one plugin at most may declare. Raises PluginError if two do, or one fails."""
        answers: list[tuple[str, Any]] = self._declared(hook, self._named(hook, args, kwargs))
        if len(answers) > 1:
            raise PluginError(f"The plugins {answers[0][0]} and {answers[1][0]} both answer {_name(hook)}; one may.")
        return Contribution(*answers[0]) if answers else None

    def run(
        self, plugin: str, name: str, seconds: float | None, function: Callable[..., _Answer], *args: Any
    ) -> _Answer:
        """Call a function that a plugin contributed (a job, a consumer's `handle`, …), under the guard.

        `name` is what it is counted as, such as `job:expire`. Raises PluginFailed for any failure.
        """
        implementation = self._contributed.get((plugin, name))
        if implementation is None:
            policy = Policy(Kind.TELL, Failure.OPEN, seconds, ())
            implementation = Implementation(self._plugins[plugin], name, function, (), policy)
            self._contributed[plugin, name] = implementation
        implementation.function = function
        answer = self._guard.run(implementation, list(args))
        if isinstance(answer, Failed):
            raise PluginFailed(f"The plugin {plugin} failed in {name}: {answer.sentence}.")
        return answer  # type: ignore[return-value]

    def serve(self, plugin: str, name: str, function: Callable[[], _Answer]) -> _Answer:
        """Call what a client asked a plugin for, such as an endpoint: timed and counted, without limit or strikes.

        Failures are no strikes, or a client that finds out how to cause them could switch the plugin off. What
        `function` raises passes. Raises Unavailable while the plugin is switched off.
        """
        return self._guard.serve(self._plugins[plugin], name, function)

    def implementers(self, hook: Callable[..., Any]) -> tuple[Implementation, ...]:
        """Who implements a hook, in the order they are called."""
        return self._implementations[hook]

    def summaries(self) -> list[PluginSummary]:
        """What is loaded, by name."""
        return [
            PluginSummary(
                name,
                plugin.source,
                tuple(sorted(caller.name for caller in self._registrar.get_hookcallers(plugin.target) or ())),
                plugin.settings.observe_only,
                self._guard.is_off(plugin),
            )
            for name, plugin in sorted(self._plugins.items())
        ]

    def meters(self) -> list[Meter]:
        """How long every plugin took and how often it failed, since the process started."""
        return [meter for plugin in self._plugins.values() for meter in plugin.meters()]

    def _named(self, hook: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments of a call by name, as plugins pick them."""
        return {**dict(zip(inspect.signature(hook).parameters, args, strict=False)), **kwargs} if args else kwargs

    def _first(self, implementations: tuple[Implementation, ...], arguments: Any) -> Any:
        for implementation in implementations:
            answer = self._guard.call(implementation, arguments)
            if answer is None:
                continue
            if implementation.plugin.settings.observe_only:
                _note(implementation, answer)
            elif not isinstance(answer, Failed):
                return answer
            elif implementation.policy.failure is Failure.CLOSED:
                raise PluginUnavailable("The server cannot decide this at the moment. Please try again later.")
        return None

    def _declared(self, hook: Callable[..., Any], arguments: Any) -> list[tuple[str, Any]]:
        answers = []
        for implementation in self._implementations[hook]:
            answer = self._guard.call(implementation, arguments)
            if isinstance(answer, Failed):
                raise _stopped_by(implementation, answer)
            if answer is not None:
                answers.append((implementation.plugin.name, answer))
        return answers

    def _ordered(self, hook: str, policy: Policy) -> tuple[Implementation, ...]:
        """The implementations of a hook in calling order: `tryfirst`, then as loaded, then `trylast`."""
        known = {known.plugin.name: known for known in self._implementations[self._specs[hook]]}
        arguments = inspect.signature(self._specs[hook]).parameters
        found = getattr(self._registrar.hook, hook).get_hookimpls()
        normal = [entry for entry in found if not entry.tryfirst and not entry.trylast]
        first = [entry for entry in reversed(found) if entry.tryfirst]
        last = [entry for entry in reversed(found) if entry.trylast]
        return tuple(
            known.get(entry.plugin_name)
            or Implementation(self._plugins[entry.plugin_name], hook, entry.function, _taken(entry, arguments), policy)
            for entry in (*first, *normal, *last)
        )

    def _check(self, name: str, target: object) -> int:
        """How many hooks the plugin implements. Raises PluginError for a misspelt hook, argument, or a wrapper."""
        count = 0
        for attribute in dir(target):
            options = self._registrar.parse_hookimpl_opts(target, attribute)
            if options is None:
                if attribute in self._specs and inspect.isroutine(getattr(target, attribute)):
                    LOG.warning(
                        "plugin %s has a %s that is not marked with hookimpl: it is not called", name, attribute
                    )
                continue
            hook = options.get("specname") or attribute
            if hook not in self._specs:
                raise PluginError(f"The plugin {name} implements {hook}, {self._no_such_hook(hook)}")
            if options.get("wrapper") or options.get("hookwrapper"):
                raise PluginError(f"The plugin {name} wraps {hook}; wrappers are not supported, answer the hook.")
            allowed = inspect.signature(self._specs[hook]).parameters
            given = inspect.signature(getattr(target, attribute)).parameters.values()
            for parameter in given:
                if parameter.name not in allowed and parameter.default is parameter.empty:
                    raise PluginError(
                        f"The plugin {name} implements {hook} with an argument {parameter.name} that the hook does not"
                        f" have; it has {', '.join(allowed) or 'none'}."
                    )
            count += 1
        return count

    def _no_such_hook(self, hook: str) -> str:
        nearest = difflib.get_close_matches(hook, self._specs, 1)
        return f"which is no hook; the nearest is {nearest[0]}." if nearest else "which is no hook of this server."

    def _standing(self) -> list[tuple[str, bool]]:
        return [(name, self._guard.is_off(plugin)) for name, plugin in self._plugins.items()]


def _taken(entry: pluggy.HookImpl, arguments: Container[str]) -> tuple[str, ...]:
    """The arguments an implementation is called with; one with a default only where this server's hook has it."""
    return (*entry.argnames, *takewhile(arguments.__contains__, entry.kwargnames))


def _stopped_by(implementation: Implementation, failed: Failed) -> PluginError:
    return PluginError(f"The plugin {implementation.plugin.name} fails in {implementation.hook}: {failed.sentence}.")


def _note(implementation: Implementation, answer: object) -> None:
    """Log what a plugin in observe-only mode would do; of answers that may be secret only the type."""
    implementation.meter.observed += 1
    if isinstance(answer, Reject):
        answer = f"{answer.errcode} ({answer.reason})"
    elif isinstance(answer, Failed):
        answer = answer.sentence
    else:
        answer = type(answer).__name__
    LOG.info("plugin %s, only observed, answers %s with %s", implementation.plugin.name, implementation.hook, answer)


def _refuse_clashes(found: Sequence[Contribution[Any]]) -> None:
    """Names of jobs and consumers belong to their plugin; all others are shared by all plugins."""
    taken: dict[tuple[str, ...], str] = {}
    for contribution in found:
        item = contribution.item
        name = getattr(item, "name", None) or getattr(item, "type", None)
        if not isinstance(name, str):
            continue
        key = (contribution.plugin, name) if isinstance(item, Job | Consumer) else (name,)
        if key in taken:
            raise PluginError(
                f"The plugins {taken[key]} and {contribution.plugin} both contribute a {type(item).__name__} called"
                f" {name}; one of them has to go."
            )
        taken[key] = contribution.plugin


def _name(hook: Callable[..., Any]) -> str:
    return str(getattr(hook, "__name__", hook))
