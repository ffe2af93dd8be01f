"""`hsctl media`: what media there is, deleting, withholding, checking and moving it, with the server stopped.

With MariaDB or MySQL the server may run, except for `move`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time

from core.cli.offline import Offline, offline, plugins_of
from core.config import Config, load_config
from core.config.parsers import duration_ms
from core.errors import BadRequest, Unavailable
from core.hooks.errors import PluginError
from core.ids import UserId
from core.media.curation import Curation
from core.media.identifiers import parse_mxc
from core.media.moving import FileMover
from core.media.references import has_seen_all
from core.media.spool import Spool
from core.media.vault import Deletion, Vault
from core.storage.media import MediaStore
from core.storage.media_files import MediaFileStore
from core.storage.media_lists import MediaLists
from core.storage.media_references import MediaReferenceStore, Referrer

Subparsers = argparse._SubParsersAction


@dataclass(frozen=True, slots=True)
class _Tools:
    server: Offline
    media: MediaStore
    lists: MediaLists
    curation: Curation
    mover: FileMover
    vault: Vault


def add_commands(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `media` and what it can do."""
    parser = subparsers.add_parser("media", help="look after uploaded files")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    _action(actions, "usage", "say who has uploaded how much", _usage)

    purge = _action(actions, "purge", "delete media not asked for since a while", _purge)
    purge.add_argument("what", choices=("local", "remote", "unreferenced"), help="whose; or what nothing refers to")
    purge.add_argument("--older-than", required=True, metavar="AGE", help="such as 90d")
    purge.add_argument("--larger-than", type=int, default=0, metavar="BYTES", help="spare smaller files")
    purge.add_argument(
        "--encrypted", action="store_true", help="with unreferenced: also files that encrypted messages may refer to"
    )
    purge.add_argument("--dry-run", action="store_true", help="list, and delete nothing")

    quarantine = _action(actions, "quarantine", "withhold a file and all with the same content", _quarantine)
    quarantine.add_argument("uri", help="the mxc:// URI")
    quarantine.add_argument("--end", action="store_true", help="serve it again")

    check = _action(actions, "check", "look whether every file is there; exit code 1 where not", _check)
    check.add_argument("--read", action="store_true", help="read every file and compare its SHA-256")

    move = _action(actions, "move", "bring all files into another backend; can be ended and begun again", _move)
    move.add_argument("to", help="the backend's name, such as filesystem or s3")


def _action(
    actions: Subparsers[argparse.ArgumentParser],
    name: str,
    help_text: str,
    run: Callable[[_Tools, argparse.Namespace], int],
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=help_text)
    action.add_argument("-c", "--config", help="the configuration; HS_CONFIG or ./homeserver.yaml without it")

    def with_tools(arguments: argparse.Namespace) -> int:
        with _tools(load_config(arguments.config)) as tools:
            return run(tools, arguments)

    action.set_defaults(run=with_tools)
    return action


@contextmanager
def _tools(config: Config) -> Iterator[_Tools]:
    with offline(config) as server:
        plugins, database, writer = plugins_of(config), server.storage.database, server.storage.writer
        try:
            vault = Vault(plugins, config.media.media_backend)
        except PluginError as error:
            raise Unavailable(str(error)) from error
        media, files, references = MediaStore(database), MediaFileStore(database), MediaReferenceStore(database)
        lists = MediaLists(database)
        deletion, spool = Deletion(vault, files, writer), Spool(Path(config.media.media_store_path) / "incoming")
        spool.prepare()
        curation = Curation(server.server_name, media, lists, files, references, deletion, writer, plugins)
        yield _Tools(server, media, lists, curation, FileMover(vault, files, spool, deletion, writer), vault)


def _usage(tools: _Tools, arguments: argparse.Namespace) -> int:
    usage = tools.lists.usage_of_users()
    known = tools.server.users.find_many([one.user_nid for one in usage])
    for one in usage:
        user = known.get(one.user_nid)
        print(f"{one.total_bytes:>15,}  {one.files:>8,}  {user.user_id if user else 'an account that is gone'}")
    count, size = tools.lists.usage_of_remote()
    print(f"{size:>15,}  {count:>8,}  copies of other servers' media")
    return 0


def _purge(tools: _Tools, arguments: argparse.Namespace) -> int:
    try:
        before_ms = int(time() * 1000) - duration_ms(arguments.older_than)
    except ValueError as error:
        raise BadRequest(f"--older-than must be {error}.") from error
    curation, what = tools.curation, arguments.what
    kept_by: tuple[Referrer, ...] = ()
    if what == "unreferenced":
        storage, kept_by = tools.server.storage, tuple(Referrer)
        if not has_seen_all(storage.log, storage.cursors):
            raise Unavailable(
                "What refers to media was not looked through to the end yet. Let the server run for a while, then try again."
            )
        found = list(curation.unreferenced(before_ms, arguments.encrypted))
        found = [one for one in found if one.size_bytes >= arguments.larger_than]
    else:
        found = list(curation.old(before_ms, is_local=what == "local", above_bytes=arguments.larger_than))
    if arguments.dry_run:
        for one in found:
            print(f"{one.size_bytes:>15,}  {one.mxc}  {one.content_type}")
    else:
        for start in range(0, len(found), 200):
            curation.delete(found[start : start + 200], kept_by=kept_by)
    verb = "would be" if arguments.dry_run else "were"
    print(f"{len(found)} files, {sum(one.size_bytes for one in found):,} bytes, {verb} deleted.")
    return 0


def _quarantine(tools: _Tools, arguments: argparse.Namespace) -> int:
    parsed = parse_mxc(arguments.uri)
    if parsed is None:
        raise BadRequest(f"{arguments.uri} is no mxc:// URI.")
    by = None if arguments.end else UserId(f"@hsctl:{tools.server.server_name}")
    changed = tools.curation.quarantine(*parsed, by)
    print(f"{changed} URIs {'are served again' if arguments.end else 'are withheld'}.")
    return 0 if changed else 1


def _check(tools: _Tools, arguments: argparse.Namespace) -> int:
    found = tools.mover.check(arguments.read)
    for word, names in (("missing", found.missing), ("damaged", found.damaged)):
        for name in names:
            print(f"{word}  {name}")
    print(f"{found.files} files, {len(found.missing)} missing, {len(found.damaged)} damaged.")
    return 1 if found.missing or found.damaged else 0


def _move(tools: _Tools, arguments: argparse.Namespace) -> int:
    if arguments.to not in tools.vault.names():
        raise BadRequest(f"There is no backend {arguments.to}; there are {', '.join(tools.vault.names())}.")
    waiting = [file for file in tools.mover.all() if file.backend != arguments.to]
    total = sum(file.size_bytes for file in waiting)

    def show(moved: int, size: int) -> None:
        if sys.stderr.isatty():
            done = 30 * moved // max(1, len(waiting))
            bar = "#" * done + "." * (30 - done)
            print(f"\r[{bar}] {moved}/{len(waiting)} files, {size:,}/{total:,} bytes", end="", file=sys.stderr)

    moved = tools.mover.move(arguments.to, show)
    if sys.stderr.isatty() and moved:
        print(file=sys.stderr)
    print(f"{moved} files were moved to {arguments.to}.")
    return 0
