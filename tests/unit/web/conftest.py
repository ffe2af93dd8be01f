"""An application of a few routes, and a client that speaks to it in process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Blueprint
from flask.typing import ResponseReturnValue
from werkzeug.test import Client

from core.web.factory import create_app
from core.web.settings import WebSettings

View = Callable[..., ResponseReturnValue]


@pytest.fixture(scope="session")
def client_of() -> Callable[..., Client]:
    """Make a client of an application whose views are given by path; a path may name its method: "POST /x"."""

    def make(views: dict[str, View], settings: WebSettings | None = None) -> Client:
        bp = Blueprint("test", __name__)
        for number, (route, view) in enumerate(views.items()):
            method, _, path = route.rpartition(" ")
            bp.add_url_rule(path, f"view{number}", view, methods=[method or "GET"])
        return Client(create_app([bp], settings or WebSettings()))

    return make
