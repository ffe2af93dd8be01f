"""Views that are answered in front of Flask.

Finding one of several hundred routes and making Flask's contexts costs more than all the rest of the cheapest requests,
and clients send those all the time: a sync that has nothing to tell, most of all. A view that is handed the request and
sits at a path without parameters needs neither, so the edge calls it itself.

Nothing is decided twice: gate, errors, CORS, counting and logging are those of every other view. Flask has the view, too,
and answers whatever is not spelled exactly like its path: HEAD, a slash at the end, an encoded letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request

from core.web.errors import reply_to
from core.web.replies import json_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

DirectView = Callable[[Request], bytes]
"""From the request to JSON that is ready; raises like every other view."""


class direct:
    """Marks a view that needs nothing of Flask. Put it below the route:

    @bp.get("/_matrix/client/v3/account/whoami")
    @direct
    def get_whoami(asked: Request) -> bytes: ...
    """

    __name__: str

    def __init__(self, view: DirectView) -> None:
        self.view = view
        update_wrapper(self, view)

    def __call__(self) -> Response:
        """The answer, where Flask calls."""
        return json_reply(self.view(request))


class DirectViews:
    """The direct views of an application."""

    def __init__(self, flask: Flask) -> None:
        self._views: dict[tuple[str, str], tuple[str, DirectView]] = {}
        for rule in flask.url_map.iter_rules():
            marked = flask.view_functions[rule.endpoint]
            if isinstance(marked, direct) and not rule.arguments:
                for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                    self._views[method, rule.rule] = rule.endpoint, marked.view

    def find(self, method: str, path: str) -> tuple[str, DirectView] | None:
        """(the endpoint's name, the view) at exactly this path, if there is one."""
        return self._views.get((method, path))


def answer(view: DirectView, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
    """PEP 3333: the answer of a direct view, or the one to what it raised."""
    asked = Request(environ)
    try:
        body = view(asked)
    except Exception as error:
        return reply_to(error, asked)(environ, start)
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return (body,)
