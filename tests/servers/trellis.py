"""Our own server as a subprocess: `gunicorn -k gevent core.wsgi` with a config file, on a free port."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import requests
import yaml

ROOT = Path(__file__).parents[2]
SECRET = "secret-of-the-tests"
WITHOUT_PRESENCE = '{"presence": {"not_types": ["m.presence"]}}'
UNLIMITED = {"per_second": 1_000_000, "burst_count": 1_000_000}
START_SECONDS = 110
"""A start takes 2 s of one core, which a machine with much else to do may spread over a minute; one that fails ends at once."""


def free_port(following: int = 0) -> int:
    """A TCP port that was free a moment ago, and so many after it. None of those from which the system takes the ports of
    outgoing connections, one of which could have it before the server that it is for.
    """
    while True:
        first = random.randrange(10_000, 32_000)
        with ExitStack() as probes:
            try:
                for port in range(first, first + following + 1):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first


def base_config(folder: Path, port: int, database: dict | None = None) -> dict:
    """A configuration with the rate limits out of the way and cheap password hashes."""
    return {
        "server_name": f"localhost:{port}",
        "data_dir": str(folder),
        "public_baseurl": f"http://127.0.0.1:{port}/",
        "listeners": [
            {
                "port": port,
                "type": "http",
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["client", "federation", "health"]}],
            }
        ],
        "database": database or {"name": "sqlite3", "args": {"database": str(folder / "hs.db")}},
        "signing_key_path": str(folder / "signing.key"),
        "media_store_path": str(folder / "media"),
        "registration_shared_secret": SECRET,
        "macaroon_secret_key": "of-the-tests",
        "form_secret": "of-the-tests",
        "bcrypt_rounds": 4,
        "rc_message": UNLIMITED,
        "rc_registration": UNLIMITED,
        "rc_login": {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED},
        "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
        "rc_joins_per_room": UNLIMITED,
        "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
        "rc_room_creation": UNLIMITED,
        "rc_delayed_event_mgmt": UNLIMITED,
        "rc_admin_redaction": UNLIMITED,
        "rc_media_create": UNLIMITED,
        "rc_key_requests": UNLIMITED,
        "rc_presence": {"per_user": UNLIMITED},
        "rc_reports": UNLIMITED,
        "rc_user_directory": UNLIMITED,
        "rc_third_party_invite": UNLIMITED,
        "rc_3pid_validation": UNLIMITED,
        "rc_federation": {"sleep_limit": 1_000_000, "reject_limit": 1_000_000, "concurrent": 1_000},
    }


class Server:
    """One server with a folder of its own. `start` may be called again after `stop` or `kill`."""

    def __init__(self, folder: Path, database: dict | None = None, **config: object) -> None:
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.name = f"localhost:{self.port}"
        self.config_path = folder / "homeserver.yaml"
        self.config = {**base_config(folder, self.port, database), **config}
        self.rewrite_config()
        self.process: subprocess.Popen | None = None
        self.python = sys.executable
        self.env: dict[str, str] = {}
        self._names = itertools.count(1)

    def rewrite_config(self) -> None:
        """Write `config` to the file that the next start, or a reload, reads."""
        self.config_path.write_text(yaml.safe_dump(self.config))

    def start(self) -> Server:
        """Start and wait for the first answer."""
        log = (self.folder / "stdout.log").open("ab")
        env = {**os.environ, "HS_CONFIG": str(self.config_path), **self.env}
        self.process = subprocess.Popen(
            self.command(), cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                requests.get(f"{self.base}/_matrix/client/versions", timeout=5)
                return self
            except requests.RequestException:
                time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server did not start:\n{self.output()}")

    def command(self) -> list[str]:
        """How it is run."""
        return [self.python, "-m", "gunicorn", "-k", "gevent", "core.wsgi"]

    def stop(self) -> int | None:
        """End it as an administrator would; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def output(self) -> str:
        """What it has printed."""
        return (self.folder / "stdout.log").read_text()

    def register(self, localpart: str | None = None, admin: bool = False, password: str = "pässword") -> User:
        """A new account, made with the shared secret."""
        localpart = localpart or f"user{next(self._names)}"
        nonce = requests.get(f"{self.base}/_synapse/admin/v1/register", timeout=10).json()["nonce"]
        role = "admin" if admin else "notadmin"
        message = b"\0".join(part.encode() for part in (nonce, localpart, password, role))
        mac = hmac.new(SECRET.encode(), message, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac}
        answer = requests.post(f"{self.base}/_synapse/admin/v1/register", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return User(self.base, found["user_id"], found["access_token"], found["device_id"])

    def login(self, user: User, password: str = "pässword", device_id: str | None = None) -> User:
        """Another session of an account."""
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user.user_id}}
        wanted = {**body, "password": password, **({"device_id": device_id} if device_id else {})}
        answer = requests.post(f"{self.base}/_matrix/client/v3/login", json=wanted, timeout=30)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return User(self.base, found["user_id"], found["access_token"], found["device_id"])

    def _end(self, sig: int) -> int | None:
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


class Refused(AssertionError):
    """An answer other than 200, with its Matrix error."""

    def __init__(self, status: int, body: dict) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.errcode = status, body, body.get("errcode")


class User:
    """An account on a server, speaking raw HTTP; each call returns the answer's JSON or raises Refused."""

    def __init__(self, base: str, user_id: str, token: str, device_id: str) -> None:
        self.base, self.user_id, self.token, self.device_id = base, user_id, token, device_id
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.trust_env = False
        self._txn = itertools.count(1)

    def call(self, method: str, path: str, body: object = None, **query: object) -> dict:
        """One request below /_matrix/client; path segments that need it are already quoted."""
        url = f"{self.base}/_matrix/client{path}"
        answer = self._session.request(method, url, json=body, params=query or None, timeout=60)
        found = answer.json()
        if answer.status_code != 200:
            raise Refused(answer.status_code, found)
        return found

    def get(self, path: str, **query: object) -> dict:
        """GET below /_matrix/client."""
        return self.call("GET", path, **query)

    def post(self, path: str, body: object = None, **query: object) -> dict:
        """POST below /_matrix/client."""
        return self.call("POST", path, {} if body is None else body, **query)

    def put(self, path: str, body: object = None, **query: object) -> dict:
        """PUT below /_matrix/client."""
        return self.call("PUT", path, {} if body is None else body, **query)

    def create_room(self, **options: object) -> str:
        """A new room; its id."""
        return self.post("/v3/createRoom", options)["room_id"]

    def join(self, room: str, **query: object) -> None:
        """Join by id or alias."""
        self.post(f"/v3/join/{quote(room, safe='')}", {}, **query)

    def send(self, room: str, body: object = "hello", type_: str = "m.room.message") -> str:
        """Send a text, or any content as an object; the event's id."""
        content = {"msgtype": "m.text", "body": body} if isinstance(body, str) else body
        return self.put(f"/v3/rooms/{quote(room, safe='')}/send/{type_}/t{next(self._txn)}", content)["event_id"]

    def set_state(self, room: str, type_: str, content: dict, key: str = "") -> str:
        """Send a state event; its id."""
        path = f"/v3/rooms/{quote(room, safe='')}/state/{type_}/{quote(key, safe='')}"
        return self.put(path, content)["event_id"]

    def sync(self, since: str | None = None, timeout: int = 0, **query: object) -> dict:
        """One sync."""
        return self.get("/v3/sync", timeout=timeout, **({"since": since} if since else {}), **query)

    def wait(self, since: str, timeout: int = 20_000) -> dict:
        """A sync that waits for news, of which presence is none: it is told to everybody now and then."""
        return self.sync(since, timeout, filter=WITHOUT_PRESENCE)
