"""A fake server's part in rooms of a server under test: joins them, builds events on them, sends transactions."""

from __future__ import annotations

import itertools
import time
from typing import Any
from urllib.parse import quote

from core.events.formats import parse_event
from core.events.room_versions import ROOM_VERSIONS, RoomVersion
from core.events.signatures import sign_event
from tests.servers.remote import Remote

_transactions = itertools.count(1)


class Guest:
    """One user of a fake server in one room of `server`."""

    def __init__(self, remote: Remote, server: Any, room_id: str, name: str = "guest") -> None:
        self.remote, self.server, self.room_id = remote, server, room_id
        self.user_id = f"@{name}:{remote.name}"
        self.version: RoomVersion = ROOM_VERSIONS["12"]
        self.state: dict[tuple[str, str], str] = {}
        self.pdus: dict[str, dict] = {}
        self.last = ""
        self._ts = 0
        self.depth = 0

    def call(self, method: str, path: str, content: Any = None):
        """A signed request below /_matrix/federation; the answer."""
        return self.remote.call(self.server.base, self.server.name, method, f"/_matrix/federation{path}", content)

    def template(self, what: str = "join", versions: str = "ver=10&ver=11&ver=12"):
        """The answer to `make_*`."""
        room, user = quote(self.room_id, safe=""), quote(self.user_id, safe="")
        return self.call("GET", f"/v1/make_{what}/{room}/{user}?{versions}")

    def signed(self, pdu: dict) -> tuple[str, dict]:
        """Hash and sign an event, later than the one before; its id and itself."""
        key = self.remote.signing_keys[0]
        self._ts = max(int(time.time() * 1000), self._ts + 1)
        complete = sign_event({**pdu, "origin_server_ts": self._ts}, self.version, self.remote.name, key)
        return parse_event(complete, self.version).event_id, complete

    def member(self, what: str = "join", **changed: Any) -> tuple[str, dict]:
        """The signed event that a template asks for."""
        asked = self.template(what)
        assert asked.status_code == 200, asked.text
        answer = asked.json()
        self.version = ROOM_VERSIONS[answer["room_version"]]
        return self.signed({**answer["event"], **changed})

    def send_member(self, what: str, event_id: str, pdu: dict, query: str = "", version: str = "v2"):
        """The answer to `send_*`."""
        room = quote(self.room_id, safe="")
        return self.call("PUT", f"/{version}/send_{what}/{room}/{quote(event_id, safe='')}{query}", pdu)

    def join(self) -> dict:
        """Join; the answer."""
        event_id, pdu = self.member()
        answer = self.send_member("join", event_id, pdu)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        for one in found["state"]:
            self.state[one["type"], one["state_key"]] = parse_event(one, self.version).event_id
            self.pdus[self.state[one["type"], one["state_key"]]] = one
        self.state["m.room.member", self.user_id] = event_id
        self.pdus[event_id] = pdu
        self.last, self.depth = event_id, pdu["depth"]
        return found

    def event(self, content: Any, type_: str = "m.room.message", **changed: Any) -> tuple[str, dict]:
        """A signed event after the last; it becomes the last."""
        keys = [("m.room.power_levels", ""), ("m.room.member", self.user_id)]
        if not self.version.room_id_is_create_hash:
            keys.append(("m.room.create", ""))
        self.depth += 1
        pdu = {
            "type": type_,
            "room_id": self.room_id,
            "sender": self.user_id,
            "content": {"msgtype": "m.text", "body": content} if isinstance(content, str) else content,
            "depth": self.depth,
            "prev_events": [self.last],
            "auth_events": [self.state[key] for key in keys if key in self.state],
            **changed,
        }
        event_id, complete = self.signed(pdu)
        self.last = event_id
        self.pdus[event_id] = complete
        return event_id, complete

    def transact(self, *pdus: dict, edus: list | None = None, txn_id: str | None = None):
        """Send a transaction; the answer."""
        body = {"origin": self.remote.name, "origin_server_ts": 1, "pdus": list(pdus)}
        if edus is not None:
            body["edus"] = edus
        return self.call("PUT", f"/v1/send/{txn_id or f't{next(_transactions)}'}", body)

    def signed_id(self, pdu: dict) -> str:
        """The id of a PDU that was received."""
        return parse_event(pdu, self.version).event_id
