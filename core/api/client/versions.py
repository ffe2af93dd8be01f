"""`/_matrix/client/versions`: which releases of the specification and which unstable features are served.

Clients switch features on by this list, so it says only what is true. Spec: Client-Server API, "API Versions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from flask import Blueprint, Request

from core.web.direct import direct


@dataclass(frozen=True, slots=True)
class SupportedFeatures:
    """What this deployment serves, collected by the composition root from the services it built."""

    versions: tuple[str, ...]
    """Releases of the specification, oldest first, such as "v1.11"."""
    unstable_features: Mapping[str, bool] = field(default_factory=dict)
    """Names of proposals (`org.matrix.msc3030`) and whether they are served."""


def blueprint(features: SupportedFeatures) -> Blueprint:
    """The supported versions. The answer never changes while the server runs, so it is encoded once."""
    bp = Blueprint("client_versions", __name__)
    answer = orjson.dumps({"versions": list(features.versions), "unstable_features": dict(features.unstable_features)})

    @bp.get("/_matrix/client/versions")
    @direct
    def get_versions(asked: Request) -> bytes:
        """The versions and unstable features served here."""
        return answer

    return bp
