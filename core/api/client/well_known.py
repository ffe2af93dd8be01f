"""The `/.well-known/matrix/` documents: where clients, servers and people in need of help turn to.

Each is served only where the configuration has what it says. Spec: Client-Server API, "Well-known URIs" and "Server
administrator contact"; Server-Server API, "Resolving server names".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Blueprint
from flask.typing import ResponseReturnValue

from core.errors import NotFound
from core.ids import ServerName
from core.web.replies import json_reply


@dataclass(frozen=True, slots=True)
class WellKnown:
    """What the documents say; a part that is empty is not served."""

    server_name: ServerName
    public_baseurl: str = ""
    """Where clients reach this server: `https://matrix.example.org/`."""
    extra_client_content: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the client document; `m.homeserver` among them is ignored."""
    serves_server_document: bool = False
    """Whether other servers are sent to port 443 of the server name."""
    support: Mapping[str, Any] = field(default_factory=dict)
    """The support document as it is: `contacts`, `support_page`."""


def blueprint(well_known: WellKnown) -> Blueprint:
    """The well-known documents, encoded once."""
    bp = Blueprint("client_well_known", __name__)
    client, server, support = _client_document(well_known), _server_document(well_known), _encoded(well_known.support)

    @bp.get("/.well-known/matrix/client")
    def get_client_document() -> ResponseReturnValue:
        """Where clients find the homeserver of this domain."""
        return json_reply(_served(client))

    @bp.get("/.well-known/matrix/server")
    def get_server_document() -> ResponseReturnValue:
        """Where other servers find the homeserver of this domain."""
        return json_reply(_served(server))

    @bp.get("/.well-known/matrix/support")
    def get_support_document() -> ResponseReturnValue:
        """Whom to ask about this homeserver."""
        return json_reply(_served(support))

    return bp


def _client_document(well_known: WellKnown) -> bytes | None:
    if not well_known.public_baseurl:
        return None
    homeserver = {"base_url": well_known.public_baseurl}
    return _encoded({**well_known.extra_client_content, "m.homeserver": homeserver})


def _server_document(well_known: WellKnown) -> bytes | None:
    if not well_known.serves_server_document:
        return None
    host = well_known.server_name
    has_port = not host.endswith("]") and ":" in host.rpartition("]")[2]
    return _encoded({"m.server": f"{host.rpartition(':')[0] if has_port else host}:443"})


def _encoded(document: Mapping[str, Any]) -> bytes | None:
    return orjson.dumps(dict(document)) if document else None


def _served(document: bytes | None) -> bytes:
    if document is None:
        raise NotFound("This document is not configured here.")
    return document
