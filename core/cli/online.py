"""Making an account on the server while it runs: by the shared secret, over the listener of this machine.

A running server owns its SQLite database, so what changes it has to ask the server.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from typing import Any

from core.config import Config
from core.errors import MatrixError, Unavailable

PATH = "/_synapse/admin/v1/register"
TIMEOUT_SECONDS = 30


def create_on_running_server(
    config: Config, localpart: str, password: str, displayname: str | None, is_admin: bool
) -> str:
    """The user id of the account made. Raises: `Unavailable` where the server cannot be asked; what it answers."""
    secret, base = config.registration.registration_shared_secret, _base(config)
    if not secret or base is None:
        raise Unavailable(
            "The server is running, and cannot be asked: that needs registration_shared_secret and a listener without "
            "TLS for clients. Stop it, or set those."
        )
    nonce = _ask(base, None)["nonce"]
    text = "\0".join((nonce, localpart, password, "admin" if is_admin else "notadmin"))
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": localpart, "password": password, "admin": is_admin, "mac": mac}
    if displayname is not None:
        body["displayname"] = displayname
    return str(_ask(base, {**body, "inhibit_login": True})["user_id"])


def _base(config: Config) -> str | None:
    """Where clients are served on this machine without TLS; None if nowhere."""
    for listener in config.listeners.listeners:
        if listener.port is not None and not listener.tls and "client" in listener.resources:
            host = next(iter(listener.bind_addresses), "127.0.0.1")
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            return f"http://[{host}]:{listener.port}" if ":" in host else f"http://{host}:{listener.port}"
    return None


def _ask(base: str, body: dict[str, Any] | None) -> dict[str, Any]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + PATH, content, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as reply:
            answer: dict[str, Any] = json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            try:
                problem = json.load(error)
            except ValueError:
                problem = {}
        sentence = problem.get("error") or f"The server answers {error.code}."
        raise MatrixError(str(sentence)) from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"The running server does not answer at {base}: {error}.") from error
    return answer
