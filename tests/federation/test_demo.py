"""The demo: three servers come up, their users talk to one another, and the servers end again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.servers.trellis import free_port

DEMO = Path(__file__).parents[2] / "contrib" / "demo"


def _is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The running demo: its folder and first port."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port(following=2)
    env = {**os.environ, "DEMO_DIR": str(folder), "DEMO_PORT": str(port), "PYTHON": sys.executable}
    started = subprocess.run([DEMO / "start.sh"], env=env, capture_output=True, text=True, timeout=60)
    try:
        assert started.returncode == 0, started.stderr
        yield folder, port
    finally:
        subprocess.run([DEMO / "stop.sh"], env=env, check=True, capture_output=True, timeout=60)
    assert not list(folder.glob("*/pid"))
    assert all(_is_free(port + number) for number in range(3))


class Person:
    """A user of one of the demo's servers, registered as anybody could."""

    def __init__(self, folder, port, name):
        self.session = requests.Session()
        self.session.trust_env, self.session.verify = False, str(folder / "ca.crt")
        self.base = f"https://localhost:{port}/_matrix/client/v3"
        body = {"username": name, "password": "a long one", "auth": {"type": "m.login.dummy"}}
        answer = self.session.post(f"{self.base}/register", json=body, timeout=30).json()
        self.user_id = answer["user_id"]
        self.session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def ask(self, method, path, body=None):
        answer = self.session.request(method, self.base + path, json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def hears(self, room, body):
        """Wait for a message."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            chunk = self.ask("GET", f"/rooms/{quote(room)}/messages?dir=b&limit=20")["chunk"]
            if body in [event["content"].get("body") for event in chunk]:
                return True
            time.sleep(0.1)
        return False


def test_users_of_three_servers_talk_in_one_room(demo):
    folder, port = demo
    people = [Person(folder, port + number, name) for number, name in enumerate(("anna", "ben", "cleo"))]
    anna = people[0]
    room = anna.ask("POST", "/createRoom", {"preset": "public_chat", "room_alias_name": "demo"})["room_id"]
    for one in people[1:]:
        one.ask("POST", f"/join/{quote('#demo:localhost:' + str(port), safe='')}", {})
    for number, one in enumerate(people):
        one.ask("PUT", f"/rooms/{quote(room)}/send/m.room.message/{number}", {"msgtype": "m.text", "body": one.user_id})
    assert all(listener.hears(room, speaker.user_id) for listener in people for speaker in people)
