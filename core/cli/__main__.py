"""`hsctl`: the administrator's command line.

Commands that only read configuration or compute start without gevent; all others run patched, as the server does.
A command's module is loaded when it is asked for, or for the general help. Commands that are none of ours are looked
for among the plugins'.
"""

from __future__ import annotations

import sys

_PURE = frozenset({"config", "graph", "serve", "-h", "--help", "--version"})
if len(sys.argv) > 1 and sys.argv[1] not in _PURE and sys.argv[0].rpartition("/")[2] in {"hsctl", "__main__.py"}:
    from gevent import monkey

    monkey.patch_all()

# after the patching, hence the E402
import argparse  # noqa: E402
import importlib  # noqa: E402
import importlib.util  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from core.config.problems import ConfigError  # noqa: E402
from core.errors import MatrixError  # noqa: E402

COMMANDS = ("serve", "config", "user", "hash-password", "keys", "db", "media", "graph", "federation", "room", "plugins")
"""In the order of the help; each is a module of core.cli, `-` spelt `_`, with `add_commands(subparsers)`."""

EXIT_REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. What went wrong is a sentence on stderr, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and not given[0].startswith("-") and given[0] not in COMMANDS:
            return _run_of_plugin(given)
        parsed = _parser(given).parse_args(given)
        return int(parsed.run(parsed) or 0)
    except ConfigError as error:
        print(*error.sentences, sep="\n", file=sys.stderr)
    except MatrixError as error:
        print(error.sentence, file=sys.stderr)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone; nothing more to say
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{where}{error.strerror or error}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    return EXIT_REFUSED


def _run_of_plugin(given: Sequence[str]) -> int:
    """Run a command that a plugin has to know."""
    from core.cli.plugins import add_contributed
    from core.hooks.errors import PluginError
    from core.hooks.specs import observers

    parser, subparsers = _parsers(given)
    try:
        plugins = add_contributed(subparsers)
    except PluginError as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    try:
        parsed = parser.parse_args(given)
        return int(parsed.run(parsed) or 0)
    except (MatrixError, OSError):
        raise
    except Exception as error:
        print(f"The plugin's command {given[0]} failed: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_REFUSED
    finally:
        plugins.tell(observers.server_stopping)


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of our own commands; in the general help it lists those of plugins, if they can be loaded."""
    parser, subparsers = _parsers(given)
    if given and given[0] in {"-h", "--help"}:
        from core.cli.plugins import add_contributed
        from core.hooks.errors import PluginError

        try:
            add_contributed(subparsers)
        except (ConfigError, PluginError, OSError) as error:
            print(f"The commands of plugins are missing here: {error}", file=sys.stderr)
    return parser


def _parsers(
    given: Sequence[str],
) -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog="hsctl", description="Run and look after a Trellis homeserver.")
    parser.add_argument("--version", action="version", version=_version() if "--version" in given else "")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = [given[0]] if given and given[0] in COMMANDS else COMMANDS
    for command in wanted:
        name = f"core.cli.{command.replace('-', '_')}"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).add_commands(subparsers)
    return parser, subparsers


def _version() -> str:
    from importlib.metadata import version  # slow to load

    return f"Trellis {version('trellis-homeserver')}"


if __name__ == "__main__":
    sys.exit(main())
