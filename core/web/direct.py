"""Views that are answered in front of Flask.

Finding one of several hundred routes and making Flask's contexts costs more than all the rest of the cheapest requests,
and clients send those all the time: a sync that has nothing to tell, most of all. A view that is handed the request
needs neither, so the edge calls it itself.

Nothing is decided twice: gate, errors, CORS, counting and logging are those of every other view. Flask has the view, too,
and answers whatever is not spelled exactly like its path: HEAD, a slash at the end, an encoded letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Request, Response, request

from core.web.errors import reply_to
from core.web.paths import decode_segment
from core.web.replies import json_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

DirectView = Callable[..., bytes]
"""From the request, and the decoded parameters of its path, to JSON that is ready; raises like every other view."""


class direct:
    """Marks a view that needs nothing of Flask. Put it below the route:

    @bp.get("/_matrix/client/v3/rooms/<room_id>/event/<event_id>")
    @direct
    def get_one_room_event(asked: Request, room_id: str, event_id: str) -> bytes: ...
    """

    __name__: str

    def __init__(self, view: DirectView) -> None:
        self.view = view
        update_wrapper(self, view)

    def __call__(self, **parameters: str) -> Response:
        """The answer, where Flask calls."""
        return json_reply(self.view(request, **parameters))


class Found(NamedTuple):
    """A direct view, and what its path says, still encoded."""

    endpoint: str
    view: DirectView
    parameters: Mapping[str, str]


class DirectViews:
    """The direct views of an application.

    Paths with parameters are looked up segment by segment: where several views have the same number of segments, those
    that spell out a segment go before those that have a parameter there, as with Flask.
    """

    def __init__(self, flask: Flask) -> None:
        self._plain: dict[tuple[str, str], Found] = {}
        self._paths: dict[tuple[str, int], list[_Path]] = {}
        for rule in flask.url_map.iter_rules():
            marked = flask.view_functions[rule.endpoint]
            if not isinstance(marked, direct):
                continue
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                if rule.arguments:
                    path = _Path.of(rule.rule, rule.endpoint, marked.view)
                    self._paths.setdefault((method, path.length), []).append(path)
                else:
                    self._plain[method, rule.rule] = Found(rule.endpoint, marked.view, {})
        for paths in self._paths.values():
            paths.sort(key=lambda path: [text.startswith("<") for text in path.rule.split("/")])

    def find(self, method: str, path: str) -> Found | None:
        """The view at exactly this path, if there is one."""
        found = self._plain.get((method, path))
        if found is not None:
            return found
        segments = path.split("/")
        for candidate in self._paths.get((method, len(segments)), ()):
            if all(segments[at] == text for at, text in candidate.fixed):
                parameters = {name: segments[at] for at, name in candidate.parameters}
                return Found(candidate.endpoint, candidate.view, parameters) if all(parameters.values()) else None
        return None


class _Path(NamedTuple):
    """A path with parameters: (index of the segment, its text or name)."""

    rule: str
    length: int
    fixed: list[tuple[int, str]]
    parameters: list[tuple[int, str]]
    endpoint: str
    view: DirectView

    @classmethod
    def of(cls, rule: str, endpoint: str, view: DirectView) -> _Path:
        segments = rule.split("/")
        fixed = [(at, text) for at, text in enumerate(segments) if not text.startswith("<")]
        fixed.sort(key=lambda entry: entry[0], reverse=True)  # the last ones differ most
        parameters = [(at, text[1:-1]) for at, text in enumerate(segments) if text.startswith("<")]
        if any(":" in name for _, name in parameters):
            raise ValueError(f"{rule}: a direct view takes whole segments only.")
        return cls(rule, len(segments), fixed, parameters, endpoint, view)


def answer(found: Found, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
    """PEP 3333: the answer of a direct view, or the one to what it raised."""
    asked = Request(environ)
    try:
        body = found.view(asked, **{name: decode_segment(text) for name, text in found.parameters.items()})
    except Exception as error:
        return reply_to(error, asked)(environ, start)
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return (body,)
