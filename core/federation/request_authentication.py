"""Who signed a request to us. Implements core.web.federation_auth.SignatureCheck."""

from __future__ import annotations

from typing import Any, Protocol

from core.errors import BadSignature, EventRefused, Unauthorized
from core.events.canonical_json import encode
from core.events.signatures import ALGORITHM, is_signed_by
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.keyring import KeyRing
from core.federation.request_signing import covered_bytes
from core.ids import ServerName


class Claim(Protocol):
    """What the Authorization header says."""

    @property
    def origin(self) -> ServerName: ...
    @property
    def destination(self) -> ServerName | None: ...
    @property
    def key_id(self) -> str: ...
    @property
    def signature(self) -> str: ...


class Signed(Protocol):
    """A request as it was signed."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def content(self) -> Any: ...
    @property
    def claim(self) -> Claim: ...


class RequestAuthentication:
    """Verifies requests; whoever has signed one is taken to be up."""

    def __init__(self, ring: KeyRing, allowed: AllowedServers, backoff: Backoff) -> None:
        self._ring = ring
        self._allowed = allowed
        self._backoff = backoff

    def verify_request(self, signed: Signed) -> ServerName:
        """The origin. Raises Unauthorized, saying what is wrong with the signature; Forbidden for a server off the list."""
        claim = signed.claim
        if claim.origin == self._allowed.own:
            raise Unauthorized("The request claims to come from this server itself.")
        self._allowed.require(claim.origin)
        if not claim.key_id.startswith(ALGORITHM + ":"):
            raise Unauthorized(f"The key {claim.key_id} is not one of {ALGORITHM}, the only algorithm known here.")
        key = self._ring.for_request(claim.origin, claim.key_id)
        try:
            content = None if signed.content is None else encode(signed.content, strict=False)
        except EventRefused as error:
            raise BadSignature("The body has no canonical JSON form, so it cannot have been signed.") from error
        covered = covered_bytes(signed.method, signed.target, claim.origin, claim.destination, content)
        if not is_signed_by(covered, claim.signature, key):
            raise BadSignature(
                f"The signature of {claim.origin} with {claim.key_id} does not fit the request: method, target, "
                "destination and body must arrive as they were signed. A reverse proxy must not decode or rewrite the path."
            )
        self._backoff.called(claim.origin)
        return claim.origin
