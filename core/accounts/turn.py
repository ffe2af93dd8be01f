"""Credentials for TURN servers, through which calls go where nothing more direct works.

With a shared secret they are made for each user and expire, as coturn's `use-auth-secret` expects; otherwise they are
the fixed ones of the configuration. Spec: Client-Server API, "Voice over IP".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from core.accounts.clock import Clock, wall_clock_ms
from core.config.services import VoipConfig
from core.ids import UserId


def credentials(config: VoipConfig, user_id: UserId, now_ms: Clock = wall_clock_ms) -> dict[str, Any]:
    """The answer to `GET /voip/turnServer`: empty where no TURN server, or no way to sign in there, is configured."""
    uris, ttl_s = list(config.turn_uris), config.turn_user_lifetime // 1000
    if not uris:
        return {}
    if config.turn_shared_secret:
        username = f"{now_ms() // 1000 + ttl_s}:{user_id}"
        digest = hmac.new(config.turn_shared_secret.encode(), username.encode(), hashlib.sha1).digest()
        return {"username": username, "password": base64.b64encode(digest).decode(), "uris": uris, "ttl": ttl_s}
    if config.turn_username and config.turn_password:
        return {"username": config.turn_username, "password": config.turn_password, "uris": uris, "ttl": ttl_s}
    return {}
