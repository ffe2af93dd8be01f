"""Routes that are only ever matched: on the raw path, whatever the Host header says.

Werkzeug also compiles, for each rule, two functions that build its URL. Nobody builds URLs of ours, and for all our
rules they are a sixth of the time until the first answer and 3 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter, Rule

from core.web.paths import RestConverter, SegmentConverter


class MatchedRule(Rule):
    """A rule that is matched and never built."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        """Werkzeug's own; where that has another name one day, rules just cost what they cost it."""
        return _cannot_build


class Router(Flask):
    """Flask with our routes: path parameters arrive decoded, a slash at the end of a path makes no difference."""

    url_rule_class = MatchedRule

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None, template_folder=None)
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.url_map.redirect_defaults = False
        self.url_map.converters.update(default=SegmentConverter, string=SegmentConverter, path=RestConverter)
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes to the request. Flask's own parses and may refuse the Host header first."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(self.url_map, "", "/", "", "http", environ["PATH_INFO"], environ["REQUEST_METHOD"])


def _cannot_build(rule: Rule, *args: Any, **kwargs: Any) -> tuple[str, str]:
    raise NotImplementedError(f"The URL of {rule.rule} cannot be built: routes here are only matched.")
