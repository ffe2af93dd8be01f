"""`hsctl plugins`: what plugins there are, what they hook, and whether they can be loaded at all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from core.config import load_config
from core.hooks.api import ServerFacts
from core.hooks.configured import load_configured
from core.hooks.errors import PluginError
from core.hooks.facade import LateApi
from core.hooks.manager import PluginManager, PluginSummary
from core.ids import ServerName


def add_commands(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    load: Callable[[argparse.Namespace], PluginManager] | None = None,
) -> None:
    """Add `plugins list`. `load` gives the plugins, in place of those of the configuration in force."""
    plugins = subparsers.add_parser("plugins", help="list the plugins in use")
    actions = plugins.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="name each plugin, its hooks and how it is run")
    listing.add_argument("file", nargs="?", help="the configuration; HS_CONFIG or ./homeserver.yaml without it")
    listing.set_defaults(run=lambda arguments: _list(load or _load, arguments))


def _load(arguments: argparse.Namespace) -> PluginManager:
    """The plugins of the configuration, without a server behind them."""
    config = load_config(arguments.file)
    server = ServerFacts(ServerName(config.server_name), config.public_baseurl)
    return load_configured(config, api_for=lambda name: LateApi(name, server))


def _list(load: Callable[[argparse.Namespace], PluginManager], arguments: argparse.Namespace) -> int:
    """Print one line for each plugin. Exit code 2 if any of them keeps the server from starting."""
    try:
        summaries = load(arguments).summaries()
    except PluginError as error:
        print(error, file=sys.stderr)
        return 2
    width = max((len(summary.name) for summary in summaries), default=0)
    for summary in summaries:
        print(_line(summary, width))
    return 0


def _line(summary: PluginSummary, width: int) -> str:
    mode = "  (only observed)" if summary.observe_only else ""
    return f"{summary.name:<{width}}  {', '.join(summary.hooks)}{mode}"
