"""Fallback pages: stages of interactive authentication completed in a browser, for clients that do not know them.

Spec: Client-Server API, "Fallback".
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core.accounts.interactive_auth import InteractiveAuth
from core.errors import LimitExceeded, MatrixError, NotFound
from core.web.gate import Gate, client_address
from core.web.json_body import read_body
from core.web.replies import page_reply

MAX_FORM_BYTES = 8_192

_FIELDS: Mapping[str, str] = {
    "m.login.dummy": "",
    "m.login.registration_token": '<label>Registration token <input name="token" required autocomplete="off"></label>',
}
"""The form's own field, for each stage that has a page here."""

_DONE_SCRIPT = (
    "if (window.onAuthDone) { window.onAuthDone(); } "
    'else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }'
)
_DONE_HASH = base64.b64encode(hashlib.sha256(_DONE_SCRIPT.encode()).digest()).decode()


def blueprint(interactive: InteractiveAuth, gate: Gate) -> Blueprint:
    """The pages of the core's stages."""
    bp = Blueprint("client_auth_fallback", __name__)
    path = "/_matrix/client/v3/auth/<stage>/fallback/web"

    @bp.get(path)
    def get_page(stage: str) -> ResponseReturnValue:
        """The form."""
        return page_reply(_form(stage, request.args.get("session", "")))

    @bp.post(path)
    def post_page(stage: str) -> ResponseReturnValue:
        """Complete the stage, or show the form again with what was wrong."""
        gate.limit(client_address(request), "rc_registration_token_validity")
        body = read_body(request, MAX_FORM_BYTES).decode("utf-8", "replace")
        fields = dict(parse_qsl(body, max_num_fields=10))
        session = fields.pop("session", "")
        page = _form(stage, session)
        try:
            interactive.complete(session, stage, {**fields, "type": stage})
        except LimitExceeded:
            raise
        except MatrixError as error:
            notice = f'<p role="alert">{html.escape(error.sentence)}</p>'
            return page_reply(page.replace("<form", f"{notice}<form", 1), error.status)
        return _done_page()

    return bp


def _form(stage: str, session: str) -> str:
    if stage not in _FIELDS:
        raise NotFound("There is no page for this stage of authentication.")
    return _page(
        f'<form method="post"><input type="hidden" name="session" value="{html.escape(session)}">'
        f"{_FIELDS[stage]} <button>Continue</button></form>"
    )


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
