"""What a row keeps for its own server only: JSON that whoever reads the database cannot read."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox


class Seal:
    """Closes and opens values with a key that the database does not have."""

    def __init__(self, key: bytes) -> None:
        self._box = SecretBox(hashlib.sha256(b"seal of a row:" + key).digest())

    def close(self, value: Any) -> str:
        """The JSON value as text, another one each time."""
        return base64.b64encode(self._box.encrypt(orjson.dumps(value))).decode()

    def open(self, text: str) -> Any:
        """What was closed; None where that was done with another key."""
        try:
            return orjson.loads(self._box.decrypt(base64.b64decode(text)))
        except CryptoError:
            return None
