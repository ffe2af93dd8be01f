"""Random lives of a few users, seen through sliding syncs: what is folded together must be what the server says.

Windows are narrow, limits and required state change from request to request, answers get lost, and connections begin
anew now and then.
"""

from __future__ import annotations

import random

import pytest

from tests.api.client.sliding_client import EVERYTHING, ask, extended
from tests.api.client.sync_room import at
from tests.api.client.test_sync_model import one_step
from tests.servers.trellis import Server, User

STEPS = 100
WIDTHS = ([[0, 0]], [[0, 1]], [[1, 2]], [[0, 99]], [])
SOME = [["m.room.topic", ""], ["org.example", "*"], ["m.room.member", "$LAZY"]]


class Client:
    """A client that believes nothing but sliding syncs."""

    def __init__(self, user: User, rng: random.Random) -> None:
        self.user, self.rng = user, rng
        self.begin()

    def begin(self) -> None:
        """Forget everything."""
        self.pos: str | None = None
        self.states: dict[str, dict[tuple[str, str], str]] = {}
        self.timelines: dict[str, list[str]] = {}
        self.memberships: dict[str, str] = {}
        self.counts: dict[str, int] = {}

    def body(self) -> dict:
        """Some request."""
        rng = self.rng
        wanted = {"timeline_limit": rng.randint(0, 6), "required_state": rng.choice([EVERYTHING, SOME, []])}
        lists = {"a": {"ranges": rng.choice(WIDTHS), **wanted}}
        if rng.random() < 0.3:
            lists["b"] = {"ranges": [[0, 1]], "timeline_limit": 2, "required_state": SOME, "filters": {"is_dm": False}}
        return {"lists": lists, **extended("account_data", "receipts", "typing")}

    def sync(self) -> None:
        """Ask once, or twice where the answer gets lost, and believe the answer."""
        if self.rng.random() < 0.03:
            self.begin()
        body = self.body()
        if self.pos is not None and self.rng.random() < 0.2:
            ask(self.user, self.body(), self.pos)
        self.believe(ask(self.user, body, self.pos))

    def believe(self, answer: dict) -> bool:
        """Fold an answer in; whether it spoke of rooms."""
        self.pos = answer["pos"]
        for room, part in answer["rooms"].items():
            self.memberships[room] = part.get("membership", self.memberships.get(room))
            self.counts[room] = part.get("notification_count", self.counts.get(room, 0))
            if self.memberships[room] != "join":
                self.states.pop(room, None)
                self.timelines.pop(room, None)
            elif part.get("initial"):
                self.states[room], self.timelines[room] = {}, []
            if self.memberships[room] == "join":
                self.fold(room, part)
        return bool(answer["rooms"])

    def fold(self, room: str, part: dict) -> None:
        """Fold in a room the user is in."""
        for event in part.get("required_state", []):
            self.states[room][event["type"], event["state_key"]] = event["event_id"]
        if "timeline" not in part:
            return
        known, events = self.timelines[room], [event["event_id"] for event in part["timeline"]]
        if part.get("unstable_expanded_timeline"):
            known[:] = [event for event in known if event not in events]
        if part["limited"]:
            known += self.gap(room, part["prev_batch"], set(known))
        assert part["num_live"] <= len(events)
        known += events

    def gap(self, room: str, start: str, known: set[str]) -> list[str]:
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
        """Ask for everything, and compare with what the server says."""
        wanted = {"timeline_limit": 3, "required_state": EVERYTHING}
        while self.believe(ask(self.user, {"lists": {"a": {"ranges": [[0, 999]], **wanted}}}, self.pos)):
            pass
        here = {room for room, membership in self.memberships.items() if membership == "join"}
        assert here == set(self.user.get("/v3/joined_rooms")["joined_rooms"])
        counts = self.user.sync()["rooms"].get("join", {})
        for room in here:
            truth = self.user.get(f"{at(room)}/state")
            assert self.states[room] == {(event["type"], event["state_key"]): event["event_id"] for event in truth}
            timeline = self.timelines[room]
            assert len(timeline) == len(set(timeline)), "an event was told twice"
            assert timeline == self.history(room)
            assert self.counts[room] == counts[room]["unread_notifications"]["notification_count"]

    def history(self, room: str) -> list[str]:
        """The whole timeline."""
        found, start = [], ""
        while True:
            page = self.user.get(f"{at(room)}/messages", dir="b", limit=100, **({"from": start} if start else {}))
            found += [event["event_id"] for event in page["chunk"]]
            start = page.get("end", "")
            if not start:
                return found[::-1]


@pytest.mark.parametrize("seed", range(4))
def test_folded_sliding_syncs_are_what_the_server_says(server: Server, seed: int) -> None:
    rng = random.Random(seed)
    users = [server.register() for _ in range(3)]
    rooms = [users[0].create_room(preset="public_chat"), users[1].create_room()]
    clients = [Client(user, rng) for user in users]
    for _ in range(STEPS):
        one_step(rng, users, rooms)
        if rng.random() < 0.6:
            rng.choice(clients).sync()
    for client in clients:
        client.check()
