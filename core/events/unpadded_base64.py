"""Unpadded Base64: how Matrix writes hashes, keys and signatures.

Writing is exact. Reading is as lenient as other servers are: padding is allowed, and both alphabets are understood,
since what is compared afterwards are bytes. Anything else in the text is refused, never skipped.

Spec: Appendices, "Unpadded Base64".
"""

from __future__ import annotations

import base64
import binascii

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encode(octets: bytes) -> str:
    """`octets` in the standard alphabet, without padding."""
    return binascii.b2a_base64(octets, newline=False).decode("ascii").rstrip("=")


def encode_url_safe(octets: bytes) -> str:
    """`octets` in the URL-safe alphabet, without padding: event ids from room version 4, room ids from 12."""
    return binascii.b2a_base64(octets, newline=False).translate(_URL_SAFE).decode("ascii").rstrip("=")


def decode(text: str) -> bytes:
    """The bytes `text` stands for. Raises ValueError for anything that is not Base64."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"not Base64: {error}") from error
