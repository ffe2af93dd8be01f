"""`hsctl federation`: look at other servers. Nothing here needs the database, and the server may run."""

from __future__ import annotations

import argparse

from core.config import load_config
from core.federation.checking import Finding, ServerCheck
from core.federation.discovery import Discovery
from core.federation.well_known import WellKnown
from core.ids import ServerName
from core.wiring.federation import build_outbound

Subparsers = argparse._SubParsersAction
_MARKS = {True: "ok   ", False: "WRONG", None: "     "}


def add_commands(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `federation` and what it can do."""
    parser = subparsers.add_parser("federation", help="check other servers")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="find a server, connect, look at its certificate and keys")
    check.add_argument("server", help="its name, such as example.org")
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    """Print a line for each finding; 1 where something is wrong."""
    outbound = build_outbound(load_config().federation)
    check = ServerCheck(outbound.names, Discovery(outbound.names, WellKnown(outbound.web)), outbound.door)
    is_well = True
    for finding in check.run(ServerName(arguments.server)):
        is_well = is_well and finding.is_good is not False
        print(line(finding), flush=True)
    outbound.door.close()
    return 0 if is_well else 1


def line(finding: Finding) -> str:
    """How a finding is shown."""
    return f"{_MARKS[finding.is_good]} {finding.text}"
