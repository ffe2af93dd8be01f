"""`hsctl plugins`: what plugins there are, what they hook, whether they can be loaded at all; and their own commands."""

from __future__ import annotations

import argparse
import sys
import urllib.request
from collections.abc import Callable, Sequence

from core.config import Config, load_config
from core.hooks.api import ServerFacts
from core.hooks.configured import load_configured
from core.hooks.errors import PluginError
from core.hooks.facade import LateApi
from core.hooks.manager import PluginManager, PluginSummary
from core.hooks.specs import contributions
from core.ids import ServerName

ASK_SECONDS = 3
_METRIC = "trellis_plugin_off{"


def add_commands(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    load: Callable[[argparse.Namespace], PluginManager] | None = None,
) -> None:
    """Add `plugins list`. `load` gives the plugins, in place of those of the configuration in force."""
    plugins = subparsers.add_parser("plugins", help="list the plugins in use")
    actions = plugins.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="name each plugin, where it comes from, its hooks and how it is run")
    listing.add_argument("file", nargs="?", help="the configuration; HS_CONFIG or ./homeserver.yaml without it")
    listing.set_defaults(run=lambda arguments: _list(load, arguments))


def add_contributed(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> PluginManager:
    """Add the commands of the configured plugins, whose manager this returns. Raises PluginError, ConfigError."""
    plugins = _load(load_config(None))
    plugins.contributions(contributions.contribute_commands, subparsers=subparsers)
    return plugins


def _load(config: Config) -> PluginManager:
    """The plugins of the configuration, without a server behind them."""
    server = ServerFacts(ServerName(config.server_name), config.public_baseurl)
    return load_configured(config, api_for=lambda name: LateApi(name, server))


def _list(load: Callable[[argparse.Namespace], PluginManager] | None, arguments: argparse.Namespace) -> int:
    """Print one line for each plugin. Exit code 2 if any of them keeps the server from starting."""
    disabled: Sequence[str] = ()
    switched_off: Sequence[str] = ()
    try:
        if load is not None:
            summaries = load(arguments).summaries()
        else:
            config = load_config(arguments.file)
            summaries = _load(config).summaries()
            disabled, switched_off = config.plugins.disabled_plugins, switched_off_in(config)
    except PluginError as error:
        print(error, file=sys.stderr)
        return 2
    width = max((len(summary.name) for summary in summaries), default=0)
    for summary in summaries:
        print(_line(summary, width, summary.is_off or summary.name in switched_off))
    for name in disabled:
        print(f"{name:<{width}}  off: in disabled_plugins")
    return 0


def switched_off_in(config: Config) -> list[str]:
    """The plugins that the running server has switched off for failing, by its metrics; none where it cannot be asked.

    That takes a listener without TLS whose resources have `metrics`.
    """
    url = _metrics_url(config)
    if url is None:
        return []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=ASK_SECONDS) as reply:
            text = reply.read(10_000_000).decode()
    except (OSError, ValueError):
        return []
    off = [line for line in text.splitlines() if line.startswith(_METRIC) and line.endswith(" 1.0")]
    return [line.split('plugin="', 1)[1].split('"', 1)[0] for line in off]


def _metrics_url(config: Config) -> str | None:
    for listener in config.listeners.listeners:
        if listener.port is not None and not listener.tls and "metrics" in listener.resources:
            host = next(iter(listener.bind_addresses), "127.0.0.1")
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            return f"http://{f'[{host}]' if ':' in host else host}:{listener.port}/_synapse/metrics"
    return None


def _line(summary: PluginSummary, width: int, is_off: bool) -> str:
    source = f"  [{summary.source}]" if summary.source else ""
    mode = "  (only observed)" if summary.observe_only else ""
    off = "  (switched off: it keeps failing)" if is_off else ""
    return f"{summary.name:<{width}}{source}  {', '.join(summary.hooks)}{mode}{off}"
