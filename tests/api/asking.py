"""Requests of a table, asked of a server: two people, their rooms, and what each answer must be."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from tests.api.specified_answers import problems_of
from tests.house.routes import Operation, specified_operations
from tests.servers.trellis import Server, User

TXN = itertools.count(1)


def operations_of(area: str) -> dict[str, Operation]:
    """The Client-Server API's operations in an area, by name."""
    return {one.name: one for one in specified_operations() if one.area == area and one.api == "client-server"}


@dataclass(frozen=True)
class Ask:
    """One request: what differs from an empty one by alice to the room both are in, and the answer's status."""

    body: Any = None
    status: int = 200
    errcode: str | None = None
    by: str | None = "alice"
    query: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversation:
    """Two people and their rooms."""

    base: str
    people: dict[str, User]
    parts: dict[str, str]
    """What stands for `{roomId}`, `{eventId}` and so on in paths."""

    def ask(self, operation: Operation, ask: Ask) -> Any:
        """The answer, checked for its status, error code and schema."""
        parts = {**self.parts, **{key: self.parts.get(value, value) for key, value in ask.path.items()}}
        path = re.sub(r"\{(\w+)\}", lambda part: quote(parts[part[1]], safe=""), operation.path.strip())
        token = None if ask.by is None else self.people[ask.by].token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        body = {"json": ask.body} if ask.body is not None or operation.method in {"PUT", "POST"} else {}
        if isinstance(ask.body, bytes):
            body = {"data": ask.body}
        answer = requests.request(
            operation.method, self.base + path, params=ask.query, headers=headers, timeout=30, **body
        )
        found = answer.json()
        errcode = found.get("errcode") if isinstance(found, dict) else None
        assert (answer.status_code, errcode) == (ask.status, ask.errcode), found
        assert problems_of(operation.name, ask.status, found) == []
        return found


def new_conversation(people: Server) -> Conversation:
    """Alice and Bob talk in one room; Alice has another that anybody may join, and Bob has left a third."""
    alice, bob = people.register(), people.register()
    room = alice.create_room(preset="public_chat", name="Talk")
    bob.join(room)
    left = alice.create_room(preset="public_chat")
    bob.join(left)
    bob.post(f"/v3/rooms/{left}/leave")
    event = alice.send(room, "hello")
    parts = {
        "userId": alice.user_id,
        "nobody": f"@nobody.here:{people.name}",
        "filterId": alice.post(f"/v3/user/{alice.user_id}/filter", {"room": {"timeline": {"limit": 5}}})["filter_id"],
        "roomId": room,
        "openRoom": alice.create_room(preset="public_chat"),
        "leftRoom": left,
        "secretRoom": alice.create_room(preset="private_chat"),
        "eventId": event,
        "txnId": f"of-the-area-{next(TXN)}",
        "keyName": "displayname",
        "eventType": "m.room.topic",
        "stateKey": "",
    }
    parts["roomIdOrAlias"] = parts["openRoom"]
    return Conversation(people.base, {"alice": alice, "bob": bob}, parts)
