"""What one event costs the pure library: `python -m tests.bench.bench_events` prints microseconds of CPU.

The best of several rounds, since others use the machine too. Limits as of docs/performance.md are beside the figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from core.events.auth_rules import authorize
from core.events.build import build_event
from core.events.event import Event
from core.events.formats import event_from_stored, parse_event
from core.events.hashes import content_hash, event_id_of
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from core.events.signatures import SigningKey
from core.ids import EventId, RoomId, ServerName, StateKey, UserId

ALICE, BOB = UserId("@alice:a.example"), UserId("@bob:b.example")
KEY = SigningKey("ed25519:bench", b"b" * 32)


def event(version: RoomVersion, event_type: str, content: dict[str, object], sender: UserId, **fields: str) -> Event:
    """An event with the usual number of references."""
    return build_event(
        version,
        RoomId("!room:a.example"),
        event_type,
        sender,
        content,
        prev_events=[EventId("$" + "a" * 43)],
        auth_events=[EventId("$" + letter * 43) for letter in "bcd"],
        depth=100,
        origin_server_ts=1_700_000_000_000,
        server=ServerName("a.example"),
        signing_key=KEY,
        state_key=fields.get("state_key"),
    )


def microseconds(action: Callable[[], object], times: int = 10_000, rounds: int = 5) -> float:
    """CPU time of `action`, the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(times):
            action()
        best = min(best, time.process_time() - start)
    return best / times * 1e6


def main() -> None:
    """Print one line a figure."""
    version = ROOM_VERSIONS["10"]
    users = {BOB: 50, ALICE: 100}
    members = {user: event(version, "m.room.member", {"membership": "join"}, user, state_key=user) for user in users}
    create = event(version, "m.room.create", {"creator": ALICE, "room_version": "10"}, ALICE, state_key="")
    levels = event(version, "m.room.power_levels", {"users": users}, ALICE, state_key="")
    state: dict[StateKey, Event] = {key.key: key for key in (create, levels, *members.values())}
    message = event(version, "m.room.message", {"msgtype": "m.text", "body": "hello, how are you all today"}, BOB)
    pdu = dict(message.pdu)

    def lookup(event_type: str, state_key: str) -> Event | None:
        return state.get((event_type, state_key))

    def id_and_hash() -> None:
        event_id_of(pdu, version)
        content_hash(pdu, has_floats=False)

    for name, most, action in (
        ("auth check of a message", 15, lambda: authorize(message, lookup)),
        ("id and content hash", 6, id_and_hash),
        ("parse, id included", None, lambda: parse_event(pdu, version)),
        ("read from the database", None, lambda: event_from_stored(version, message.event_id, message.room_id, pdu)),
        ("build and sign", None, lambda: event(version, "m.room.message", {"body": "hello"}, BOB)),
    ):
        limit = f"  (at most {most})" if most else ""
        print(f"{name:28}{microseconds(action):8.1f} us{limit}")


if __name__ == "__main__":
    main()
