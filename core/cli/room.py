"""`hsctl room`: look into rooms of the running server."""

from __future__ import annotations

import argparse

from core.cli.control import socket_path
from core.config import load_config
from core.control.client import ask

Subparsers = argparse._SubParsersAction


def add_commands(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `room` and what it can do."""
    parser = subparsers.add_parser("room", help="look into rooms")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    doctor = actions.add_parser("doctor", help="compare a room with other servers in it; the server must run")
    doctor.add_argument("room", help="its id, such as !abc:example.org")
    doctor.add_argument("--servers", type=int, default=3, help="how many servers are asked, at most 20 (3)")
    doctor.add_argument("--repair", action="store_true", help="fetch what is missing here, send what is missing there")
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 where something differs."""
    asked = {"room": arguments.room, "servers": arguments.servers, "is_repairing": arguments.repair}
    found = ask(socket_path(load_config()), "room doctor", asked)
    print(*found["lines"], sep="\n")
    return 0 if found["is_well"] else 1
