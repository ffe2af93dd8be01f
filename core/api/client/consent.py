"""The pages about the server's terms: read by anybody, accepted by a user who came with a link made for them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.accounts.terms import Terms
from core.errors import InvalidParam, NotFound, Unavailable
from core.ids import ServerName, UserId
from core.mail.templates import consent_pages
from core.web.json_body import read_body
from core.web.replies import page_reply

MAX_FORM_BYTES = 8_192


def blueprint(terms: Terms, server_name: ServerName) -> Blueprint:
    """The pages, from the administrator's own templates: `<template_dir>/en/<version>.html` and `success.html`."""
    bp = Blueprint("client_consent", __name__)
    pages = consent_pages(Path(terms.folder) / "en") if terms.folder else None

    def rendered(name: str, **variables: object) -> str:
        if pages is None or not terms.is_in_force:
            raise NotFound("This server has no terms.")
        from jinja2 import TemplateError, TemplateNotFound

        try:
            return pages.get_template(f"{name}.html").render(**variables)
        except TemplateNotFound as error:
            raise NotFound("There is no such version of the terms.") from error
        except TemplateError as error:
            raise Unavailable("The terms cannot be shown at present.") from error

    def checked(version: str) -> str:
        if not version or not all(c.isalnum() or c in "._-" for c in version) or ".." in version:
            raise InvalidParam("'v' is no version of the terms.")
        return version

    def user_of(localpart: str) -> UserId:
        return UserId(f"@{localpart}:{server_name}")

    @bp.get("/_matrix/consent")
    def get_terms() -> ResponseReturnValue:
        """The terms, with a button where the link is a user's."""
        arguments = request.args
        version, localpart, mac = checked(arguments.get("v", terms.version)), arguments.get("u"), arguments.get("h", "")
        accepted = False
        if localpart is not None:
            terms.check_mac(localpart, mac)
            accepted = terms.accepted_by(user_of(localpart)) == version
        variables = {
            "user": localpart or "",
            "userhmac": mac,
            "version": version,
            "has_consented": accepted,
            "public_version": localpart is None,
        }
        return page_reply(rendered(version, **variables))

    @bp.post("/_matrix/consent")
    def post_terms() -> ResponseReturnValue:
        """Accept."""
        fields = dict(parse_qsl(read_body(request, MAX_FORM_BYTES).decode("utf-8", "replace"), max_num_fields=10))
        version, localpart = checked(fields.get("v", "")), fields.get("u", "")
        terms.check_mac(localpart, fields.get("h", ""))
        page = rendered("success")
        terms.accept(user_of(localpart), version)
        return page_reply(page)

    return bp
