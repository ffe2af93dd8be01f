"""`hsctl user`: make, list, show, change and end accounts, with the server stopped.

With a SQLite database the server must be stopped, except that accounts can be made while it runs. With MariaDB or MySQL
it may run.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from core.accounts.usernames import typed_user_id
from core.config import load_config
from core.errors import BadRequest
from core.ids import UserId
from core.storage.users import User

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


def _create(arguments: argparse.Namespace) -> int:
    from core.cli.offline import ServerRunning, offline  # opens the database's modules, which --help does not need
    from core.cli.online import create_on_running_server  # as above

    config = load_config(arguments.config)
    suffix = f":{config.server.server_name}"
    localpart = arguments.user.removeprefix("@").removesuffix(suffix) if "@" in arguments.user else arguments.user
    password = read_password(arguments.password)
    try:
        with offline(config) as parts:
            user = parts.administration.create(localpart, password, arguments.display_name, arguments.admin)
            user_id: str = user.user_id
    except ServerRunning:
        user_id = create_on_running_server(config, localpart, password, arguments.display_name, arguments.admin)
    print(f"{user_id} is made{', an administrator' if arguments.admin else ''}.")
    return 0


def _reset(arguments: argparse.Namespace) -> int:
    from core.cli.offline import offline  # as above

    password = read_password(arguments.password)
    with offline(load_config(arguments.config)) as parts:
        user_id = typed_user_id(arguments.user, parts.server_name)
        parts.administration.reset_password(user_id, password, arguments.keep_sessions)
        kept = "sessions are kept" if arguments.keep_sessions else "all sessions are logged out"
        print(f"{user_id} has a new password; {kept}.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from core.cli.offline import offline  # as above

    with offline(load_config(arguments.config)) as parts:
        after = ""
        while page := parts.users.listed(after, 500, arguments.guests):
            after = page[-1].user_id
            for user in page:
                if arguments.deactivated or not user.is_deactivated:
                    print(_line(user))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from core.cli.offline import offline  # as above

    with offline(load_config(arguments.config)) as parts:
        user = parts.administration.get(typed_user_id(arguments.user, parts.server_name))
        shown = {
            "user_id": user.user_id,
            "created": _time(user.created_ms),
            "standing": _standing(user),
            "user_type": user.user_type,
            "appservice_id": user.appservice_id,
            "profile": parts.profiles.find(user.user_nid),
            "devices": [
                {
                    "device_id": device.device_id,
                    "display_name": device.display_name,
                    "last_seen": None if device.last_seen_ms is None else _time(device.last_seen_ms),
                    "last_seen_ip": device.last_seen_ip,
                }
                for device in parts.devices.of_user(user.user_nid)
            ],
        }
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


def _deactivate(arguments: argparse.Namespace) -> int:
    from core.cli.offline import offline  # as above

    with offline(load_config(arguments.config)) as parts:
        user_id: UserId = typed_user_id(arguments.user, parts.server_name)
        parts.administration.deactivate(user_id, arguments.erase)
        print(f"{user_id} is deactivated; the name stays taken.")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    from core.cli.offline import offline  # as above

    with offline(load_config(arguments.config)) as parts:
        user_id = typed_user_id(arguments.user, parts.server_name)
        parts.administration.set_admin(user_id, not arguments.revoke)
        print(f"{user_id} is {'an ordinary user' if arguments.revoke else 'an administrator'} now.")
    return 0


def _line(user: User) -> str:
    standing = _standing(user)
    return f"{user.user_id}  {_time(user.created_ms)}{'  ' + ', '.join(standing) if standing else ''}"


def _standing(user: User) -> list[str]:
    flags = {
        "administrator": user.is_admin,
        "guest": user.is_guest,
        "deactivated": user.is_deactivated,
        "erased": user.is_erased,
        "locked": user.is_locked,
        "suspended": user.is_suspended,
        "shadow-banned": user.is_shadow_banned,
    }
    return [name for name, is_set in flags.items() if is_set]


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
