"""The app factory: blueprints in, one WSGI application out.

Flask does routing and dispatch; sessions, cookies, static files, templates and redirects are not used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Blueprint

from core.web.edge import Edge
from core.web.errors import answer_errors
from core.web.routing import Router
from core.web.settings import WebSettings

if TYPE_CHECKING:
    from core.web.request_metrics import RequestMetrics


def create_app(blueprints: Iterable[Blueprint], settings: WebSettings, metrics: RequestMetrics | None = None) -> Edge:
    """The application that serves `blueprints`."""
    router = Router("core")
    answer_errors(router)
    for blueprint in blueprints:
        router.register_blueprint(blueprint)
    return Edge(router, settings, metrics)
