"""Memory while large files come and go: as much as a few pieces of them, whatever their size."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.api.client.media_client import MediaUser
from tests.servers.trellis import Server

MIB = 1_048_576
DOWNLOADS = 20
MOST_GROWTH_MIB = 40


def resident_mib(server: Server) -> float:
    """The memory of the server's largest process."""
    group, sizes = str(server.process.pid), [0.0]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "stat").read_text().rpartition(")")[2].split()[2] == group:
                sizes.append(int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB)
        except OSError:  # it has ended meanwhile
            continue
    return max(sizes)


class Endless:
    """A body of some size that nobody holds whole; `on_piece` is told how many bytes were taken."""

    def __init__(self, size: int, on_piece: Callable[[int], None]) -> None:
        self._size, self._taken, self._on_piece, self._piece = size, 0, on_piece, os.urandom(65_536)

    def __len__(self) -> int:
        return self._size

    def read(self, count: int = -1) -> bytes:
        """The next bytes."""
        piece = self._piece[: min(count if count > 0 else 65_536, self._size - self._taken)]
        self._taken += len(piece)
        self._on_piece(self._taken)
        return piece


def download(user: MediaUser, where: str, got: list[int]) -> None:
    """Read a file without keeping it."""
    with user.download(where, stream=True) as answer:
        got.append(sum(map(len, answer.iter_content(65_536))))


@pytest.mark.parametrize("size_mib", [96, pytest.param(1024, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_a_large_upload_and_twenty_downloads_take_no_memory_of_their_size(tmp_path, size_mib):
    server = Server(tmp_path, max_upload_size="1100M")
    try:
        media = MediaUser(server.start().register())
        where = media.upload(os.urandom(24 * MIB), "video/mp4")
        media.download(where)
        before, got, highest = resident_mib(server), [], 0.0
        threads = [
            threading.Thread(target=download, args=(MediaUser(media.user), where, got)) for _ in range(DOWNLOADS)
        ]

        def watch(taken: int) -> None:
            nonlocal highest
            if taken >= size_mib * MIB // 4 and threads[0].ident is None:
                for thread in threads:
                    thread.start()
            if taken % (8 * MIB) == 0:
                highest = max(highest, resident_mib(server))

        url, headers = f"{server.base}/_matrix/media/v3/upload", dict(media._session.headers)
        answer = requests.post(url, data=Endless(size_mib * MIB, watch), headers=headers, timeout=500)
        for thread in threads:
            thread.join()
        assert (answer.status_code, got) == (200, [24 * MIB] * DOWNLOADS)
        growth = max(highest, resident_mib(server)) - before
        assert growth < MOST_GROWTH_MIB
    finally:
        server.stop()
