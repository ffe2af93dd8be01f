"""Counts after the server was killed: evaluated again from where the counter's cursor stood."""

from __future__ import annotations

from tests.servers.trellis import Server


def test_counts_are_the_same_after_a_kill(tmp_path):
    server = Server(tmp_path).start()
    try:
        alice, bob = server.register(), server.register()
        room = alice.create_room(preset="public_chat")
        bob.join(room)
        for number in range(30):
            event = alice.send(room, {"msgtype": "m.text", "body": "x", "m.mentions": {"user_ids": [bob.user_id]}})
            if number == 9:
                bob.post(f"/v3/rooms/{room}/receipt/m.read/{event}")
        before = bob.sync()["rooms"]["join"][room]["unread_notifications"]
        server.kill()
        server.start()
        assert bob.sync()["rooms"]["join"][room]["unread_notifications"] == before
        assert before == {"notification_count": 20, "highlight_count": 20}
    finally:
        server.stop()
