"""A kill before the cursors of the log's followers went on record: what they do once more changes nothing."""

import sqlite3
from contextlib import closing
from urllib.parse import quote

from core.storage.late_notes import LateNotes
from tests.servers.in_process import InProcess

CLIENT = "/_matrix/client/v3"
MOVING = {
    "consumer_cursors",
    "outbound_destinations",
    "sequences",
    "leases",
    "log_gaps",
    "database_openings",
    "devices",
}
"""Tables that say who ran when and how far, and not what came of it."""


def open_server(folder):
    return InProcess(folder, auto_accept_invites={"enabled": True}, forget_rooms_on_leave=True)


def live(server):
    """Something for every follower: accounts, profiles with media, messages that notify, receipts, comings, goings."""
    alice, bob, carol = (server.register() for _ in range(3))
    at, bt, ct = (one["access_token"] for one in (alice, bob, carol))
    room = server.ask("POST", f"{CLIENT}/createRoom", at, {"preset": "public_chat", "name": "Tea"})["room_id"]
    base = f"{CLIENT}/rooms/{quote(room)}"
    server.ask("POST", f"{CLIENT}/join/{quote(room)}", bt, {})
    server.ask("POST", f"{base}/invite", at, {"user_id": carol["user_id"]})
    server.ask("PUT", f"{CLIENT}/profile/{quote(bob['user_id'])}/displayname", bt, {"displayname": "Robert"})
    server.ask("PUT", f"{CLIENT}/profile/{quote(bob['user_id'])}/avatar_url", bt, {"avatar_url": "mxc://x.org/face"})
    server.catch_up()
    sent = []
    for n in range(3):
        content = {"msgtype": "m.text", "body": f"tea {n}", "m.mentions": {"user_ids": [bob["user_id"]]}}
        sent.append(server.ask("PUT", f"{base}/send/m.room.message/{n}", at, content)["event_id"])
    picture = {"msgtype": "m.image", "body": "cup", "url": "mxc://x.org/cup"}
    server.ask("PUT", f"{base}/send/m.room.message/p", bt, picture)
    server.ask("PUT", f"{base}/redact/{quote(sent[1])}/r", at, {})
    server.ask("POST", f"{base}/receipt/m.read/{quote(sent[0])}", bt, {})
    server.ask("PUT", f"{base}/state/m.room.topic", at, {"topic": "Leaves"})
    server.ask("POST", f"{base}/leave", ct, {})
    server.catch_up()


def rows(server):
    database = server.app.ground.storage.database
    names = database.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
    tables = sorted(name for (name,) in names if name not in MOVING and not name.startswith("message_search_index_"))
    return {table: sorted(database.rows(f"SELECT * FROM {table}"), key=repr) for table in tables}


def cursors(folder):
    with closing(sqlite3.connect(folder / "hs.db")) as connection:
        return dict(connection.execute("SELECT name, position FROM consumer_cursors"))


def test_what_followers_do_again_after_a_kill_changes_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(LateNotes, "write", lambda notes: None)  # as if it died before they were due
        server = open_server(tmp_path)
        live(server)
        before, reached = rows(server), server.app.ground.storage.tail.position
        server.close()
    behind = {name for name, position in cursors(tmp_path).items() if position < reached}
    server = open_server(tmp_path)
    try:
        server.catch_up()
        after = rows(server)
    finally:
        server.close()
    assert {"rooms.departures", "rooms.profile_updates", "rooms.auto_accept", "media.references"} <= behind
    changed = {
        table: (set(before[table]) - set(found), set(found) - set(before[table])) for table, found in after.items()
    }
    assert {table: change for table, change in changed.items() if any(change)} == {}
    left_behind = {name: position for name, position in cursors(tmp_path).items() if position < reached}
    assert left_behind == {}, "a stop puts every cursor on record"
