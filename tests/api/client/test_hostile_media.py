"""Hostile files: nothing breaks, nobody else waits, and nothing is shown in a page of this origin."""

from __future__ import annotations

import os
import threading
import time

import pytest
import requests

from tests.api.client.hostile_files import broken, markup
from tests.api.client.media_client import MediaUser

STALL_SECONDS = 0.05
BUSY = 2 * (os.cpu_count() or 1)
"""A machine on which so many wait for a processor keeps everybody waiting, and proves nothing."""
TRIES = 5


class Watch:
    """Asks something cheap again and again; `longest` is the longest answer."""

    def __init__(self, base: str) -> None:
        self._base, self.longest, self._is_over = base, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._is_over.is_set():
                began = time.monotonic()
                assert session.get(f"{self._base}/_matrix/client/versions", timeout=20).status_code == 200
                self.longest = max(self.longest, time.monotonic() - began)
                self._is_over.wait(0.002)


@pytest.fixture
def media(alice):
    return MediaUser(alice)


@pytest.mark.parametrize(("claimed", "content"), [pytest.param(*file[1:], id=file[0]) for file in markup()])
def test_what_a_browser_could_run_is_an_attachment_in_a_sandbox(media, claimed, content):
    headers = {"Content-Type": claimed.splitlines()[0]}
    where = media.request("POST", "/media/v3/upload", data=content, headers=headers).json()["content_uri"][6:]
    answer = media.download(where)
    assert answer.content == content
    is_image = content.startswith(b"\x89PNG") and b"<script>" not in content
    assert answer.headers["Content-Disposition"].startswith("inline" if is_image else "attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'; script-src 'none';")
    assert "X-Evil" not in answer.headers
    assert media.thumbnail(where).status_code in {200, 400}


@pytest.mark.parametrize(("claimed", "content"), [pytest.param(*file[1:], id=file[0]) for file in broken()])
def test_a_file_made_to_break_decoders_neither_breaks_nor_stalls_anything(server, media, claimed, content):
    longest: list[float] = []
    for _ in range(TRIES):  # a stall of ours comes each time, one of a busy machine does not
        where = media.upload(content + os.urandom(8) if content else b"", claimed)
        with Watch(server.base) as watch:
            codes = [
                media.thumbnail(where, 96, 96, method="crop").status_code,
                media.thumbnail(where, 640, 480, animated="true").status_code,
            ]
        assert set(codes) <= {200, 400, 413}, codes
        if watch.longest < STALL_SECONDS:
            return
        if os.getloadavg()[0] < BUSY:
            longest.append(watch.longest)
    if not longest:
        pytest.skip("The machine is too busy to tell who keeps whom waiting.")
    raise AssertionError(f"others waited {', '.join(f'{seconds * 1000:.0f}' for seconds in longest)} ms")
