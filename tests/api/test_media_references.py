"""Deleting what nothing refers to, after a random history on a real server: whatever is referred to is still there."""

from __future__ import annotations

import random
import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.api.client.media_client import MediaUser, image
from tests.servers.trellis import ROOT, Server


class History:
    """Random uses of media by one user. `used` maps what refers to media to the media that it refers to."""

    def __init__(self, user, seed: int) -> None:
        self.user, self.media, self.random = user, MediaUser(user), random.Random(seed)
        self.room, self.used, self.uploads, self.number = user.create_room(), {}, {}, 0

    def upload(self) -> str:
        """A new file, sometimes with the content of an earlier one, sometimes with a thumbnail."""
        kept = list(self.uploads.values())
        fresh = image(40, 40, color=tuple(self.random.randrange(256) for _ in range(3)))
        content = self.random.choice(kept) if kept and self.random.random() < 0.2 else fresh
        where = self.media.upload(content)
        self.uploads[where] = content
        if self.random.random() < 0.3:
            self.media.thumbnail(where, 32, 32, method="crop")
        return where

    def step(self) -> None:
        """Upload something, and mostly use something."""
        where = self.upload() if self.random.random() < 0.7 or not self.uploads else self.random.choice([*self.uploads])
        use = self.random.choice(
            [self.message, self.state, self.avatar, self.account_data, self.redact, lambda _: None]
        )
        use(f"mxc://{where}")

    def message(self, uri: str) -> None:
        """A message: a picture, an encrypted file, an emoticon within a text, or something nobody thought of."""
        bodies = [
            {"msgtype": "m.image", "body": "x", "url": uri},
            {"msgtype": "m.file", "body": "x", "file": {"url": uri, "v": "v2"}},
            {"msgtype": "m.text", "body": "x", "formatted_body": f'hi <img data-mx-emoticon src="{uri}" /> there'},
            {"msgtype": "m.text", "body": "x", "org.example": [{"deep": [uri]}]},
            {"msgtype": "m.text", "body": "x", "com.beeper.linkpreviews": [{"og:image": uri}]},
        ]
        event_id = self.user.send(self.room, self.random.choice(bodies))
        self.used[event_id] = {uri}

    def state(self, uri: str) -> None:
        """An avatar of the room, or a pack of stickers."""
        kind, content = self.random.choice(
            [("m.room.avatar", {"url": uri}), ("im.ponies.room_emotes", {"images": {"a": {"url": uri}}})]
        )
        event_id = self.user.put(f"/v3/rooms/{quote(self.room)}/state/{kind}/", content)["event_id"]
        self.used[event_id] = {uri}

    def avatar(self, uri: str) -> None:
        """The user's avatar; memberships go on showing earlier ones."""
        self.user.put(f"/v3/profile/{quote(self.user.user_id)}/avatar_url", {"avatar_url": uri})
        self.used[f"avatar {uri}"] = {uri}

    def account_data(self, uri: str) -> None:
        """A pack of the user's own, in place of the one before."""
        room = f"/rooms/{quote(self.room)}" if self.random.random() < 0.5 else ""
        path = f"/v3/user/{quote(self.user.user_id)}{room}/account_data/im.ponies.user_emotes"
        self.user.put(path, {"images": {"b": {"url": uri}}})
        self.used[path] = {uri}

    def redact(self, _uri: str) -> None:
        """Redact something that was sent."""
        sent = sorted(name for name in self.used if name.startswith("$"))
        if sent:
            self.number += 1
            event_id = self.random.choice(sent)
            self.user.put(f"/v3/rooms/{quote(self.room)}/redact/{quote(event_id)}/r{self.number}", {})
            del self.used[event_id]


def purge(server) -> subprocess.CompletedProcess:
    """`hsctl media purge unreferenced`."""
    command = [sys.executable, "-m", "core.cli", "media", "purge", "unreferenced", "--older-than", "0", "-c"]
    return subprocess.run([*command, str(server.config_path)], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_what_anything_refers_to_survives_the_deletion_of_what_nothing_refers_to(tmp_path, seed):
    server = Server(tmp_path)
    history = History(server.start().register(), seed)
    try:
        for _ in range(70):
            history.step()
        server.stop()
        purged = purge(server)
        if "not looked through to the end" in purged.stderr:
            server.start()
            history.user.get("/v3/sync", timeout=1000)
            server.stop()
            purged = purge(server)
        assert purged.returncode == 0, purged.stdout + purged.stderr
        server.start()
        referred = set().union(*history.used.values())
        for where, content in history.uploads.items():
            found = history.media.download(where)
            assert (found.status_code == 200) is (f"mxc://{where}" in referred), where
            assert found.status_code == 404 or found.content == content
    finally:
        server.stop()
