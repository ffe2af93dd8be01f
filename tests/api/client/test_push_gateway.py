"""From a message to a push gateway, on a whole server: through the door to the outside, as a phone's gateway gets it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest

from tests.servers.trellis import Server

SECONDS = 20


class Gateway(ThreadingHTTPServer):
    """Hands on what it is told; rejects the pushkeys it is given."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken, self.rejected = Queue(), []
        self.url = f"http://127.0.0.1:{self.server_port}/_matrix/push/v1/notify"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def next(self, wanted):
        """The next notification of which `wanted` holds."""
        while not wanted(found := self.taken.get(timeout=SECONDS)):
            pass
        return found


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.put({"path": self.path, **json.loads(body)["notification"]})
        answer = json.dumps({"rejected": self.server.rejected}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def world(request, tmp_path_factory):
    """A server that may reach loopback, and a gateway there."""
    folder, gateway = tmp_path_factory.mktemp("pushing"), Gateway()
    config = {"ip_range_whitelist": ["127.0.0.1"], "push": {"include_content": False}}
    if request.param == "sqlite":
        server = Server(folder, **config).start()
        yield server, gateway
        server.stop()
    else:
        with request.getfixturevalue("mariadb").schema() as settings:
            args = {"unix_socket": settings.unix_socket, "user": settings.user, "database": settings.database}
            server = Server(folder, {"name": "mysql", "args": args}, **config).start()
            yield server, gateway
            server.stop()
    gateway.shutdown()
    gateway.server_close()


def set_pusher(user, gateway, key):
    names = {"app_display_name": "App", "device_display_name": "Phone", "lang": "en"}
    user.post(
        "/v3/pushers/set", {"kind": "http", "app_id": "app", "pushkey": key, "data": {"url": gateway.url}, **names}
    )


def test_a_message_reaches_the_gateway_the_badge_follows_and_a_rejected_key_ends_the_pusher(world):
    server, gateway = world
    alice, bob = server.register(), server.register()
    rooms = [alice.create_room(preset="public_chat", name=f"Room {number}") for number in range(2)]
    for room in rooms:
        bob.join(room)
    set_pusher(bob, gateway, "key")
    sent = [alice.send(room, "hello") for room in (rooms[0], rooms[0], rooms[1])]
    told = [gateway.next(lambda one, sent=event: one.get("event_id") == sent) for event in sent]
    assert {one["path"] for one in told} == {"/_matrix/push/v1/notify"}
    assert (told[0]["room_name"], told[0]["sender"], told[0]["type"]) == ("Room 0", alice.user_id, "m.room.message")
    assert "content" not in told[0]
    assert told[2]["counts"] == {"unread": 2}, "rooms, not messages"
    assert told[0]["devices"][0]["pushkey"] == "key"
    bob.post(f"/v3/rooms/{rooms[0]}/receipt/m.read/{sent[1]}")
    gateway.next(lambda one: "event_id" not in one and one["counts"] == {"unread": 1})
    gateway.rejected = ["key"]
    last = alice.send(rooms[1], "gone?")
    gateway.next(lambda one: one.get("event_id") == last)
    since = bob.get("/v3/sync")["next_batch"]
    while bob.get("/v3/pushers")["pushers"]:  # as soon as the answer was read
        since = bob.get("/v3/sync", since=since, timeout=50)["next_batch"]
