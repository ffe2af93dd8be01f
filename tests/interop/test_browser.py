"""A browser plays a film from the homeserver and jumps about in it, with an access token, as web clients do."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from tests.interop.films import color_of, film
from tests.services import program, start, stop

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 24
SEEN_AT = (20.5, 3.5, 12.5)
PATIENCE_SECONDS = 90
"""Within which a browser that shares its processors has long started, and said what it saw."""


class Pages(SimpleHTTPRequestHandler):
    """Serves the page and its worker, and keeps what they tell."""

    told: queue.Queue[tuple[str, dict]]

    def do_POST(self) -> None:
        """Keep it, under the last part of its path."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.put((self.path.rpartition("/")[2], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def pages() -> Iterator[tuple[str, queue.Queue[tuple[str, dict]]]]:
    """The base URL of the page, and what it tells."""
    told: queue.Queue[tuple[str, dict]] = queue.Queue()
    handler = type("PagesOfThisTest", (Pages,), {"told": told})
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(Path(__file__).parent / "browser"))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()


@pytest.fixture
def browse(tmp_path) -> Iterator[Callable[[str], None]]:
    """Open a page in a browser without a window, which is closed after the test."""
    browser = program(*BROWSERS)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
    with ExitStack() as closing:

        def open_page(url: str) -> None:
            command = [browser, *flags, f"--user-data-dir={tmp_path / 'profile'}", url]
            closing.callback(stop, start(command, tmp_path / "browser.log"))

        yield open_page


def test_a_browser_plays_a_film_from_wherever_it_is_told_to(server, browse, pages):
    page, told = pages
    alice, content = server.register(), film(SECONDS)
    mxc = requests.post(
        f"{server.base}/_matrix/media/v3/upload",
        data=content,
        headers={"Authorization": f"Bearer {alice.token}", "Content-Type": "video/webm"},
        timeout=30,
    ).json()["content_uri"]
    film_url = f"{server.base}/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
    browse(f"{page}/page.html?" + urlencode({"token": alice.token, "film": film_url, "second": SEEN_AT}, doseq=True))
    asked = []
    while (found := told.get(timeout=PATIENCE_SECONDS))[0] == "range":
        asked.append(found[1])
    seen = found[1]
    assert "error" not in seen, seen
    assert seen["duration"] == pytest.approx(SECONDS)
    assert seen["played"] >= 0.5
    for at, frame in zip(SEEN_AT, seen["seen"], strict=True):
        assert frame["at"] == pytest.approx(at)
        assert frame["color"] == pytest.approx(color_of(int(at)), abs=40)
    assert {one["status"] for one in asked} == {206}
    starts = [int(one["range"].removeprefix("bytes=").partition("-")[0]) for one in asked]
    assert max(starts) > len(content) / 2, "it asked for the end before it had the beginning"
