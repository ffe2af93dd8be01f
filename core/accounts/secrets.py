"""Random words: access tokens, refresh tokens, device ids, localparts for those who name none.

A token is a prefix, 256 random bits in base 62, and a checksum by which scanners of leaked secrets can tell a token of
this server's kind from noise without asking.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 43
_CHECKSUM_LENGTH = 6

ACCESS_PREFIX = "trls_"
REFRESH_PREFIX = "trlr_"


def new_token(prefix: str) -> str:
    """A token nobody can guess, such as `trls_…_0aB3dE`."""
    body = prefix + _base62(secrets.randbits(256), _RANDOM_LENGTH)
    return f"{body}_{_base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)}"


def has_checksum(token: str) -> bool:
    """Whether the token could be one of ours: its checksum is right."""
    body, _, checksum = token.rpartition("_")
    return checksum == _base62(zlib.crc32(body.encode("utf-8", "surrogatepass")), _CHECKSUM_LENGTH)


def token_hash(token: str) -> bytes:
    """What is stored of a token, and what it is found by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def new_device_id() -> str:
    """A device id: ten capital letters."""
    number, letters = secrets.randbits(64), []
    for _ in range(10):
        number, letter = divmod(number, 26)
        letters.append(string.ascii_uppercase[letter])
    return "".join(letters)


def new_localpart() -> str:
    """A localpart for somebody who named none: eleven letters and digits, a letter first."""
    tail = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(10))
    return secrets.choice(string.ascii_lowercase) + tail


def new_guest_localpart() -> str:
    """A localpart for a guest: digits only, which no other account may have."""
    return str(10**11 + secrets.randbelow(9 * 10**11))


def new_session_id() -> str:
    """An id for a session of interactive authentication."""
    return secrets.token_urlsafe(18)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
