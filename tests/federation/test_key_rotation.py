"""`hsctl keys rotate` on a server that federates: talk goes on, and what the old key signed stays good."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import quote

from tests.federation.test_transactions import arrived, sync_until


def test_after_a_rotation_talk_goes_on_and_old_events_are_still_believed(make_server, alpha, beta):
    server = make_server()
    alice, bob, carol = server.register(), beta.register(), alpha.register()
    room_id = alice.create_room(preset="public_chat")
    before = alice.send(room_id, "signed with the old key")
    bob.post(f"/v3/join/{quote(room_id)}?via={server.name}", {})
    env = {**os.environ, "HS_CONFIG": str(server.config_path)}
    rotated = subprocess.run([sys.executable, "-m", "core.cli", "keys", "rotate"], env=env, capture_output=True)
    assert rotated.returncode == 0, rotated.stderr
    server.stop()
    server.start()
    sync_until(bob, arrived(room_id, alice.send(room_id, "signed with the new key")), seconds=60)
    carol.post(f"/v3/join/{quote(room_id)}?via={server.name}", {})
    shown = carol.get(f"/v3/rooms/{quote(room_id)}/messages", dir="b", limit=100)["chunk"]
    assert before in {event["event_id"] for event in shown}
