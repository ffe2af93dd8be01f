"""The app factory: blueprints in, one WSGI application out.

Flask does routing and dispatch; sessions, cookies, static files, templates and redirects are not used.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Flask, Request
from werkzeug.routing import MapAdapter

from core.web.edge import Edge
from core.web.errors import answer_errors
from core.web.paths import RestConverter, SegmentConverter
from core.web.request_metrics import RequestMetrics
from core.web.settings import WebSettings


class _Router(Flask):
    """Flask that routes on the raw path the edge prepared, whatever the Host header says."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes to the request. Flask's own parses and may refuse the Host header first."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(self.url_map, "", "/", "", "http", environ["PATH_INFO"], environ["REQUEST_METHOD"])


def create_app(blueprints: Iterable[Blueprint], settings: WebSettings, metrics: RequestMetrics | None = None) -> Edge:
    """The application that serves `blueprints`.

    Path parameters arrive decoded, and may contain slashes where the client encoded them; a slash at the end of a path
    makes no difference.
    """
    flask = _Router("core", static_folder=None, template_folder=None)
    flask.url_map.strict_slashes = False
    flask.url_map.merge_slashes = False
    flask.url_map.redirect_defaults = False
    for name in ("default", "string"):
        flask.url_map.converters[name] = SegmentConverter
    flask.url_map.converters["path"] = RestConverter
    flask.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    answer_errors(flask)
    for blueprint in blueprints:
        flask.register_blueprint(blueprint)
    return Edge(flask, settings, metrics)
