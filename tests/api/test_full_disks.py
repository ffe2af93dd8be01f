"""The real server on a disk that is full: a small file system in memory, seen by the server's processes alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.trellis import Refused, Server, User
from tests.services import lacking

MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'


class SmallDisk(Server):
    """A server whose data folder is a file system of its own, of `size` bytes."""

    size = "64m"

    def command(self) -> list[str]:
        """How it is run: in a mount namespace."""
        return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", self.size, str(self.folder / "data"), *super().command()]

    def data(self) -> Path:
        """Its data folder, as its processes see it."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.folder / 'data'}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmallDisk]:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        lacking("file systems cannot be mounted here")
    data = tmp_path / "data"
    data.mkdir()
    server = SmallDisk(
        tmp_path,
        {"name": "sqlite3", "args": {"database": str(data / "hs.db")}},
        media_store_path=str(data / "media"),
        data_dir=str(data),
        signing_key_path=str(tmp_path / "signing.key"),
        log_file=str(tmp_path / "homeserver.log"),
    )
    yield server
    server.stop()


@pytest.mark.parametrize("size", ["4k", "64k", "700k"])
def test_a_start_without_room_for_the_database_ends_with_a_sentence(server: SmallDisk, size: str) -> None:
    server.size = size
    with pytest.raises(AssertionError, match="the server did not start"):
        server.start()
    assert server.process is not None
    assert server.process.returncode in {2, 3}
    assert any(words in server.output() for words in ("No space left on device", "disk is full", "disk I/O error"))
    assert "Traceback" not in server.output()


def fill(disk: Path) -> Path:
    """Leave no room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def send_until_refused(user: User, room: str) -> None:
    for _ in range(200):
        user.send(room, "x" * 30_000)


def test_a_disk_that_fills_up_refuses_writes_and_serves_reads_until_there_is_room(server: SmallDisk) -> None:
    server.start()
    alice = server.register()
    room = alice.create_room()
    alice.send(room, "before")
    filler = fill(server.data())
    with pytest.raises(Refused) as refused:
        send_until_refused(alice, room)
    assert refused.value.status == 503
    assert "disk is full" in refused.value.body["error"]
    assert alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=1)["chunk"]
    assert alice.sync()["rooms"]["join"][room]
    os.unlink(filler)
    assert alice.send(room, "after")
