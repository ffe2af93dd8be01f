"""Validating addresses: the requests for a token, for each purpose and medium, and the page the mail's link leads to.

Spec: Client-Server API, `POST …/email/requestToken` and `…/msisdn/requestToken` of registration, password and
addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core.accounts.identity_servers import IdentityServers
from core.accounts.phone_numbers import msisdn_of
from core.accounts.threepids import Threepids
from core.accounts.validation import Purpose, Validation, check_client_secret
from core.errors import BadRequest, Forbidden, MatrixError
from core.mail.templates import Templates
from core.web.gate import Gate, client_address
from core.web.json_body import read_body
from core.web.replies import page_reply
from core.web.schemas import JsonInt, JsonSchema, JsonString, json_reply, load

MAX_FORM_BYTES = 8_192
View = Callable[[], ResponseReturnValue]
PURPOSES: Mapping[str, Purpose] = {
    "register": Purpose.REGISTER,
    "account/password": Purpose.RESET,
    "account/3pid": Purpose.ADD,
}
"""What an address is validated for, by the path of the request."""


class EmailBody(JsonSchema):
    """The body of a request about an e-mail address."""

    client_secret = JsonString(required=True, max_bytes=255)
    email = JsonString(required=True, max_bytes=1024)
    send_attempt = JsonInt(required=True)
    next_link = JsonString(load_default=None, max_bytes=4096, allow_none=True)


class PhoneBody(JsonSchema):
    """The body of a request about a phone number."""

    client_secret = JsonString(required=True, max_bytes=255)
    country = JsonString(required=True, max_bytes=16)
    phone_number = JsonString(required=True, max_bytes=255)
    send_attempt = JsonInt(required=True)
    next_link = JsonString(load_default=None, max_bytes=4096, allow_none=True)


def blueprint(
    threepids: Threepids,
    validation: Validation,
    identity: IdentityServers,
    templates: Templates,
    gate: Gate,
    is_open: bool,
    may_change: bool,
) -> Blueprint:
    """All six requests, and the pages. `is_open`: registration; `may_change`: addresses of accounts."""
    bp = Blueprint("client_token_requests", __name__)
    forbidden = {purpose for purpose, may in ((Purpose.REGISTER, is_open), (Purpose.ADD, may_change)) if not may}
    views = _Views(threepids, validation, identity, gate, forbidden)
    for path in ("register", "account/password", "account/3pid"):
        email, msisdn = views.email(PURPOSES[path]), views.msisdn(PURPOSES[path])
        bp.add_url_rule(f"/_matrix/client/v3/{path}/email/requestToken", f"{path}_email", email, methods=["POST"])
        bp.add_url_rule(f"/_matrix/client/v3/{path}/msisdn/requestToken", f"{path}_msisdn", msisdn, methods=["POST"])
    _add_pages(bp, validation, templates, gate)
    return bp


class _Views:
    """The views of the requests, which differ in their purpose only."""

    def __init__(
        self,
        threepids: Threepids,
        validation: Validation,
        identity: IdentityServers,
        gate: Gate,
        forbidden: Collection[Purpose],
    ) -> None:
        self._validation = validation
        self._threepids = threepids
        self._identity = identity
        self._gate = gate
        self._forbidden = forbidden
        self._email_body, self._phone_body = EmailBody(), PhoneBody()

    def email(self, purpose: Purpose) -> View:
        """Sends a mail with a link."""

        def post_email() -> ResponseReturnValue:
            """Send a mail with a link."""
            body = load(self._email_body, request)
            address = self._threepids.checked_email(body["email"])
            self._limit(purpose, f"email:{address}")
            sid = self._threepids.request_email_token(
                purpose, address, body["client_secret"], body["send_attempt"], body["next_link"]
            )
            return json_reply({"sid": sid})

        return post_email

    def msisdn(self, purpose: Purpose) -> View:
        """Has a text message with a token sent."""

        def post_msisdn() -> ResponseReturnValue:
            """Have a text message with a token sent."""
            body = load(self._phone_body, request)
            check_client_secret(body["client_secret"])
            msisdn = msisdn_of(body["country"], body["phone_number"])
            self._limit(purpose, f"msisdn:{msisdn}")
            if self._identity.can_text and not self._threepids.check_phone(purpose, msisdn):
                return json_reply({"sid": self._threepids.no_session(body["client_secret"])})
            session = self._identity.request_text(**body)
            self._validation.adopt(purpose, "msisdn", msisdn, body["client_secret"], session.sid)
            return json_reply({"sid": session.sid, "submit_url": session.submit_url})

        return post_msisdn

    def _limit(self, purpose: Purpose, address: str) -> None:
        if purpose in self._forbidden:
            raise Forbidden("This server does not let users do this.", errcode="M_THREEPID_DENIED")
        self._gate.limit(client_address(request), "rc_3pid_validation")
        self._gate.limit(address, "rc_3pid_validation")


def _add_pages(bp: Blueprint, validation: Validation, templates: Templates, gate: Gate) -> None:
    path = "/_matrix/client/unstable/<purpose>/email/submit_token"

    def submitted(purpose: Purpose, fields: Mapping[str, str]) -> Response:
        try:
            next_link = validation.submit(
                purpose, fields.get("sid", ""), fields.get("client_secret", ""), fields.get("token", "")
            )
        except MatrixError as error:
            return page_reply(templates.render(f"{purpose.value}_failure.html", failure_reason=error.sentence), 400)
        reply = page_reply(templates.render(f"{purpose.value}_success.html"))
        if next_link is not None:
            reply.status_code = 302
            reply.headers["Location"] = next_link
        return reply

    @bp.get(path)
    def get_submit(purpose: str) -> ResponseReturnValue:
        """What the link in a mail leads to; a new password is asked about once more, as programs follow links, too."""
        gate.limit(client_address(request), "rc_registration_token_validity")
        wanted, fields = _purpose(purpose), request.args.to_dict()
        if wanted is not Purpose.RESET:
            return submitted(wanted, fields)
        given = {key: fields.get(key, "") for key in ("sid", "client_secret", "token")}
        try:
            validation.peek(wanted, **given)
        except MatrixError as error:
            return page_reply(templates.render("password_reset_failure.html", failure_reason=error.sentence), 400)
        return page_reply(templates.render("password_reset_confirmation.html", **given))

    @bp.post(path)
    def post_submit(purpose: str) -> ResponseReturnValue:
        """The answer to that page, or a client that submits the token itself."""
        gate.limit(client_address(request), "rc_registration_token_validity")
        wanted = _purpose(purpose)
        body = read_body(request, MAX_FORM_BYTES).decode("utf-8", "replace")
        return submitted(wanted, {**request.args.to_dict(), **dict(parse_qsl(body, max_num_fields=10))})


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError as error:
        raise BadRequest("There is no such validation.", errcode="M_UNRECOGNIZED") from error
