"""The `X-Matrix` Authorization header of federation requests: parsed here, its signature checked by federation.

The grammar is RFC 9110's: parameters in any order, names in any case, values as token or quoted string with backslash
escapes, spaces and tabs around commas; older servers also send colons without quotes. What is outside
of it is refused, for two servers that read one header differently authenticate different requests.
Spec: Server-Server API, "Request Authentication".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Request

from core.errors import Unauthorized
from core.ids import ServerName, is_server_name
from core.web.paths import raw_target

MAX_HEADER_BYTES = 4_096
"""Longest header parsed: four names of at most 255 bytes and a signature of 86 characters fit many times."""

_PARAMETER = re.compile(
    r"""(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"""
    r"""(?:"(?P<quoted>(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*)"|"""
    r"""(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z:-]+))"""
)
_COMMAS = re.compile(r"[ \t]*(?:,[ \t]*)+")
_ESCAPED = re.compile(r"\\(.)")
_KEY_ID = re.compile(r"[a-z0-9]+:[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """What one `X-Matrix` header claims: that `origin` signed the request with `key_id`; nothing is verified yet.

    `destination` is None where an old server left it out.
    """

    origin: ServerName
    destination: ServerName | None
    key_id: str
    signature: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it is signed: method, raw target, the parsed body or None, and the claim about it."""

    method: str
    target: str
    content: Any
    claim: RequestSignature


class SignatureCheck(Protocol):
    """Whether a request was signed by whom it names; implemented by federation's key ring."""

    def verify_request(self, signed: SignedRequest) -> ServerName:
        """The origin, once its signature holds. Raises: `Unauthorized` where it does not or its key is not found."""


def authenticate_server(
    request: Request, check: SignatureCheck, server_name: ServerName, content: Any = None
) -> ServerName:
    """The server that signed this request to us; `content` is its parsed body, None where it has none.

    Raises: `Unauthorized` for a header that is missing, malformed or meant for another server; what `check` raises.
    """
    claim = parse_x_matrix(request.environ.get("HTTP_AUTHORIZATION"))
    if claim.destination is not None and claim.destination != server_name:
        raise Unauthorized(f"The request is addressed to {claim.destination}, this is {server_name}.")
    target = raw_target(request.environ)
    return check.verify_request(SignedRequest(request.method, target, content, claim))


def parse_x_matrix(header: str | None) -> RequestSignature:
    """What the header claims. Raises: `Unauthorized`, saying which part is missing or malformed."""
    if not header:
        raise Unauthorized("The request is not signed: it has no Authorization header.")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "x-matrix":
        raise Unauthorized("The Authorization header must be of the scheme X-Matrix.")
    if len(header) > MAX_HEADER_BYTES:
        raise Unauthorized(f"The Authorization header is longer than {MAX_HEADER_BYTES} bytes.")
    parameters = _parameters(rest.strip(" \t"))
    signature = parameters.get("sig", parameters.get("signature"))
    if signature is None:
        raise Unauthorized("The Authorization header has no parameter 'sig'.")
    destination = parameters.get("destination")
    return RequestSignature(
        origin=_server_name("origin", parameters.get("origin")),
        destination=None if destination is None else _server_name("destination", destination),
        key_id=_key_id(parameters.get("key")),
        signature=signature,
    )


def _parameters(text: str) -> dict[str, str]:
    """Each parameter by its name in lower case; a name given twice is refused."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise Unauthorized(f"The Authorization header is malformed at character {at + 1} of its parameters.")
        name, quoted = match["name"].lower(), match["quoted"]
        if name in found:
            raise Unauthorized("The Authorization header names a parameter twice.")
        found[name] = match["token"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        at = match.end()
        if at < len(text):
            comma = _COMMAS.match(text, at)
            if comma is None:
                raise Unauthorized(f"The Authorization header is malformed at character {at + 1} of its parameters.")
            at = comma.end()
    return found


def _server_name(parameter: str, text: str | None) -> ServerName:
    if text is None:
        raise Unauthorized(f"The Authorization header has no parameter '{parameter}'.")
    if not text.isascii() or not is_server_name(text):
        raise Unauthorized(f"The parameter '{parameter}' of the Authorization header is not a server name.")
    return ServerName(text)


def _key_id(text: str | None) -> str:
    if text is None:
        raise Unauthorized("The Authorization header has no parameter 'key'.")
    if _KEY_ID.fullmatch(text) is None:
        raise Unauthorized("The parameter 'key' of the Authorization header is not a key id such as ed25519:abc.")
    return text
