"""`hsctl keys`: the signing keys, and their rotation.

Rotating writes a new key to the front of the signing key file; the old one is written down beside it as retired at the
end of the overlap. The server takes both in when it is next started or reloaded.
"""

from __future__ import annotations

import argparse
import os
import secrets
import string
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.config import load_config
from core.config.first_start import prepare
from core.config.keys import KeysConfig, read_signing_keys
from core.errors import Unavailable
from core.events import unpadded_base64
from core.events.server_keys import OldVerifyKey
from core.events.signatures import SigningKey, format_signing_key
from core.federation.retired_keys import format_retired_keys, read_retired_keys, retired_path

Subparsers = argparse._SubParsersAction
LEAST_OVERLAP_MS = 24 * 3600_000
NAME_LENGTH = 6


def add_commands(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add `keys` and what it can do."""
    parser = subparsers.add_parser("keys", help="list and rotate the server's signing keys")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the keys, current and old")
    listing.set_defaults(run=_list)
    rotate = actions.add_parser("rotate", help="make a new signing key; the old one counts until its overlap is over")
    rotate.set_defaults(run=_rotate)


def _list(arguments: argparse.Namespace) -> int:
    """Print a line for each key, without its secret."""
    config = prepare(load_config()).keys
    retired = read_retired_keys(retired_path(config.signing_key_path))
    now = int(time.time() * 1000)
    for number, key in enumerate(_signing_keys(config)):
        old = retired.get(key.key_id)
        if old is None:
            state = "signs" if number == 0 else "current"
            print(f"{key.key_id}  {unpadded_base64.encode(bytes(key.verify_key))}  {state}")
    configured = {key_id: old.expired_ts for key_id, old in config.old_signing_keys.items()}
    for key_id, expired_ts in {**configured, **{key_id: old.expired_ts for key_id, old in retired.items()}}.items():
        print(f"{key_id}  {'current until' if expired_ts > now else 'old since'} {_day(expired_ts)}")
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    """Put a new key in front."""
    config = prepare(load_config()).keys
    if config.signing_key is not None:
        raise Unavailable(
            "The signing key is given by signing_key in the configuration; it can be rotated only in a file of its own."
        )
    path, now = Path(config.signing_key_path), int(time.time() * 1000)
    ends = now + max(LEAST_OVERLAP_MS, config.key_refresh_interval)
    retired, keys = read_retired_keys(retired_path(config.signing_key_path)), _signing_keys(config)
    taken = {key.key_id for key in keys} | set(retired) | set(config.old_signing_keys)
    new = _new_key(taken)
    still = [key for key in keys if key.key_id not in retired or retired[key.key_id].expired_ts > now]
    for key in still:
        retired.setdefault(key.key_id, OldVerifyKey(key.verify_key, ends))
    # the retired keys first: were it to end here, they would merely be listed as current until then
    _replace(retired_path(config.signing_key_path), format_retired_keys(retired), 0o644)
    _replace(path, "".join(format_signing_key(key) for key in (new, *still)), 0o600)
    print(f"The new key is {new.key_id}. Restart or reload the server to sign with it, before {_day(ends)}:")
    print("until then what is signed with the old key is believed.")
    return 0


def _signing_keys(config: KeysConfig) -> Sequence[SigningKey]:
    return [SigningKey(key_id, seed) for key_id, seed in read_signing_keys(config)]


def _new_key(taken: set[str]) -> SigningKey:
    """A key under a name that was never used, as an old one stays published for good."""
    letters = string.ascii_letters + string.digits
    while True:
        key_id = "ed25519:a_" + "".join(secrets.choice(letters) for _ in range(NAME_LENGTH))
        if key_id not in taken:
            return SigningKey(key_id, secrets.token_bytes(32))


def _replace(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, keeping the owner where it is replaced."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        before = path.stat()
        os.chmod(beside, before.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(beside, before.st_uid, before.st_gid)
    os.replace(beside, path)


def _day(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
