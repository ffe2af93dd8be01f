"""Our own server as a full citizen of a small network: TLS under its own name, certificates believed, loopback open."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.servers.remote import Certificate
from tests.servers.trellis import Server, free_port


class FederatingServer(Server):
    """A server whose name is `localhost:PORT` with TLS on that port; clients use plain HTTP on another, `base`."""

    def __init__(self, folder: Path, certificate: Certificate, database: dict | None = None, **config: object) -> None:
        self.federation_port = free_port()
        defaults: dict[str, object] = {
            "server_name": f"localhost:{self.federation_port}",
            "tls_certificate_path": str(certificate.certificate),
            "tls_private_key_path": str(certificate.key),
            "federation_verify_certificates": False,
            "ip_range_blacklist": [],
            "trusted_key_servers": [],
        }
        super().__init__(folder, database, **{**defaults, **config})
        self.name = f"localhost:{self.federation_port}"
        self.certificate = certificate
        self.config["listeners"].append(
            {
                "port": self.federation_port,
                "type": "http",
                "tls": True,
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["federation", "keys"]}],
            }
        )
        self.config_path.write_text(yaml.safe_dump(self.config))
        self.federation_base = f"https://localhost:{self.federation_port}"
