"""`hsctl`: the administrator's command line.

Commands that only read configuration or compute start without gevent; all others run patched, as the server does.
A command's module is loaded when it is asked for, or for the general help.
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

COMMANDS = ("serve", "config", "user", "hash-password", "keys", "db", "media", "graph", "federation", "plugins")
"""In the order of the help; each is a module of core.cli, `-` spelt `_`, with `add_commands(subparsers)`."""

EXIT_REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. What went wrong is a sentence on stderr, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parsed = _parser(given).parse_args(given)
    try:
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


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hsctl", description="Run and look after a Trellis homeserver.")
    parser.add_argument("--version", action="version", version=_version() if "--version" in given else "")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = [given[0]] if given and given[0] in COMMANDS else COMMANDS
    for command in wanted:
        name = f"core.cli.{command.replace('-', '_')}"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).add_commands(subparsers)
    return parser


def _version() -> str:
    from importlib.metadata import version  # slow to load

    return f"Trellis {version('trellis-homeserver')}"


if __name__ == "__main__":
    sys.exit(main())
