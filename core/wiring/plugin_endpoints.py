"""Endpoints that plugins add: they may not take the server's paths or each other's, and are timed and counted.

A path begins with `/_`, as all paths of servers do, or with `/.well-known/`; what a listener's resources say of a path
holds for plugins' as well (core.web.listeners).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from core.hooks.errors import PluginError
from core.hooks.manager import Contribution, PluginManager
from core.web.routing import Router

PREFIXES = ("/_", "/.well-known/")
RESERVED = ("/_synapse/metrics", "/metrics", "/health")
_VARIABLE = re.compile(r"<[^>]*>")

View = Callable[..., Any]


def endpoints_of_plugins(
    plugins: PluginManager, contributions: Sequence[Contribution[Blueprint]], core: Iterable[Blueprint]
) -> list[Blueprint]:
    """The contributed blueprints, ready to be registered after `core`.

    Raises PluginError for a blueprint of a name that is taken, a path that exists or begins otherwise than PREFIXES.
    """
    names: dict[str, str] = {}
    routes: dict[tuple[str, str], str] = {}
    own = list(core)
    names.update(dict.fromkeys((blueprint.name for blueprint in own), "the server"))
    routes.update(dict.fromkeys(_routes(own), "the server"))
    found = []
    for one in contributions:
        if not isinstance(one.item, Blueprint):
            raise PluginError(f"The plugin {one.plugin} contributes a {type(one.item).__name__}, not a blueprint.")
        if one.item.name in names:
            raise PluginError(
                f"The plugin {one.plugin} calls a blueprint {one.item.name}, as {names[one.item.name]} does: rename it."
            )
        names[one.item.name] = f"the plugin {one.plugin}"
        one.item.record(_guarding(plugins, one.plugin))
        for route in _routes([one.item], one.plugin):
            if route in routes:
                raise PluginError(
                    f"The plugin {one.plugin} serves {route[0]} {route[1]}, which {routes[route]} serves already."
                )
            routes[route] = f"the plugin {one.plugin}"
        found.append(one.item)
    return found


def _routes(blueprints: Sequence[Blueprint], plugin: str | None = None) -> list[tuple[str, str]]:
    """(method, path with `<>` for what varies) of each route. With `plugin`, raises PluginError for a wrong prefix.

    One scratch application takes all of them: making one costs about as much as registering a dozen blueprints.
    """
    flask = Router("routes")
    for blueprint in blueprints:
        try:
            blueprint.register(flask, {})
        except (AssertionError, ValueError, LookupError) as error:
            reason = " ".join(str(error).split())
            raise PluginError(f"The blueprint {blueprint.name} cannot be used: {reason}") from error
    found = []
    for rule in flask.url_map.iter_rules():
        if plugin is not None:
            _check_prefix(rule, plugin)
        path = _VARIABLE.sub("<>", rule.rule).rstrip("/")
        found += [(method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


def _check_prefix(rule: Rule, plugin: str) -> None:
    if not rule.rule.startswith(PREFIXES) or rule.rule.startswith(RESERVED):
        raise PluginError(
            f"The plugin {plugin} serves {rule.rule}; paths of plugins begin with {' or '.join(PREFIXES)}, and those of"
            " metrics and health are the server's own."
        )


def _guarding(plugins: PluginManager, plugin: str) -> Callable[[BlueprintSetupState], None]:
    """What puts a blueprint's views under the guard once it is registered."""

    def guard(state: BlueprintSetupState) -> None:
        views = state.app.view_functions
        for endpoint in [name for name in views if name.startswith(f"{state.name}.")]:
            views[endpoint] = _guarded(plugins, plugin, f"endpoint:{endpoint}", views[endpoint])

    return guard


def _guarded(plugins: PluginManager, plugin: str, name: str, view: View) -> View:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        def attempt() -> Any:
            try:
                return view(*args, **kwargs)
            except HTTPException as refused:  # an answer like any other, and no failure
                return refused

        answer = plugins.serve(plugin, name, attempt)
        if isinstance(answer, HTTPException):
            raise answer
        return answer

    return guarded
