"""A real Synapse as a neighbor, for interop tests. `TRELLIS_SYNAPSE_VENV` names the environment it is in."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from tests.servers.remote import Certificate
from tests.servers.trellis import UNLIMITED, Server, free_port

VARIABLE = "TRELLIS_SYNAPSE_VENV"


def synapse_python() -> Path | None:
    """The Python to run it with; None where there is none."""
    folder = os.environ.get(VARIABLE)
    python = Path(folder or "") / "bin" / "python"
    return python if folder and python.exists() else None


class Synapse(Server):
    """Its name is `HOST:PORT` with TLS on that port; clients use plain HTTP on another, `base`."""

    def __init__(self, folder: Path, certificate: Certificate, host: str = "localhost", **config: object) -> None:
        self.federation_port = free_port()
        name = f"{host}:{self.federation_port}"
        defaults: dict[str, object] = {
            "server_name": name,
            "tls_certificate_path": str(certificate.certificate),
            "tls_private_key_path": str(certificate.key),
            "federation_verify_certificates": False,
            "ip_range_blacklist": [],
            "trusted_key_servers": [],
            "report_stats": False,
            "suppress_key_server_warning": True,
            "log_config": str(folder / "log.yaml"),
            "rc_registration_token_validity": UNLIMITED,
        }
        super().__init__(folder, **{**defaults, **config})
        self.name = name
        self.federation_base = f"https://{self.name}"
        (folder / "log.yaml").write_text(
            "version: 1\nhandlers: {out: {class: logging.StreamHandler}}\n"
            "root: {level: WARNING, handlers: [out]}\ndisable_existing_loggers: false\n"
        )
        (folder / "signing.key").write_text("ed25519 a_syn AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n")
        self.config["listeners"] = [
            {**listener, "resources": [{"names": ["client", "federation"]}]} for listener in self.config["listeners"]
        ]
        self.config["listeners"].append(
            {
                "port": self.federation_port,
                "type": "http",
                "tls": True,
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["federation"]}],
            }
        )
        self.config_path.write_text(yaml.safe_dump(self.config))

    def command(self) -> list[str]:
        """How it is run."""
        python = synapse_python()
        assert python is not None, f"{VARIABLE} must name an environment with Synapse"
        return [str(python), "-m", "synapse.app.homeserver", "-c", str(self.config_path)]
