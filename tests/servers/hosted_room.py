"""A public room that a fake server hosts, with as many members as wanted, and the answers it takes to join it."""

from __future__ import annotations

import itertools
import time
from typing import Any

import orjson

from core.events.formats import parse_event
from core.events.room_versions import ROOM_VERSIONS
from core.events.signatures import sign_event
from tests.servers.remote import Remote, Reply

VERSION = ROOM_VERSIONS["10"]
_numbers = itertools.count(1)


class HostedRoom:
    """The room; `answer` makes the fake admit users to it."""

    def __init__(self, remote: Remote, members: int) -> None:
        self.remote = remote
        self.room_id = f"!hosted{next(_numbers)}:{remote.name}"
        self.host = f"@host:{remote.name}"
        self.state: list[dict[str, Any]] = []
        self.joins = 0
        self._ids: list[str] = []
        create = self._add("m.room.create", {"room_version": VERSION.id, "creator": self.host}, "", [])
        host = self._add("m.room.member", {"membership": "join"}, self.host, [create])
        levels = self._add("m.room.power_levels", {"users": {self.host: 100}}, "", [create, host])
        rules = self._add("m.room.join_rules", {"join_rule": "public"}, "", [create, host, levels])
        self.auth = [create, levels, rules]
        for number in range(members):
            user = f"@member{number}:{remote.name}"
            content = {"membership": "join", "displayname": f"Member {number}"}
            self._add("m.room.member", content, user, self.auth, user)

    def answer(self) -> None:
        """Let the fake answer joins of this room."""
        self.remote.answer("/_matrix/federation/v1/make_join/", lambda seen: self._template(seen.path))
        self.remote.answer("/_matrix/federation/v2/send_join/", lambda seen: self._admit(seen.json))
        self.remote.answer("/_matrix/federation/v1/send/", {"pdus": {}})
        self.remote.answer("/_matrix/federation/v1/backfill/", {"pdus": []})

    def _add(self, type_: str, content: dict, state_key: str, auth: list[str], sender: str | None = None) -> str:
        pdu = {
            "type": type_,
            "room_id": self.room_id,
            "sender": sender or self.host,
            "state_key": state_key,
            "content": content,
            "depth": len(self.state) + 1,
            "prev_events": self._ids[-1:],
            "auth_events": auth,
            "origin_server_ts": int(time.time() * 1000),
        }
        signed = sign_event(pdu, VERSION, self.remote.name, self.remote.signing_keys[0])
        self.state.append(signed)
        self._ids.append(parse_event(signed, VERSION).event_id)
        return self._ids[-1]

    def _template(self, path: str) -> dict[str, Any]:
        user = path.rpartition("/")[2].replace("%40", "@").replace("%3A", ":")
        event = {
            "type": "m.room.member",
            "room_id": self.room_id,
            "sender": user,
            "state_key": user,
            "content": {"membership": "join"},
            "depth": len(self.state) + 1,
            "prev_events": self._ids[-1:],
            "auth_events": self.auth,
            "origin_server_ts": 1,
        }
        return {"room_version": VERSION.id, "event": event}

    def _admit(self, event: dict[str, Any]) -> Reply:
        self.joins += 1
        answer = {"origin": self.remote.name, "members_omitted": False, "event": event, "servers_in_room": []}
        return Reply("200 OK", orjson.dumps({**answer, "state": self.state, "auth_chain": self.state[:4]}))
