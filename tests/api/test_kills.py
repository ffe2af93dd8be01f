"""kill -9 under load: what a client was told is there, no room is unusable, no token or id is given twice."""

import random
import threading
import time

import pytest
import requests

from tests.servers.trellis import Server

LIVES = 4
SENDERS = 4


class Sender(threading.Thread):
    """Sends to one room until the server dies; remembers what was acknowledged."""

    def __init__(self, user, room, acknowledged):
        super().__init__(daemon=True)
        self.user, self.room, self.acknowledged, self.tokens = user, room, acknowledged, []

    def run(self):
        """Send, and sync between sends, as fast as the server answers."""
        try:
            while True:
                self.acknowledged.append(self.user.send(self.room, f"{self.ident} {time.monotonic_ns()}"))
                self.tokens.append(self.user.sync(filter='{"room":{"timeline":{"limit":1}}}')["next_batch"])
        except (requests.RequestException, ValueError):
            pass


def history(user, room):
    found, token = [], None
    while True:
        page = user.get(f"/v3/rooms/{room}/messages", dir="b", limit=500, **({"from": token} if token else {}))
        found += [event["event_id"] for event in page["chunk"]]
        token = page.get("end")
        if token is None:
            return found


def check_lives(server, lives):
    server.start()
    users = [server.register() for _ in range(SENDERS)]
    rooms = [users[0].create_room(preset="public_chat") for _ in range(2)]
    for user in users[1:]:
        for room in rooms:
            user.join(room)
    acknowledged = [[] for _ in rooms]
    positions = set()
    for _ in range(lives):
        senders = [Sender(user, rooms[n % 2], acknowledged[n % 2]) for n, user in enumerate(users)]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0.05, 0.6))  # the moment of death is the point, not a wait for something
        server.kill()
        for sender in senders:
            sender.join()
        server.start()
        newest = max((int(t[1:].partition("_")[0]) for s in senders for t in s.tokens), default=0)
        fresh = int(users[0].sync()["next_batch"][1:].partition("_")[0])
        assert fresh >= newest, "a position was given out that is not there any more"
        assert fresh not in positions
        positions.add(fresh)
        for room in rooms:
            users[0].send(room, "still usable")
    for room, sent in zip(rooms, acknowledged, strict=True):
        found = history(users[0], room)
        assert set(sent) <= set(found), "an acknowledged event is lost"
        assert len(found) == len(set(found))
    assert sum(map(len, acknowledged)) > lives


def test_a_server_that_is_killed_loses_nothing(tmp_path):
    server = Server(tmp_path)
    try:
        check_lives(server, LIVES)
    finally:
        server.kill()


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_server_that_is_killed_a_hundred_times_loses_nothing(tmp_path):
    server = Server(tmp_path)
    try:
        check_lives(server, 100)
    finally:
        server.kill()
