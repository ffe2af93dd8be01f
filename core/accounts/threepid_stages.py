"""Stages of user-interactive authentication that show an address to be somebody's, a person, or consent.

Spec: Client-Server API, "Email-based", "Phone number/MSISDN-based", "Google ReCaptcha", "Terms of service".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from core.accounts.outside import OutsideWeb, json_object
from core.accounts.terms import Terms
from core.accounts.validation import NotValidated, NoValidSession, Proof
from core.errors import BadRequest, MissingParam, Unauthorized, Unavailable
from core.ids import UserId

VERIFY_MS = 10_000


class ProofLookup(Protocol):
    """What a validation session has shown."""

    def __call__(self, sid: str, client_secret: str) -> Proof: ...


class ThreepidStage:
    """`m.login.email.identity` or `m.login.msisdn`: a validation session that is complete."""

    def __init__(self, type: str, medium: str, proof: ProofLookup) -> None:
        self.type = type
        self._medium = medium
        self._proof = proof

    def params(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remembers the address and the session. Raises: `MissingParam`, `Unauthorized` while it is not validated."""
        given = auth.get("threepid_creds", auth.get("threepidCreds"))
        if not isinstance(given, Mapping):
            raise MissingParam("'auth.threepid_creds' is required and must be an object.")
        sid, client_secret = given.get("sid"), given.get("client_secret")
        if not isinstance(sid, str) or not isinstance(client_secret, str):
            raise MissingParam("'auth.threepid_creds' must have 'sid' and 'client_secret', both strings.")
        try:
            proof = self._proof(sid, client_secret)
        except (NotValidated, NoValidSession) as error:
            raise Unauthorized(error.sentence) from error
        if proof.medium != self._medium:
            raise Unauthorized("This validation session is for another kind of address.")
        return {
            "medium": proof.medium,
            "address": proof.address,
            "validated_ms": proof.validated_ms,
            "purpose": None if proof.purpose is None else proof.purpose.value,
            "sid": proof.sid,
        }


class RecaptchaStage:
    """`m.login.recaptcha`: a person is at the other end, says whoever `siteverify` asks."""

    type = "m.login.recaptcha"

    def __init__(self, web: OutsideWeb, public_key: str, private_key: str, siteverify: str) -> None:
        self._web = web
        self.public_key = public_key
        self._private_key = private_key
        self._siteverify = siteverify

    def params(self) -> Mapping[str, Any]:
        """The key clients show the captcha with."""
        return {"public_key": self.public_key}

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remembers nothing. Raises: `BadRequest` (`M_CAPTCHA_NEEDED`), `Unauthorized`, `Unavailable`."""
        response = auth.get("response", auth.get("g-recaptcha-response"))
        if not isinstance(response, str) or not response:
            raise BadRequest("'auth.response' is required: the captcha's response.", errcode="M_CAPTCHA_NEEDED")
        form = urlencode({"secret": self._private_key, "response": response[:10_000]})
        answer = self._web.request(
            "POST",
            self._siteverify,
            body=form.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout_ms=VERIFY_MS,
            is_guarded=False,
        )
        if answer.status != 200:
            raise Unavailable("The captcha cannot be verified at present; please try again later.")
        if json_object(answer, "The verifier of captchas").get("success") is not True:
            raise Unauthorized("The captcha was not solved.", errcode="M_CAPTCHA_INVALID")
        return {}


class TermsStage:
    """`m.login.terms`: the server's terms, as they are now, are accepted."""

    type = "m.login.terms"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def params(self) -> Mapping[str, Any]:
        """Which documents, and where they are."""
        return {"policies": self._terms.policies()}

    def check(self, user_id: UserId | None, auth: Mapping[str, Any]) -> Mapping[str, Any]:
        """Remembers which version was accepted."""
        return {"version": self._terms.version}
