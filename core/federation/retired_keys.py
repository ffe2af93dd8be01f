"""The file of keys that were rotated out, beside the file of signing keys: public halves, and until when they count.

A line reads `ed25519:name BASE64 MILLISECONDS`. The time may lie ahead: until then the key is still a current one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.config.problems import ConfigError
from core.events import unpadded_base64
from core.events.server_keys import OldVerifyKey
from core.events.signatures import ALGORITHM, parse_verify_key

SUFFIX = ".retired"


def retired_path(signing_key_path: str) -> Path:
    """Where retired keys are written down."""
    return Path(signing_key_path + SUFFIX)


def read_retired_keys(path: Path) -> dict[str, OldVerifyKey]:
    """Key id to key; none where there is no file. Raises ConfigError, naming the line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}.") from error
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            key_id, key, expired_ts = words
            if not key_id.startswith(ALGORITHM + ":"):
                raise ValueError
            found[key_id] = OldVerifyKey(parse_verify_key(key), int(expired_ts))
        except ValueError as error:
            raise ConfigError(f"{path}: line {number} must read: ed25519:id BASE64 MILLISECONDS.") from error
    return found


def format_retired_keys(keys: Mapping[str, OldVerifyKey]) -> str:
    """The text of the file."""
    lines = (f"{key_id} {unpadded_base64.encode(bytes(old.key))} {old.expired_ts}\n" for key_id, old in keys.items())
    return "".join(lines)
