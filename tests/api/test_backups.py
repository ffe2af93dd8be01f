"""A backup made as the guide says, while the server runs, and put back in its place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.trellis import ROOT, Server


def backed_up(folder: Path) -> Path:
    """Run the command of docs/admin/operations.md on this data folder; the copy."""
    guide = (ROOT / "docs/admin/operations.md").read_text()
    code = re.search(r'python3 -c "(import sqlite3.*)"$', guide, re.M)
    assert code is not None
    (folder / "backup").mkdir()
    program = code[1].replace("\\", "").replace("data/homeserver.db", "hs.db").replace("homeserver.db", "hs.db")
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
    return folder / "backup/hs.db"


@pytest.fixture
def server(tmp_path: Path):
    server = Server(tmp_path).start()
    yield server
    server.stop()


def test_a_restored_backup_serves_and_a_token_of_the_lost_time_is_a_first_sync(server: Server, tmp_path: Path) -> None:
    alice = server.register()
    room = alice.create_room()
    kept = alice.send(room, "kept")
    before = alice.sync()["next_batch"]
    copy = backed_up(tmp_path)
    lost = alice.send(room, "lost")
    after = alice.sync(before)["next_batch"]
    assert server.stop() == 0
    for name in ("hs.db", "hs.db-wal", "hs.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    copy.rename(tmp_path / "hs.db")
    server.start()
    new = alice.send(room, "new")
    started_over = alice.sync(after)["rooms"]["join"][room]["timeline"]["events"]
    assert [event["event_id"] for event in started_over][-2:] == [kept, new]
    went_on = alice.sync(before)["rooms"]["join"][room]["timeline"]["events"]
    assert [event["event_id"] for event in went_on] == [new]
    history = alice.get(f"/v3/rooms/{room}/messages", dir="b", limit=10)["chunk"]
    assert [event["event_id"] for event in history][:2] == [new, kept]
    assert lost not in {event["event_id"] for event in history}
