"""The page that the last link in a mail about missed messages leads to, and the one click of mail programs (RFC 8058)."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.mail.templates import Templates
from core.push.mailing.unsubscribing import Unsubscribing
from core.web.gate import Gate, client_address
from core.web.replies import page_reply


def blueprint(unsubscribing: Unsubscribing, templates: Templates, gate: Gate) -> Blueprint:
    """Asks first, as programs that check mails follow links, too; a POST is the answer."""
    bp = Blueprint("client_unsubscribe", __name__)

    def given() -> tuple[str, str, str]:
        gate.limit(client_address(request), "rc_registration_token_validity")
        user_id, address, mac = (request.args.get(key, "") for key in ("user", "pushkey", "h"))
        return user_id, address, mac

    @bp.get("/_synapse/client/unsubscribe")
    def get_unsubscribe() -> ResponseReturnValue:
        """The question."""
        user_id, address, mac = given()
        unsubscribing.check(user_id, address, mac)
        return page_reply(templates.render("unsubscribe.html", address=address))

    @bp.post("/_synapse/client/unsubscribe")
    def post_unsubscribe() -> ResponseReturnValue:
        """The answer."""
        user_id, address, mac = given()
        unsubscribing.end(user_id, address, mac)
        return page_reply(templates.render("unsubscribed.html", address=address))

    return bp
