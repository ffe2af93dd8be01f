"""Finding plugins, and making them: entry points of installed packages, and `modules:` of the configuration.

An installed package with an entry point in the group `trellis.plugins` is on without further ado. An entry of
`modules:` names either such a plugin, to configure it, or a class or module by its dotted path. The
server's own plugins are entry points too; a source checkout that was never installed has none, so they are listed.
Anything wrong with any plugin is a PluginError: a server that runs without its spam check is worse than one that
says why it does not start.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from core.hooks.api import PluginApi
from core.hooks.errors import PluginError
from core.hooks.guard import Guard, GuardSettings
from core.hooks.manager import PluginManager

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

GROUP: Final = "trellis.plugins"
FIRST_PARTY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account_validity": "plugins.account_validity:AccountValidity",
        "bcrypt_passwords": "plugins.bcrypt_passwords:BcryptPasswords",
        "filesystem_media": "plugins.filesystem_media:FilesystemMedia",
        "house_rules": "plugins.house_rules:HouseRules",
        "message_search": "plugins.message_search:MessageSearch",
        "presence": "plugins.presence:Presence",
        "smtp_mail": "plugins.smtp_mail:SmtpMail",
        "url_previews": "plugins.url_previews:UrlPreviews",
        "user_directory": "plugins.user_directory:UserDirectory",
    }
)
"""The server's own plugins, as setup.cfg names them."""
OURS: Final = "this server"


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """One entry of `modules:`."""

    module: str
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: GuardSettings = field(default_factory=GuardSettings)


def parse_entry(raw: object) -> ModuleEntry:
    """Read one entry of `modules:`, as YAML has it or as an object of core.config.

    Raises PluginError naming the key, the value and what is allowed.
    """
    if not isinstance(raw, Mapping | str | None):
        raw = {key: getattr(raw, key) for key in _KEYS if hasattr(raw, key)}
    if not isinstance(raw, Mapping) or not isinstance(raw.get("module"), str):
        raise PluginError(f"Each entry of modules needs a key module with the name of a plugin; found {raw!r}.")
    module, config = raw["module"], raw.get("config")
    unknown = sorted(set(map(str, raw)) - set(_KEYS))
    if unknown:
        raise PluginError(f"The entry {module} of modules has a key {unknown[0]}; allowed are {', '.join(_KEYS)}.")
    for key, (is_right, what) in _KEYS.items():
        if raw.get(key) is not None and not is_right(raw[key]):
            raise PluginError(f"In the entry {module} of modules {key} is {raw[key]!r}; it must be {what}.")
    patience = {key: raw[key] for key in _PATIENCE if raw.get(key) is not None}
    return ModuleEntry(module, config or {}, GuardSettings(**patience))


def load_plugins(
    modules: Iterable[object] = (),
    *,
    api_for: Callable[[str], PluginApi],
    disabled: Collection[str] = (),
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    registry: CollectorRegistry | None = None,
    installed: Sequence[EntryPoint] | None = None,
    guard: Guard | None = None,
) -> PluginManager:
    """Load every plugin there is and return the manager. Raises PluginError, which names the plugin, for any trouble.

    `modules` are the raw entries of the configuration, `api_for` makes the facade of the plugin of that name,
    `disabled` names plugins that are not to run, `defaults` are configurations by plugin name that the `config` of an
    entry adds to, and `installed` replaces the entry points found in the environment.
    """
    manager = PluginManager(registry=registry, guard=guard)
    points = list(entry_points(group=GROUP) if installed is None else installed)
    sources = {**dict.fromkeys(FIRST_PARTY, OURS), **{point.name: _source(point) for point in points}}
    for name, path, entry in _found(points, [parse_entry(raw) for raw in modules]):
        if name not in disabled:
            config = {**(defaults or {}).get(name, {}), **entry.config}
            plugin = _make(name, _load(name, path), config, api_for(name))
            manager.register(name, plugin, entry.settings, sources.get(name, path))
    return manager


def _source(point: EntryPoint) -> str:
    """Where an installed plugin comes from."""
    if point.value == FIRST_PARTY.get(point.name):
        return OURS
    return point.value if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _found(installed: Sequence[EntryPoint], entries: Sequence[ModuleEntry]) -> list[tuple[str, str, ModuleEntry]]:
    """(name, path, entry) of every plugin, in the order of loading: the configured ones as listed, then the rest."""
    points = {point.name: point.value for point in installed}
    points = {**FIRST_PARTY, **points}
    names = {path.replace(":", "."): name for name, path in points.items()}
    found: list[tuple[str, str, ModuleEntry]] = []
    for entry in entries:
        name = names.get(entry.module.replace(":", "."), entry.module)
        if name in [other for other, _, _ in found]:
            raise PluginError(f"The plugin {name} is listed twice under modules.")
        found.append((name, points.pop(name, entry.module), entry))
    return found + [(name, path, ModuleEntry(name)) for name, path in sorted(points.items())]


def _load(name: str, path: str) -> object:
    """Import a class or module by `package.module:Class`, `package.module.Class` or `package.module`."""
    module, _, attribute = path.partition(":")
    try:
        if attribute:
            return getattr(importlib.import_module(module), attribute)
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            parent, _, last = module.rpartition(".")
            if not parent or error.name != module:
                raise
            return getattr(importlib.import_module(parent), last)
    except (Exception, SystemExit) as error:
        raise PluginError(f"The plugin {name} cannot be imported from {path}: {_cause(error)}.") from error


def _make(name: str, target: object, config: Mapping[str, Any], api: PluginApi) -> object:
    """Configure a plugin: construct a class, call the `setup` of a module if it has one."""
    if not isinstance(target, type | ModuleType):
        raise PluginError(f"The plugin {name} is of type {type(target).__name__}; it must be a class or a module.")
    parsed: Any = config
    parse = getattr(target, "parse_config", None)
    if parse is not None:
        try:
            parsed = parse(config)
        except Exception as error:
            raise PluginError(f"The plugin {name} does not accept its configuration: {_cause(error)}.") from error
    try:
        if isinstance(target, type):
            return target(parsed, api)
        setup = getattr(target, "setup", None)
        if setup is not None:
            setup(parsed, api)
        return target
    except Exception as error:
        raise PluginError(f"The plugin {name} cannot be set up: {_cause(error)}.") from error


def _cause(error: BaseException) -> str:
    """An exception in one line; of the plugin API's own and ValueError only the text, which is meant for people."""
    text = " ".join(str(error).split()).rstrip(".")
    return text if text and isinstance(error, PluginError | ValueError) else f"{type(error).__name__}: {text}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


_PATIENCE: Final = ("observe_only", "strikes", "off_seconds", "time_limits")
_KEYS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = MappingProxyType(
    {
        "module": (lambda value: isinstance(value, str), "text"),
        "config": (lambda value: isinstance(value, Mapping), "a mapping"),
        "observe_only": (lambda value: isinstance(value, bool), "true or false"),
        "strikes": (lambda value: _is_number(value) and isinstance(value, int), "a whole number of at least 1"),
        "off_seconds": (_is_number, "a number of seconds above 0"),
        "time_limits": (
            lambda value: isinstance(value, Mapping) and all(map(_is_number, value.values())),
            "a mapping of hook names to seconds above 0",
        ),
    }
)
