"""The server's signing keys, and whom it trusts for those of others."""

# ruff: noqa: RUF009 - setting() makes a dataclass field, which the rule cannot see
from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config.parsers import anything, boolean, duration_ms, list_of, path, text
from core.config.problems import ConfigError
from core.config.server import server_name
from core.config.settings import setting


@dataclass(frozen=True, slots=True)
class OldSigningKey:
    """A public key of ours that no longer signs: `key` is 32 bytes, `expired_ts` milliseconds since 1970."""

    key: bytes
    expired_ts: int


@dataclass(frozen=True, slots=True)
class TrustedKeyServer:
    """A notary: a server asked for other servers' keys. `verify_keys` are its own, key id to 32 bytes, if pinned."""

    server_name: str
    verify_keys: Mapping[str, bytes]


def old_signing_keys(value: Any) -> dict[str, OldSigningKey]:
    """Key id to old key."""
    allowed = 'a mapping such as "ed25519:id": {key: "base64", expired_ts: 123456789123}'
    if not isinstance(value, Mapping):
        raise ValueError(allowed)
    parsed = {}
    for key_id, entry in value.items():
        if (
            not isinstance(entry, Mapping)
            or set(entry) != {"key", "expired_ts"}
            or type(entry["expired_ts"]) is not int
        ):
            raise ValueError(allowed)
        parsed[key_id] = OldSigningKey(_public_key(entry["key"]), entry["expired_ts"])
    return parsed


def trusted_key_server(value: Any) -> TrustedKeyServer:
    """One entry of `trusted_key_servers`."""
    if not isinstance(value, Mapping) or "server_name" not in value:
        raise ValueError("a mapping with server_name and, if you like, verify_keys")
    keys = value.get("verify_keys") or {}
    if not isinstance(keys, Mapping):
        raise ValueError("a mapping whose verify_keys map key ids to keys in base64")
    return TrustedKeyServer(server_name(value["server_name"]), {name: _public_key(key) for name, key in keys.items()})


@dataclass(frozen=True, slots=True)
class KeysConfig:
    """Signing keys."""

    signing_key_path: str = setting(
        "{data_dir}/signing.key",
        path,
        "File with the signing keys, a line each: ed25519 a_id base64. Made at first start.",
    )
    signing_key: str | None = setting(None, text, "The same as a value, such as `${SIGNING_KEY}`, instead of the file.")
    old_signing_keys: Mapping[str, OldSigningKey] = setting(
        {}, old_signing_keys, "Keys that signed events in the past, by id, with key and expired_ts."
    )
    key_refresh_interval: int = setting("1d", duration_ms, "For how long others may keep our published key.")
    trusted_key_servers: tuple[TrustedKeyServer, ...] = setting(
        [{"server_name": "matrix.org"}],
        list_of(trusted_key_server),
        "Servers asked for the keys of others that are gone; each with server_name and optional verify_keys.",
    )
    suppress_key_server_warning: bool = setting(False, boolean, "Accepted for compatibility; nothing is warned about.")
    key_server_signing_keys_path: str | None = setting(
        None, path, "File with a key that signs answers given as a key server; unset, the signing key."
    )
    policy_server_signing_key_path: str | None = setting(
        None,
        path,
        "File with the key that signs events of rooms that name this server as their policy server; unset, it is none.",
    )
    perspectives: Any = setting(None, anything, "Accepted for compatibility; use trusted_key_servers.")


def read_signing_keys(config: KeysConfig) -> list[tuple[str, bytes]]:
    """The server's signing keys as (key id such as "ed25519:a_AbCd", seed of 32 bytes); the first one signs.

    Raises ConfigError where the file cannot be read or holds no key.
    """
    where = "signing_key" if config.signing_key is not None else config.signing_key_path
    try:
        written = config.signing_key if config.signing_key is not None else _read(config.signing_key_path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"signing_key_path: {where} cannot be read: {reason}.") from error
    found = []
    for line in filter(None, map(str.strip, written.splitlines())):
        words = line.split()
        try:
            if len(words) != 3 or words[0] != "ed25519":
                raise ValueError
            found.append((f"ed25519:{words[1]}", _public_key(words[2])))
        except ValueError as error:
            raise ConfigError(f"{where}: a line is no signing key; it must read: ed25519 a_id BASE64.") from error
    if not found:
        raise ConfigError(f"{where}: holds no signing key; it must read: ed25519 a_id BASE64.")
    return found


def _read(name: str) -> str:
    with open(name, encoding="utf-8") as file:
        return file.read()


def _public_key(value: Any) -> bytes:
    try:
        key = base64.b64decode(text(value) + "=" * (-len(value) % 4), validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError("a public key of 32 bytes in base64") from error
    if len(key) != 32:
        raise ValueError("a public key of 32 bytes in base64")
    return key
