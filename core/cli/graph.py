"""`hsctl graph`: what the event library decides, for one case or thousands, outside of any server.

`verify` reads ids, hashes and signatures off an event, `auth` judges one by the authorization rules, `resolve` merges
states. The cases are in the formats that tests of other servers can be turned into; core.cli.graph_cases says how
they are read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from core.cli.graph_auth import auth_case
from core.cli.graph_cases import answer_cases
from core.cli.graph_resolve import add_resolve
from core.cli.graph_verify import verify_case

_AUTH = """Judge an event by the authorization rules of its room version. A case is {"room_version", "events": [PDUs
with event_id], "event": a PDU or an id, "auth_events": [ids of the room's state]}, optionally with "rejected": [ids];
the answer is {"allowed", "rule", "reason"}."""
_VERIFY = """Read the id, hashes and signatures of an event. A case is {"room_version", "event", "keys": {server: {key
id: unpadded base64}}}; the answer is {"event_id", "content_hash_ok", "signatures": {server: bool}, "redacted"}."""


def add_commands(subparsers: Any) -> None:
    """Add `graph` and its commands to those of `hsctl`; each sets `run`, a function from arguments to the exit code."""
    parser = subparsers.add_parser("graph", help="judge events and resolve states by the rules", description=__doc__)
    _add_subcommands(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command on its own: `python -m core.cli.graph verify CASE.json`."""
    parser = argparse.ArgumentParser("graph", description=__doc__)
    _add_subcommands(parser)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


def _add_subcommands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_command(commands, "verify", "check ids, hashes and signatures of an event", _VERIFY, verify_case)
    _add_command(commands, "auth", "judge an event by the authorization rules", _AUTH, auth_case)
    add_resolve(commands)


def _add_command(
    commands: Any, name: str, summary: str, description: str, answer: Callable[..., dict[str, Any]]
) -> None:
    parser = commands.add_parser(name, help=summary, description=description)
    parser.add_argument("case", help="a file with one case, or JSON Lines with one case a line; - is standard input")
    parser.add_argument("--explain", action="store_true", help="add the trace: what the answer rests on")
    parser.set_defaults(run=partial(_run, answer))


def _run(answer: Callable[..., dict[str, Any]], arguments: argparse.Namespace) -> int:
    return answer_cases(arguments.case, partial(answer, explain=arguments.explain))


if __name__ == "__main__":
    sys.exit(main())
