"""The signature on a request between servers: what it covers, and the header it travels in.

The covered object is put together from bytes, so that a large body is written once for the wire and the signature.
Spec: Server-Server API, "Request Authentication".
"""

from __future__ import annotations

import orjson

from core.events import unpadded_base64
from core.events.signatures import SigningKey
from core.ids import ServerName


def covered_bytes(
    method: str, target: str, origin: ServerName, destination: ServerName | None, content: bytes | None
) -> bytes:
    """The canonical JSON that is signed; `content` is the canonical JSON of the body, None where there is none.

    The keys stand in their canonical order: content, destination, method, origin, uri.
    """
    parts = []
    if content is not None:
        parts.append(b'"content":' + content)
    if destination is not None:
        parts.append(b'"destination":' + orjson.dumps(destination))
    parts.append(b'"method":' + orjson.dumps(method))
    parts.append(b'"origin":' + orjson.dumps(origin))
    parts.append(b'"uri":' + orjson.dumps(target))
    return b"{" + b",".join(parts) + b"}"


def authorization(
    method: str, target: str, origin: ServerName, destination: ServerName, content: bytes | None, key: SigningKey
) -> str:
    """The value of the Authorization header of a request of ours."""
    covered = covered_bytes(method, target, origin, destination, content)
    signature = unpadded_base64.encode(key.sign(covered))
    return f'X-Matrix origin="{origin}",destination="{destination}",key="{key.key_id}",sig="{signature}"'
