"""What clients may do here. Spec: Client-Server API, "Capabilities negotiation"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.web.gate import Gate
from core.web.schemas import json_reply


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The server's capabilities, all of them named. `extra` are capabilities that plugins or later parts add."""

    default_room_version: str
    stable_room_versions: Iterable[str]
    unstable_room_versions: Iterable[str] = ()
    change_password: bool = True
    set_displayname: bool = True
    set_avatar_url: bool = True
    change_3pids: bool = False
    get_login_token: bool = False
    forgets_on_leave: bool = False
    extra: Mapping[str, Any] | None = None

    def shown(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        kept_back = [
            key
            for key, is_allowed in (("displayname", self.set_displayname), ("avatar_url", self.set_avatar_url))
            if not is_allowed
        ]
        profile_fields: dict[str, Any] = {"enabled": True}
        if kept_back:
            profile_fields["disallowed"] = kept_back
        versions = dict.fromkeys(self.stable_room_versions, "stable")
        versions |= dict.fromkeys(self.unstable_room_versions, "unstable")
        return {
            "m.room_versions": {"default": self.default_room_version, "available": versions},
            "m.change_password": {"enabled": self.change_password},
            "m.set_displayname": {"enabled": self.set_displayname},
            "m.set_avatar_url": {"enabled": self.set_avatar_url},
            "m.profile_fields": profile_fields,
            "m.3pid_changes": {"enabled": self.change_3pids},
            "m.get_login_token": {"enabled": self.get_login_token},
            "m.forget_forced_upon_leave": {"enabled": self.forgets_on_leave},
            **(self.extra or {}),
        }


def blueprint(capabilities: Capabilities, gate: Gate) -> Blueprint:
    """The answers for users and for administrators, made once."""
    bp, answer = Blueprint("client_capabilities", __name__), {"capabilities": capabilities.shown()}
    moderation = {"m.account_moderation": {"suspend": True, "lock": True}}
    for_administrators = {"capabilities": {**capabilities.shown(), **moderation}}

    @bp.get("/_matrix/client/v3/capabilities")
    def get_capabilities() -> ResponseReturnValue:
        """All capabilities."""
        requester = gate.authenticate(request, allow_guest=True)
        return json_reply(for_administrators if requester.is_admin else answer)

    return bp
