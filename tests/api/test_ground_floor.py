"""What a server answers before anybody has an account: health, metrics, the landing page."""

from __future__ import annotations

import pytest
from prometheus_client import Counter
from werkzeug.test import Client

from core.api import health, landing, metrics
from core.ids import ServerName
from core.web.factory import create_app
from core.web.settings import DEFAULT_RESOURCES, ListenerSettings, WebSettings


@pytest.fixture
def blueprints():
    registry = metrics.metrics_registry()
    Counter("trellis_test", "Counts nothing.", registry=registry).inc(3)
    return [health.blueprint(), metrics.blueprint(registry), landing.blueprint(ServerName("example.org"))]


def serving(blueprints, resources) -> Client:
    settings = WebSettings(default_listener=ListenerSettings(resources=resources))
    return Client(create_app(blueprints, settings))


def test_health_is_ok(blueprints) -> None:
    reply = serving(blueprints, DEFAULT_RESOURCES).get("/health")
    assert (reply.status_code, reply.text) == (200, "OK")


@pytest.mark.parametrize("path", ["/metrics", "/_synapse/metrics"])
def test_metrics_are_served_where_the_listener_offers_them(blueprints, path: str) -> None:
    text = serving(blueprints, frozenset({"metrics"})).get(path).text
    assert "trellis_test_total 3.0" in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("path", ["/metrics", "/_synapse/metrics"])
def test_metrics_are_not_served_to_the_world(blueprints, path: str) -> None:
    assert serving(blueprints, DEFAULT_RESOURCES).get(path).json["errcode"] == "M_UNRECOGNIZED"


def test_the_root_leads_to_the_web_client_where_one_is_named() -> None:
    app = create_app([landing.blueprint(ServerName("example.org"), "https://chat.example.org/")], WebSettings())
    answer = Client(app).get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://chat.example.org/")


def test_the_landing_page_names_the_server_and_loads_nothing(blueprints) -> None:
    reply = serving(blueprints, DEFAULT_RESOURCES).get("/")
    assert "example.org" in reply.text
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "src=" not in reply.text
    assert "href=" not in reply.text
