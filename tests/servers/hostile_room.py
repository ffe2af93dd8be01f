"""A room that a fake server hosts: users of a server under test may join it, on whatever terms the fake sets."""

from __future__ import annotations

from urllib.parse import quote

from core.events.formats import parse_event
from core.events.room_versions import ROOM_VERSIONS
from core.events.signatures import sign_event
from tests.servers.trellis import Refused

BASE = "/_matrix/federation"
NOW = 1_700_000_000_000


class Trap:
    """A public room of a hostile server, which answers joins as it likes."""

    def __init__(self, remote, version="11"):
        self.remote, self.version = remote, ROOM_VERSIONS[version]
        self.host = f"@host:{remote.name}"
        self.fixed = f"!trap:{remote.name}"
        self.create = self.event("m.room.create", {"room_version": version, "creator": self.host}, [], "")
        self.room_id = parse_event(self.create, self.version).room_id
        self.member = self.event("m.room.member", {"membership": "join"}, [self.create], self.host)
        levels = {} if self.version.privileged_creators else {self.host: 100}
        self.levels = self.event("m.room.power_levels", {"users": levels}, [self.create, self.member], "")
        before = [self.create, self.member, self.levels]
        self.rules = self.event("m.room.join_rules", {"join_rule": "public"}, before, "")
        self.state = [*before, self.rules]
        self.chain = list(self.state)
        self.changed = {}

    def event(self, kind, content, auth, state_key, sender=None, **changed):
        """A signed event of the room, resting on others."""
        auth_ids = [self.id_of(one) for one in auth]
        if self.version.room_id_is_create_hash and auth:
            auth_ids = auth_ids[1:]
        pdu = {
            "type": kind,
            "sender": sender or self.host,
            "content": content,
            "state_key": state_key,
            "depth": len(auth) + 1,
            "prev_events": [self.id_of(one) for one in auth[-1:]],
            "auth_events": auth_ids,
            "origin_server_ts": NOW,
            **changed,
        }
        if kind != "m.room.create":
            pdu.setdefault("room_id", self.room_id)
        elif not self.version.room_id_is_create_hash:
            pdu.setdefault("room_id", self.fixed)
        return sign_event(pdu, self.version, self.remote.name, self.remote.signing_keys[0])

    def id_of(self, pdu):
        """The event's id."""
        return parse_event(pdu, self.version).event_id

    def spring(self, user):
        """Let a user try to join; what was refused, if anything was."""
        room = quote(self.room_id, safe="")
        auth = [self.id_of(one) for one in (self.create, self.levels, self.rules)]
        template = {
            "type": "m.room.member",
            "room_id": self.room_id,
            "sender": user.user_id,
            "state_key": user.user_id,
            "content": {"membership": "join"},
            "depth": 9,
            "prev_events": [self.id_of(self.rules)],
            "auth_events": auth[1:] if self.version.room_id_is_create_hash else auth,
        }
        made = {"event": template, "room_version": self.version.id, **self.changed.get("make_join", {})}
        self.remote.answer(f"{BASE}/v1/make_join/{room}", made)

        def answer(seen):
            told = {"state": self.state, "auth_chain": self.chain, "event": seen.json, "origin": self.remote.name}
            told |= {"members_omitted": False, "servers_in_room": [self.remote.name]}
            return {key: value for key, value in {**told, **self.changed.get("send_join", {})}.items() if value != "-"}

        self.remote.answer(f"{BASE}/v2/send_join/{room}", answer)
        try:
            user.join(self.room_id, via=self.remote.name)
        except Refused as refused:
            return refused
        return None
