"""A real Sydent as an identity server, for interop tests. `TRELLIS_SYDENT_VENV` names the environment it is in.

Sydent speaks plain HTTP; homeservers reach it by TLS, so that a relay in this process takes the place of the reverse proxy.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import gevent
import requests
from gevent.server import StreamServer

from tests.servers.remote import Certificate
from tests.servers.trellis import START_SECONDS, free_port

VARIABLE = "TRELLIS_SYDENT_VENV"
MAIL = """From: {{ from }}
To: {{ to }}
Message-ID: {{ messageid }}
Subject: {{ subject_header_value or "Confirm your address" }}
Content-Type: text/plain; charset=UTF-8

"""
TEMPLATES = {
    "verification_template.eml.j2": MAIL + "{{ link }}\n",
    "invite_template.eml.j2": MAIL + "{{ sender_display_name }} invites you to {{ room_name }}\ntoken {{ token }}\n",
    "verify_response_template.html": "%(message)s",
}
TERMS = """master_version: "1"
docs:
  privacy_policy:
    version: "1"
    langs:
      en: {name: Privacy, url: "https://example.org/privacy"}
"""


def sydent_python() -> Path | None:
    """The Python to run it with; None where there is none."""
    folder = os.environ.get(VARIABLE)
    python = Path(folder or "") / "bin" / "python"
    return python if folder and python.exists() else None


class Sydent:
    """Its name is `localhost:PORT` with TLS on that port; `base` is where it listens itself."""

    def __init__(self, folder: Path, certificate: Certificate, smtp_port: int) -> None:
        self._folder, self._port = folder, free_port()
        self.base = f"http://127.0.0.1:{self._port}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._relay = StreamServer(("127.0.0.1", 0), self._pass_on, ssl_context=context)
        self._relay.init_socket()
        self.name = f"localhost:{self._relay.server_port}"
        self._write_files(smtp_port)

    @contextlib.contextmanager
    def running(self) -> Iterator[Sydent]:
        """Serve for the length of the block."""
        python = sydent_python()
        assert python is not None, f"{VARIABLE} must name an environment with Sydent"
        self._relay.start()
        with (self._folder / "sydent.log").open("ab") as log:
            environ = {**os.environ, "SYDENT_CONF": str(self._folder / "sydent.conf")}
            command = [str(python), "-m", "sydent.sydent"]
            process = subprocess.Popen(command, cwd=self._folder, env=environ, stdout=log, stderr=log)
        try:
            self._await_answer(process)
            yield self
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            self._relay.stop(timeout=1)

    def output(self) -> str:
        """What it has logged."""
        return (self._folder / "sydent.log").read_text()

    def _await_answer(self, process: subprocess.Popen) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                requests.get(f"{self.base}/_matrix/identity/versions", timeout=5)
                return
            time.sleep(0.05)
        raise AssertionError(f"Sydent did not start:\n{self.output()}")

    def _write_files(self, smtp_port: int) -> None:
        templates = self._folder / "templates" / "plain"
        templates.mkdir(parents=True)
        for name, text in TEMPLATES.items():
            (templates / name).write_text(text)
        (self._folder / "terms.yaml").write_text(TERMS)
        config = RawConfigParser()
        config.read_dict(
            {
                "general": {
                    "server.name": self.name,
                    "templates.path": str(templates.parent),
                    "brand.default": "plain",
                    "terms.path": str(self._folder / "terms.yaml"),
                    "ip.whitelist": "127.0.0.0/8,::1/128",
                },
                "db": {"db.file": str(self._folder / "sydent.db")},
                "http": {
                    "clientapi.http.bind_address": "127.0.0.1",
                    "clientapi.http.port": str(self._port),
                    "replication.https.port": str(free_port()),
                    "federation.verifycerts": "false",
                    "client_http_base": self.base,
                },
                "email": {
                    "email.from": "Sydent <noreply@identity.test>",
                    "email.smtphost": "127.0.0.1",
                    "email.smtpport": str(smtp_port),
                    "email.hostname": "identity.test",
                    "email.ratelimit_sender.burst": "1000",
                },
            }
        )
        with (self._folder / "sydent.conf").open("w") as file:
            config.write(file)

    def _pass_on(self, client: Any, address: Any) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as upstream:
            asking = gevent.spawn(_copy, client, upstream)
            _copy(upstream, client)
            asking.kill()
        client.close()


def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while read := source.recv(65_536):
            target.sendall(read)


class SydentUser:
    """A homeserver's user at an identity server: registered there by OpenID, and with the terms accepted."""

    def __init__(self, sydent: Sydent, user: Any) -> None:
        self._base, self.user = f"{sydent.base}/_matrix/identity/v2", user
        proof = user.post(f"/v3/user/{user.user_id}/openid/request_token")
        self.token = ""
        self.token = self.call("POST", "/account/register", proof)["token"]

    def accept_terms(self) -> SydentUser:
        """Accept whatever there is to accept."""
        policies = self.call("GET", "/terms")["policies"]
        urls = [text["url"] for policy in policies.values() for text in policy.values() if isinstance(text, dict)]
        self.call("POST", "/terms", {"user_accepts": urls})
        return self

    def validate(self, sink: Any, address: str, secret: str = "s3cret") -> dict[str, str]:
        """Show that an address is theirs by the mail that comes there; the session as `POST /account/3pid/bind` takes it."""
        asked = {"client_secret": secret, "email": address, "send_attempt": 1}
        sid = str(self.call("POST", "/validate/email/requestToken", asked)["sid"])
        assert requests.get(sink.to(address)[-1].link, timeout=10).status_code == 200
        return {"sid": sid, "client_secret": secret}

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request below /_matrix/identity/v2."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = requests.request(method, self._base + path, json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
