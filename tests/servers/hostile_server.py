"""A fake server that has its own key and no honor: a guest in rooms of any version who can say anything about them."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

from core.events import unpadded_base64
from core.events.formats import parse_event
from core.events.hashes import reference_hash
from core.events.room_versions import ROOM_VERSIONS, EventFormat
from tests.servers.guest_server import Guest

_opaque = itertools.count(1)
_VERSIONS = "&".join(f"ver={version}" for version in ROOM_VERSIONS)


class Hostile(Guest):
    """See the module. `at(event_id)` learns the room's state there; `event` builds on what was learnt last."""

    def template(self, what: str = "join", versions: str = _VERSIONS):
        """The answer to `make_*`, whatever the room's version."""
        return super().template(what, versions)

    def signed(self, pdu: dict) -> tuple[str, dict]:
        """Hash and sign an event; in old room versions it gets an id, and references become pairs."""
        if self.version.event_format is EventFormat.V1:
            pdu = {"event_id": f"$forged{next(_opaque)}:{self.remote.name}", "origin": self.remote.name, **pdu}
            for field in ("prev_events", "auth_events"):
                pdu[field] = [self._pair(one) for one in pdu[field]]
        return super().signed(pdu)

    def at(self, event_id: str) -> Hostile:
        """Learn the state after an event from the server under attack."""
        (pdu,) = self._get(f"/v1/event/{quote(event_id, safe='')}")["pdus"]
        room = quote(self.room_id, safe="")
        found = self._get(f"/v1/state/{room}?event_id={quote(event_id, safe='')}")
        self.state = {}
        for one in [*found["pdus"], *([pdu] if "state_key" in pdu else [])]:
            key = self.signed_id(one)
            self.state[one["type"], one["state_key"]] = key
            self.pdus[key] = one
        self.last, self.depth = event_id, pdu["depth"]
        self.pdus[event_id] = pdu
        return self

    def proofs(self) -> list[str]:
        """The auth events an honest event would name."""
        keys = [("m.room.power_levels", ""), ("m.room.member", self.user_id)]
        if not self.version.room_id_is_create_hash:
            keys.append(("m.room.create", ""))
        return [self.state[key] for key in keys if key in self.state]

    def _get(self, path: str) -> dict[str, Any]:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _pair(self, reference: Any) -> Any:
        """A reference as room versions 1 and 2 have it."""
        if not isinstance(reference, str):
            return reference
        pdu = self.pdus.get(reference)
        digest = reference_hash(pdu, self.version) if pdu is not None else b"0" * 32
        return [reference, {"sha256": unpadded_base64.encode(digest)}]


def event_id_of(pdu: dict, version_id: str) -> str:
    """The id of an event."""
    return parse_event(pdu, ROOM_VERSIONS[version_id]).event_id
