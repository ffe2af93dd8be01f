"""Fallback pages: stages of interactive authentication completed in a browser, for clients that do not know them.

There is none for passwords: a page knows no user, so whoever holds a session could complete it with a password of
their own. Spec: Client-Server API, "Fallback".
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core.accounts.interactive_auth import InteractiveAuth
from core.accounts.validation import Purpose
from core.errors import LimitExceeded, MatrixError, NotFound
from core.web.gate import Gate, client_address
from core.web.json_body import read_body
from core.web.replies import page_reply

MAX_FORM_BYTES = 16_384

CAPTCHA, TERMS, EMAIL, PHONE = "m.login.recaptcha", "m.login.terms", "m.login.email.identity", "m.login.msisdn"
_FIELDS: Mapping[str, str] = {
    "m.login.dummy": "",
    "m.login.registration_token": '<label>Registration token <input name="token" required autocomplete="off"></label>',
    CAPTCHA: '<script src="https://www.recaptcha.net/recaptcha/api.js"></script>'
    '<div class="g-recaptcha" data-sitekey="{public_key}"></div>',
    TERMS: "<p>Please read and accept:</p><ul>{policies}</ul>",
    EMAIL: '<label>E-mail address <input name="email" type="email" required></label>',
    PHONE: '<input type="hidden" name="sid" value="{sid}"><input type="hidden" name="client_secret" '
    'value="{client_secret}"><p>Press the button once the number is confirmed.</p>',
}
"""The form's own fields, for each stage that has a page here."""
_SENT = (
    '<input type="hidden" name="sid" value="{sid}"><input type="hidden" name="client_secret" value="{client_secret}">'
    "<p>A mail was sent to you. Open the link in it, and then press the button.</p>"
)

_DONE_SCRIPT = (
    "if (window.onAuthDone) { window.onAuthDone(); } "
    'else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }'
)
_DONE_HASH = base64.b64encode(hashlib.sha256(_DONE_SCRIPT.encode()).digest()).decode()
_CAPTCHA_POLICY = (
    "script-src https://www.recaptcha.net https://www.gstatic.com 'unsafe-inline'; "
    "frame-src https://www.recaptcha.net; connect-src https://www.recaptcha.net; img-src https://www.gstatic.com"
)


class MailedTokens(Protocol):
    """Begins the validation of an e-mail address."""

    def request_email_token(
        self, purpose: Purpose, email: str, client_secret: str, send_attempt: int, next_link: str | None
    ) -> str: ...


def blueprint(interactive: InteractiveAuth, gate: Gate, mailed: MailedTokens | None = None) -> Blueprint:
    """The pages of the core's stages; that of e-mail, for registrations, only with `mailed`."""
    bp = Blueprint("client_auth_fallback", __name__)
    path = "/_matrix/client/v3/auth/<stage>/fallback/web"

    @bp.get(path)
    def get_page(stage: str) -> ResponseReturnValue:
        """The form."""
        fields = {key: request.args.get(key, "") for key in ("sid", "client_secret")}
        return _reply(stage, _form(stage, request.args.get("session", ""), interactive, fields))

    @bp.post(path)
    def post_page(stage: str) -> ResponseReturnValue:
        """Complete the stage, or show the form again with what was wrong."""
        gate.limit(client_address(request), "rc_registration_token_validity")
        body = read_body(request, MAX_FORM_BYTES).decode("utf-8", "replace")
        fields = dict(parse_qsl(body, max_num_fields=10))
        session = fields.pop("session", "")
        page = _form(stage, session, interactive, fields)
        try:
            if stage == EMAIL and "sid" not in fields:
                if mailed is None:
                    raise NotFound("There is no page for this stage of authentication.")
                gate.limit(client_address(request), "rc_3pid_validation")
                fields["client_secret"] = secrets.token_urlsafe(24)
                email, secret = fields.get("email", ""), fields["client_secret"]
                fields["sid"] = mailed.request_email_token(Purpose.REGISTER, email, secret, 1, None)
                return _reply(stage, _form(stage, session, interactive, fields))
            credentials = {key: fields[key] for key in ("sid", "client_secret") if key in fields}
            auth: dict[str, Any] = {**fields, "type": stage}
            interactive.complete(session, stage, {**auth, "threepid_creds": credentials} if credentials else auth)
        except LimitExceeded:
            raise
        except MatrixError as error:
            notice = f'<p role="alert">{html.escape(error.sentence)}</p>'
            return _reply(stage, page.replace("<form", f"{notice}<form", 1), error.status)
        return _done_page()

    return bp


def _form(stage: str, session: str, interactive: InteractiveAuth, fields: Mapping[str, str]) -> str:
    if stage not in _FIELDS or not interactive.offers(stage):
        raise NotFound("There is no page for this stage of authentication.")
    own = _SENT if stage == EMAIL and "client_secret" in fields and fields["client_secret"] else _FIELDS[stage]
    params = interactive.params(stage)
    values = {key: html.escape(fields.get(key, "")) for key in ("sid", "client_secret")}
    values["public_key"] = html.escape(str(params.get("public_key", "")))
    values["policies"] = "".join(_policy(policy) for policy in params.get("policies", {}).values())
    for key, value in values.items():
        own = own.replace(f"{{{key}}}", value)
    return _page(
        f'<form method="post"><input type="hidden" name="session" value="{html.escape(session)}">'
        f"{own} <button>{'I accept' if stage == TERMS else 'Continue'}</button></form>"
    )


def _policy(policy: Mapping[str, Any]) -> str:
    text: Mapping[str, str] = policy.get("en", {})
    return f'<li><a href="{html.escape(text.get("url", ""))}">{html.escape(text.get("name", ""))}</a></li>'


def _reply(stage: str, page: str, status: int = 200) -> Response:
    reply = page_reply(page, status)
    if stage == CAPTCHA:
        policy = reply.headers["Content-Security-Policy"]
        reply.headers["Content-Security-Policy"] = f"{policy}; {_CAPTCHA_POLICY}"
    return reply


def _done_page() -> Response:
    reply = page_reply(_page(f"<p>Done. You may close this window.</p><script>{_DONE_SCRIPT}</script>"))
    policy = reply.headers["Content-Security-Policy"]
    reply.headers["Content-Security-Policy"] = f"{policy}; script-src 'sha256-{_DONE_HASH}'"
    return reply


def _page(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Authentication</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body { font: 1.1em sans-serif; margin: 3em auto; max-width: 30em; padding: 0 1em }</style>"
        f"</head><body>{body}</body></html>"
    )
