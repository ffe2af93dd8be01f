"""`hsctl hash-password`: the hash of a password, to be pasted into the table of users."""

from __future__ import annotations

import argparse

from core.cli.user import read_password
from core.config import load_config
from core.errors import BadRequest
from core.hooks.specs import observers, passwords
from core.hooks.verdicts import Reject


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `hash-password`."""
    parser = subparsers.add_parser(
        "hash-password",
        help="print the hash of a password, with the configured pepper and cost",
        description="Put the hash into the column password_hash of the table users; it counts at the next login.",
    )
    parser.add_argument("-p", "--password", help="the password; without it, it is asked for or read from stdin")
    parser.add_argument("-c", "--config", help="the configuration; HS_CONFIG or ./homeserver.yaml without it")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from core.cli.offline import plugins_of  # opens the database's modules, which --help does not need

    plugins = plugins_of(load_config(arguments.config))
    try:
        hashed = plugins.ask(passwords.hash_password, password=read_password(arguments.password))
    finally:
        plugins.tell(observers.server_stopping)
    if hashed is None:
        raise BadRequest("No plugin hashes passwords: bcrypt_passwords is disabled.")
    if isinstance(hashed, Reject):
        raise BadRequest(hashed.reason)
    print(hashed)
    return 0
