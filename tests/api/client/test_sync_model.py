"""Random lives of a few users: what each folds together out of syncs must be what the server says when asked.

Every client syncs now and then, with timelines so short that there are gaps, and keeps what it is told: rooms, states
and messages, gaps filled by paging back. In the end each is compared with /joined_rooms, /state and /messages.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.api.client.sync_room import at, events
from tests.servers.trellis import Refused, Server, User

STEPS = 90
State = dict[tuple[str, str], str]


class Client:
    """A client that believes nothing but syncs."""

    def __init__(self, user: User, rng: random.Random, state_key: str) -> None:
        self.user, self.rng, self.state_key = user, rng, state_key
        self.token: str | None = None
        self.states: dict[str, State] = {}
        self.timelines: dict[str, list[str]] = {}
        self.invited: set[str] = set()

    def sync(self) -> bool:
        """Sync once and believe the answer; whether there was anything."""
        query: dict[str, str] = {"filter": json.dumps({"room": {"timeline": {"limit": self.rng.randint(1, 6)}}})}
        if self.state_key != "state":
            query["use_state_after"] = "true"
        first = self.token is None
        answer = self.user.sync(self.token, **query)
        self.token = answer["next_batch"]
        rooms = answer.get("rooms", {})
        for room in rooms.get("invite", {}):
            self.invited.add(room)
        for room, part in rooms.get("leave", {}).items():
            self.invited.discard(room)
            self.states.pop(room, None)
            self.timelines.pop(room, None)
            assert events(part)[-1]["state_key"] == self.user.user_id
        for room, part in rooms.get("join", {}).items():
            self.invited.discard(room)
            self._fold(room, part, first)
        return bool(rooms)

    def _fold(self, room: str, part: dict, first: bool) -> None:
        state = {(event["type"], event["state_key"]): event["event_id"] for event in events(part, self.state_key)}
        timeline = events(part)
        begins_anew = ("m.room.create", "") in state or any(event["type"] == "m.room.create" for event in timeline)
        if first or begins_anew:
            self.states[room], self.timelines[room] = {}, []
        self.states[room].update(state)
        if self.state_key == "state":
            changes = [event for event in timeline if "state_key" in event]
            self.states[room].update({(event["type"], event["state_key"]): event["event_id"] for event in changes})
        known = self.timelines[room]
        if part["timeline"]["limited"]:
            known += self._gap(room, part["timeline"]["prev_batch"], set(known))
        known += [event["event_id"] for event in timeline]

    def _gap(self, room: str, start: str, known: set[str]) -> list[str]:
        """The events before a timeline that are not known yet, oldest first."""
        found: list[str] = []
        while start:
            page = self.user.get(f"{at(room)}/messages", dir="b", limit=5, **{"from": start})
            for event in page["chunk"]:
                if event["event_id"] in known:
                    return found[::-1]
                found.append(event["event_id"])
            start = page.get("end", "")
        return found[::-1]

    def check(self) -> None:
        """Compare with what the server says."""
        assert set(self.states) == set(self.user.get("/v3/joined_rooms")["joined_rooms"])
        for room, state in self.states.items():
            truth = self.user.get(f"{at(room)}/state")
            assert state == {(event["type"], event["state_key"]): event["event_id"] for event in truth}
            timeline = self.timelines[room]
            assert len(timeline) == len(set(timeline)), "an event was told twice"
            assert timeline == self._history(room)

    def _history(self, room: str) -> list[str]:
        found, start = [], ""
        while True:
            page = self.user.get(f"{at(room)}/messages", dir="b", limit=100, **({"from": start} if start else {}))
            found += [event["event_id"] for event in page["chunk"]]
            start = page.get("end", "")
            if not start:
                return found[::-1]


def one_step(rng: random.Random, users: list[User], rooms: list[str]) -> None:
    """Somebody does something; that it may be refused is part of the game."""
    user, other, room = rng.choice(users), rng.choice(users), rng.choice(rooms)
    base, target = at(room), {"user_id": other.user_id}
    doings: list[tuple[int, Callable[[], object]]] = [
        (8, lambda: [user.send(room, f"m{rng.random()}") for _ in range(rng.randint(1, 8))]),
        (3, lambda: user.set_state(room, "m.room.topic", {"topic": str(rng.random())})),
        (2, lambda: user.set_state(room, "org.example", {"a": rng.random()}, rng.choice("xyz"))),
        (2, lambda: user.put(f"/v3/profile/{user.user_id}/displayname", {"displayname": str(rng.random())})),
        (5, lambda: user.join(room)),
        (2, lambda: user.post(f"{base}/leave")),
        (3, lambda: user.post(f"{base}/invite", target)),
        (1, lambda: user.post(f"{base}/kick", target)),
        (1, lambda: user.post(f"{base}/ban", target)),
        (2, lambda: user.post(f"{base}/unban", target)),
        (1, lambda: user.post(f"{base}/forget")),
        (1, lambda: rooms.append(user.create_room(preset=rng.choice(["public_chat", "private_chat"])))),
    ]
    (doing,) = rng.choices([one for _, one in doings], [weight for weight, _ in doings])
    with suppress(Refused):
        doing()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on each engine."""
    if request.param == "sqlite":
        yield request.getfixturevalue("server")
        return
    with request.getfixturevalue("mariadb").schema() as settings:
        args = {"user": settings.user, "database": settings.database, "unix_socket": settings.unix_socket}
        server = Server(tmp_path_factory.mktemp("mariadb"), {"name": "mysql", "args": args})
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("seed", range(4))
def test_folded_syncs_are_what_the_server_says(either: Server, seed: int) -> None:
    rng = random.Random(seed)
    users = [either.register() for _ in range(3)]
    rooms = [users[0].create_room(preset="public_chat"), users[1].create_room()]
    clients = [Client(user, rng, key) for user in users for key in ("state", "state_after")]
    for _ in range(STEPS):
        one_step(rng, users, rooms)
        if rng.random() < 0.5:
            rng.choice(clients).sync()
    for client in clients:
        while client.sync():
            pass
        client.check()
