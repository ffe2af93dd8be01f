"""nginx and HAProxy with the samples that contrib/ gives away, on ports and with certificates of the tests."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import requests

from tests.servers.remote import Certificate
from tests.servers.trellis import ROOT, free_port
from tests.services import program

START_SECONDS = 10


class Proxy:
    """One proxy process. `base` is where it listens, with a TLS certificate that `certificate` verifies."""

    def __init__(self, folder: Path, command: list[str], port: int, certificate: Certificate) -> None:
        self.certificate = str(certificate.certificate)
        self.base = f"https://localhost:{port}"
        self._output = folder / "proxy.log"
        self._command = command
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Proxy:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                requests.get(f"{self.base}/health", timeout=5, verify=self.certificate)
                return self
            except requests.RequestException:
                time.sleep(0.02)
        self.__exit__()
        raise AssertionError(f"the proxy did not start:\n{self._output.read_text()}")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def nginx(folder: Path, certificate: Certificate, server_port: int, replaced: dict[str, str] | None = None) -> Proxy:
    """The sample for nginx; `replaced` are mistakes to make in it."""
    port = free_port()
    sample = _sample(
        "nginx/matrix.conf",
        {
            "127.0.0.1:8008": f"127.0.0.1:{server_port}",
            "    listen 8448 ssl;\n": "",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/matrix/fullchain.pem": str(certificate.certificate),
            "/etc/ssl/matrix/privkey.pem": str(certificate.key),
            **(replaced or {}),
        },
    )
    temporary = "\n".join(
        f"    {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    around = (
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/proxy.log;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{temporary}\n{sample}\n}}\n"
    )
    config = folder / "nginx.conf"
    config.write_text(around)
    return Proxy(folder, [program("nginx"), "-p", str(folder), "-c", str(config)], port, certificate)


def haproxy(folder: Path, certificate: Certificate, server_port: int) -> Proxy:
    """The sample for HAProxy."""
    port = free_port()
    both = folder / "both.pem"
    both.write_text(certificate.certificate.read_text() + certificate.key.read_text())
    config = folder / "haproxy.cfg"
    config.write_text(
        _sample(
            "haproxy/haproxy.cfg",
            {
                "127.0.0.1:8008": f"127.0.0.1:{server_port}",
                "    bind :8448 ssl crt /etc/ssl/matrix/both.pem\n": "",
                "bind :443": f"bind 127.0.0.1:{port}",
                "/etc/ssl/matrix/both.pem": str(both),
            },
        )
    )
    return Proxy(folder, [program("haproxy"), "-f", str(config), "-db"], port, certificate)


def _sample(name: str, replaced: dict[str, str]) -> str:
    text = (ROOT / "contrib" / name).read_text()
    for old, new in replaced.items():
        assert old in text, f"{name} has no {old!r} any more"
        text = text.replace(old, new)
    return text
