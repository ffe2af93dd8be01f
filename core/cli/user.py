"""`hsctl user`: make, list, show, change and end accounts, whether the server runs or not.

A running server is asked over its private socket; otherwise the command opens the database itself.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable

from core.cli.control import Runner, run_where_the_data_is
from core.config import load_config
from core.errors import BadRequest

Subparsers = argparse._SubParsersAction


def add_commands(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `user` and what it can do."""
    parser = subparsers.add_parser("user", help="make, list, show, change and end accounts")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    create = _action(actions, "create", "make an account; asks for the password", _create)
    create.add_argument("user", help="the name, such as alice")
    create.add_argument("-p", "--password", help="the password; better leave it out and be asked")
    create.add_argument("--display-name", help="what others see; the name without it")
    create.add_argument("--admin", action="store_true", help="make the account an administrator")

    reset = _action(actions, "reset-password", "set a new password and log the user out; asks for it", _reset)
    reset.add_argument("user", help="the name or the user id")
    reset.add_argument("-p", "--password", help="the password; better leave it out and be asked")
    reset.add_argument("--keep-sessions", action="store_true", help="leave the user logged in everywhere")

    listing = _action(actions, "list", "list accounts", _list)
    listing.add_argument("--guests", action="store_true", help="guests, too")
    listing.add_argument("--deactivated", action="store_true", help="deactivated ones, too")

    show = _action(actions, "show", "show all about one account, as JSON", _show)
    show.add_argument("user", help="the name or the user id")

    deactivate = _action(actions, "deactivate", "end an account for good", _deactivate)
    deactivate.add_argument("user", help="the name or the user id")
    deactivate.add_argument("--erase", action="store_true", help="hide what the user sent from newcomers to rooms")

    promote = _action(actions, "promote", "make somebody an administrator", _promote)
    promote.add_argument("user", help="the name or the user id")
    promote.add_argument("--revoke", action="store_true", help="make an administrator an ordinary user again")

    for name, help_text, run in (
        ("lock", "lock an account out; its sessions are kept", _lock),
        ("suspend", "let an account read, and do nothing else", _suspend),
    ):
        action = _action(actions, name, help_text, run)
        action.add_argument("user", help="the name or the user id")
        action.add_argument("--undo", action="store_true", help="take it back")


def read_password(given: str | None) -> str:
    """The password given, or typed twice on the terminal, or the first line of what is piped in.

    Raises: `BadRequest` where the two differ.
    """
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise BadRequest("The two passwords differ; nothing was changed.")
    return first


def _action(
    actions: Subparsers[argparse.ArgumentParser],
    name: str,
    help: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help)
    parser.add_argument("-c", "--config", help="the configuration; HS_CONFIG or ./homeserver.yaml without it")
    parser.set_defaults(run=run)
    return parser


def _with_runner(arguments: argparse.Namespace, use: Callable[[Runner], int]) -> int:
    return run_where_the_data_is(load_config(arguments.config), use)


def _say(arguments: argparse.Namespace, command: str, **fields: object) -> int:
    """Run one command and print its sentence."""

    def use(run: Runner) -> int:
        print(run(f"user {command}", {"user": arguments.user, **fields}))
        return 0

    return _with_runner(arguments, use)


def _create(arguments: argparse.Namespace) -> int:
    password = read_password(arguments.password)
    fields = {"password": password, "displayname": arguments.display_name, "is_admin": arguments.admin}
    return _say(arguments, "create", **fields)


def _reset(arguments: argparse.Namespace) -> int:
    password = read_password(arguments.password)
    return _say(arguments, "reset-password", password=password, keep_sessions=arguments.keep_sessions)


def _list(arguments: argparse.Namespace) -> int:
    def use(run: Runner) -> int:
        after = ""
        while page := run("user list", {"after": after, "guests": arguments.guests}):
            after = page[-1]["user_id"]
            for user in page:
                if arguments.deactivated or not user["is_deactivated"]:
                    print(user["line"])
        return 0

    return _with_runner(arguments, use)


def _show(arguments: argparse.Namespace) -> int:
    def use(run: Runner) -> int:
        print(json.dumps(run("user show", {"user": arguments.user}), indent=2, ensure_ascii=False))
        return 0

    return _with_runner(arguments, use)


def _deactivate(arguments: argparse.Namespace) -> int:
    return _say(arguments, "deactivate", erase=arguments.erase)


def _promote(arguments: argparse.Namespace) -> int:
    return _say(arguments, "promote", revoke=arguments.revoke)


def _lock(arguments: argparse.Namespace) -> int:
    return _say(arguments, "lock", undo=arguments.undo)


def _suspend(arguments: argparse.Namespace) -> int:
    return _say(arguments, "suspend", undo=arguments.undo)
