"""What a user sees, waited for: long-polling syncs until something is there, or until it should have been."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from tests.servers.trellis import Refused, User

Found = TypeVar("Found")

PATIENCE_SECONDS = 30.0
POLL_MS = 500
_WHOLE = '{"room":{"timeline":{"limit":100}}}'


class Watcher:
    """Syncs for one user, and keeps what came of each room: `state`, `timeline`, memberships, EDUs."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.token: str | None = None
        self.timelines: dict[str, list[dict]] = {}
        self.answer: dict[str, Any] = {}
        self.step(0)

    def step(self, timeout: int = POLL_MS) -> dict[str, Any]:
        """One sync; its answer."""
        answer = self.answer = self.user.sync(self.token, timeout=timeout if self.token else 0, filter=_WHOLE)
        self.token = answer["next_batch"]
        for room_id, room in answer.get("rooms", {}).get("join", {}).items():
            self.timelines.setdefault(room_id, []).extend(room.get("timeline", {}).get("events", []))
        return answer

    def until(
        self,
        found: Callable[[dict[str, Any]], Found],
        what: str = "what was waited for",
        seconds: float = PATIENCE_SECONDS,
    ) -> Found:
        """What `found` makes of the first answer, the last one included, of which it makes anything."""
        deadline = time.monotonic() + seconds
        while True:
            said = found(self.answer)
            if said:
                return said
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.user.user_id} did not see {what} within {seconds} s")
            self.step()

    def event(self, room_id: str, event_id: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The event, once it is in the room's timeline."""
        return self.until(
            lambda _: next((one for one in self.timelines.get(room_id, ()) if one["event_id"] == event_id), None),
            f"{event_id} in {room_id}",
            seconds,
        )

    def membership(self, room_id: str, kind: str) -> dict[str, Any]:
        """The room's section once it is under `invite`, `knock`, `join` or `leave`."""
        return self.until(lambda answer: answer.get("rooms", {}).get(kind, {}).get(room_id), f"{kind} of {room_id}")

    def ephemeral(self, room_id: str, kind: str, fits: Callable[[dict], Any] = bool) -> dict[str, Any]:
        """The content of an ephemeral event that fits."""

        def found(answer: dict[str, Any]) -> dict[str, Any] | None:
            events = answer.get("rooms", {}).get("join", {}).get(room_id, {}).get("ephemeral", {}).get("events", [])
            return next((one["content"] for one in events if one["type"] == kind and fits(one["content"])), None)

        return self.until(found, kind)

    def state(self, room_id: str, kind: str, key: str, fits: Callable[[dict], Any]) -> dict[str, Any]:
        """The content of a state event, once it fits."""

        def found(_: object) -> dict[str, Any] | None:
            content = state_content(self.user, room_id, kind, key)
            return content if content is not None and fits(content) else None

        return self.until(found, f"a fitting {kind} {key}")

    def member(self, room_id: str, user_id: str, membership: str) -> dict[str, Any]:
        """The member event's content once the user has this membership."""
        return self.state(room_id, "m.room.member", user_id, lambda content: content["membership"] == membership)


def state_content(user: User, room_id: str, kind: str, key: str = "") -> dict[str, Any] | None:
    """The content of a state event; None where there is none, or the user is not there to see it."""
    try:
        return user.get(f"/v3/rooms/{quote(room_id, safe='')}/state/{kind}/{quote(key, safe='')}")
    except Refused as refused:
        if refused.status in (403, 404):
            return None
        raise


def history(user: User, room_id: str, limit: int = 100) -> list[dict]:
    """All that the user can page back to, newest first."""
    found, token = [], None
    while True:
        query = {"dir": "b", "limit": limit} | ({"from": token} if token else {})
        page = user.get(f"/v3/rooms/{quote(room_id, safe='')}/messages", **query)
        found += page["chunk"]
        token = page.get("end")
        if token is None:
            return found


def bodies(events: list[dict]) -> list[str]:
    """What the messages among some events say."""
    return [one["content"]["body"] for one in events if "body" in one["content"]]
