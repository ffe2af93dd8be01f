"""Clients that believe nothing but syncs, of either kind, and fold together what they are told."""

from __future__ import annotations

import json
from typing import Any

from tests.api.client.sliding_client import EVERYTHING, ask, extended
from tests.api.client.sync_room import at, events
from tests.servers.trellis import User

PAGE = 20
Told = dict[str, Any]


class RoomView:
    """What a client knows of a room it is in."""

    def __init__(self) -> None:
        self.state: dict[tuple[str, str], Told] = {}
        self.timeline: list[Told] = []
        self.counts: tuple[int, int] = (0, 0)
        """Of the main timeline where threads are counted apart, otherwise of the room."""
        self.threads: dict[str, tuple[int, int]] = {}
        self.receipts: dict[tuple[str, str, str], str] = {}
        self.account_data: dict[str, Told] = {}
        self.summary: Told = {}

    def add_receipts(self, content: Told) -> None:
        """Believe the content of an `m.receipt`."""
        for event_id, kinds in content.items():
            for kind, users in kinds.items():
                for user, receipt in users.items():
                    self.receipts[kind, user, receipt.get("thread_id", "")] = event_id

    def add_timeline(self, user: User, room: str, told: list[Told], gap_from: str | None) -> None:
        """Go on with a timeline, paging back where it does not connect."""
        if gap_from is not None:
            known = {event["event_id"] for event in self.timeline}
            self.timeline += gap(user, room, gap_from, known)
        self.timeline += told


class SyncClient:
    """A client that uses /sync."""

    def __init__(self, user: User, limit: int, with_threads: bool, state_key: str = "state") -> None:
        self.user, self.with_threads, self.state_key = user, with_threads, state_key
        timeline = {"limit": limit, "unread_thread_notifications": with_threads}
        self.filter = json.dumps({"room": {"timeline": timeline}})
        self.reload()

    def reload(self) -> None:
        """Forget everything."""
        self.token: str | None = None
        self.rooms: dict[str, RoomView] = {}
        self.invited: dict[str, Told] = {}
        self.knocked: dict[str, Told] = {}
        self.account_data: dict[str, Told] = {}

    def sync(self) -> Told:
        """Sync once, believe the answer and return it."""
        query = {"use_state_after": "true"} if self.state_key == "state_after" else {}
        answer = self.user.sync(self.token, filter=self.filter, **query)
        is_first, self.token = self.token is None, answer["next_batch"]
        self.account_data |= {one["type"]: one["content"] for one in events(answer, "account_data")}
        rooms = answer.get("rooms", {})
        for room in (
            *rooms.get("leave", ()),
            *rooms.get("join", ()),
            *rooms.get("invite", ()),
            *rooms.get("knock", ()),
        ):
            self.invited.pop(room, None)
            self.knocked.pop(room, None)
        self.invited |= {room: part["invite_state"] for room, part in rooms.get("invite", {}).items()}
        self.knocked |= {room: part["knock_state"] for room, part in rooms.get("knock", {}).items()}
        for room in (*rooms.get("leave", ()), *rooms.get("invite", ()), *rooms.get("knock", ())):
            self.rooms.pop(room, None)
        for room, part in rooms.get("join", {}).items():
            self._fold(room, part, is_first)
        return answer

    def _fold(self, room: str, part: Told, is_first: bool) -> None:
        timeline, state = events(part), {_key(event): event for event in events(part, self.state_key)}
        is_anew = is_first or room not in self.rooms or ("m.room.create", "") in state  # as when one was away meanwhile
        if is_anew:
            self.rooms[room] = RoomView()
        view = self.rooms[room]
        is_gap = part["timeline"]["limited"] and not is_first
        view.add_timeline(self.user, room, timeline, part["timeline"]["prev_batch"] if is_gap else None)
        view.state |= state
        if self.state_key == "state":
            view.state |= {_key(event): event for event in timeline if "state_key" in event}
        if "unread_notifications" in part:
            view.counts = _count(part["unread_notifications"])
            told = part.get("unread_thread_notifications", {})
            view.threads = {root: _count(one) for root, one in told.items()}
        for event in events(part, "ephemeral"):
            if event["type"] == "m.receipt":
                view.add_receipts(event["content"])
        view.account_data |= {one["type"]: one["content"] for one in events(part, "account_data")}
        view.summary |= part.get("summary", {})


class SlidingClient:
    """A client that uses sliding sync, with one list of all its rooms."""

    def __init__(self, user: User, limit: int, name: str) -> None:
        self.user, self.limit, self.name = user, limit, name
        self.reload()

    def reload(self) -> None:
        """Forget everything."""
        self.pos: str | None = None
        self.rooms: dict[str, RoomView] = {}
        self.memberships: dict[str, str] = {}
        self.account_data: dict[str, Told] = {}
        self.stamps: dict[str, int] = {}

    def sync(self) -> Told:
        """Sync once, believe the answer and return it."""
        wanted = {"ranges": [[0, 99]], "timeline_limit": self.limit, "required_state": EVERYTHING}
        body = {"conn_id": self.name, "lists": {"all": wanted}, **extended("account_data", "receipts")}
        answer = ask(self.user, body, self.pos)
        self.pos = answer["pos"]
        for room, part in answer["rooms"].items():
            self.memberships[room] = part.get("membership", self.memberships.get(room, "join"))
            self.stamps[room] = part["bump_stamp"]
            if self.memberships[room] == "join":
                self._fold(room, part)
            else:
                self.rooms.pop(room, None)
        extensions = answer["extensions"]
        data = extensions.get("account_data", {})
        self.account_data |= {one["type"]: one["content"] for one in data.get("global", ())}
        for room, told in data.get("rooms", {}).items():
            self.rooms[room].account_data |= {one["type"]: one["content"] for one in told}
        for room, event in extensions.get("receipts", {}).get("rooms", {}).items():
            self.rooms[room].add_receipts(event["content"])
        return answer

    def _fold(self, room: str, part: Told) -> None:
        if part.get("initial") or room not in self.rooms:
            assert part.get("initial"), f"the first word of {room} is not said to be"
            self.rooms[room] = RoomView()
        view = self.rooms[room]
        view.state |= {_key(event): event for event in part.get("required_state", ())}
        is_gap = part.get("limited") and not part.get("initial")
        view.add_timeline(self.user, room, part.get("timeline", []), part["prev_batch"] if is_gap else None)
        if "notification_count" in part:
            view.counts = (part["notification_count"], part["highlight_count"])
        view.summary |= {key: part[key] for key in ("joined_count", "invited_count") if key in part}


def gap(user: User, room: str, start: str | None, known: set[str]) -> list[Told]:
    """The events before a token that are not known yet, oldest first."""
    found: list[Told] = []
    while start:
        page = user.get(f"{at(room)}/messages", dir="b", limit=PAGE, **{"from": start})
        for event in page["chunk"]:
            if event["event_id"] in known:
                return found[::-1]
            found.append(event)
        start = page.get("end")
    return found[::-1]


def history(user: User, room: str, backwards: bool = True) -> list[Told]:
    """The whole history, oldest first, paged from either end."""
    found: list[Told] = []
    start: dict[str, str] = {}
    while True:
        page = user.get(f"{at(room)}/messages", dir="b" if backwards else "f", limit=PAGE * 2, **start)
        found += page["chunk"]
        if "end" not in page:
            return found[::-1] if backwards else found
        start = {"from": page["end"]}


def _key(event: Told) -> tuple[str, str]:
    return event["type"], event["state_key"]


def _count(told: Told) -> tuple[int, int]:
    return told["notification_count"], told["highlight_count"]
