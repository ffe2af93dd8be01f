"""The signature on a request between servers: what it covers, and the header it travels in.

The covered object is put together from bytes, so that a large body is written once for the wire and the signature.
Spec: Server-Server API, "Request Authentication".
"""

from __future__ import annotations

import orjson

from core.events import unpadded_base64
from core.events.signatures import SigningKey
from core.ids import ServerName

DESTINATION, DESTINATION_IS = "destination", "destination_is"
"""What the signed object calls the server asked: as specified, and as Sydent checks it."""


def covered_bytes(
    method: str,
    target: str,
    origin: ServerName,
    destination: ServerName | None,
    content: bytes | None,
    destination_key: str = DESTINATION,
) -> bytes:
    """The canonical JSON that is signed; `content` is the canonical JSON of the body, None where there is none.

    The keys stand in their canonical order: content, destination, method, origin, uri.
    """
    parts = []
    if content is not None:
        parts.append(b'"content":' + content)
    if destination is not None:
        parts.append(orjson.dumps(destination_key) + b":" + orjson.dumps(destination))
    parts.append(b'"method":' + orjson.dumps(method))
    parts.append(b'"origin":' + orjson.dumps(origin))
    parts.append(b'"uri":' + orjson.dumps(target))
    return b"{" + b",".join(parts) + b"}"


def authorization(
    method: str,
    target: str,
    origin: ServerName,
    destination: ServerName,
    content: bytes | None,
    key: SigningKey,
    destination_key: str = DESTINATION,
) -> str:
    """The value of the Authorization header of a request of ours."""
    covered = covered_bytes(method, target, origin, destination, content, destination_key)
    signature = unpadded_base64.encode(key.sign(covered))
    return f'X-Matrix origin="{origin}",destination="{destination}",key="{key.key_id}",sig="{signature}"'
