"""`/versions` says what it was told, and no more."""

from __future__ import annotations

from werkzeug.test import Client

from core.api.client.versions import SupportedFeatures, blueprint
from core.web.factory import create_app
from core.web.settings import WebSettings


def test_versions_lists_what_is_served() -> None:
    features = SupportedFeatures(("v1.11", "v1.12"), {"org.matrix.msc1": True, "org.matrix.msc2": False})
    client = Client(create_app([blueprint(features)], WebSettings()))
    assert client.get("/_matrix/client/versions").json == {
        "versions": ["v1.11", "v1.12"],
        "unstable_features": {"org.matrix.msc1": True, "org.matrix.msc2": False},
    }


def test_versions_asks_for_no_token_and_minds_no_wrong_one() -> None:
    client = Client(create_app([blueprint(SupportedFeatures(("v1.11",)))], WebSettings()))
    reply = client.get("/_matrix/client/versions", headers={"Authorization": "Bearer stale"})
    assert reply.json == {"versions": ["v1.11"], "unstable_features": {}}
