"""Killing the server while files come in: what was answered stays, what was not leaves nothing."""

from __future__ import annotations

import os
import sqlite3
import threading

import pytest
import requests

from tests.api.client.media_client import MediaUser
from tests.servers.trellis import Server


def _upload_until_killed(media: MediaUser, answered: dict[str, bytes], has_some: threading.Event) -> None:
    while True:
        content = os.urandom(200_000)
        try:
            answered[media.upload(content, "application/zip")] = content
        except requests.RequestException:
            return
        if len(answered) >= 6:
            has_some.set()


@pytest.mark.timeout(90)
def test_a_kill_during_uploads_leaves_neither_orphans_nor_lost_files(tmp_path):
    server = Server(tmp_path)
    server.start()
    try:
        media, answered, has_some = MediaUser(server.register()), {}, threading.Event()
        uploaders = [
            threading.Thread(target=_upload_until_killed, args=(MediaUser(media.user), answered, has_some))
            for _ in range(4)
        ]
        for uploader in uploaders:
            uploader.start()
        assert has_some.wait(30)
        server.kill()
        for uploader in uploaders:
            uploader.join()
        server.start()
        assert all(media.download(where).content == content for where, content in answered.items())
        files = [path for path in (tmp_path / "media/files").rglob("*") if path.is_file()]
        entered = media_files_of(tmp_path / "hs.db")
        assert {path.name for path in files} == entered
        assert list((tmp_path / "media/incoming").iterdir()) == []
    finally:
        server.stop()


def media_files_of(database) -> set[str]:
    """The files that the database knows."""
    connection = sqlite3.connect(database)
    try:
        return {name for (name,) in connection.execute("SELECT file_id FROM media_files")}
    finally:
        connection.close()
