"""A server loads what it needs: libraries for what nobody has asked for yet are neither read nor kept in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.servers.trellis import base_config, free_port

ROOT = Path(__file__).parents[2]
FOR_LATER = {
    "PIL",
    "pymysql",
    "cryptography",
    "smtplib",
    "boto3",
    "botocore",
    "dns",
    "requests",
    "redis",
    "urllib3",
    "prometheus_client",
}
STARTED = """
from gevent import monkey
monkey.patch_all()
import sys
from core.app import build
from core.config import load_config
from core.config.first_start import prepare
app = build(prepare(load_config()))
app.start()
print(*{name.partition(".")[0] for name in sys.modules})
app.close()
"""


def test_an_idle_server_on_sqlite_has_not_loaded_what_few_servers_need(tmp_path: Path) -> None:
    config = tmp_path / "homeserver.yaml"
    config.write_text(yaml.safe_dump(base_config(tmp_path, free_port())))
    env = {**os.environ, "HS_CONFIG": str(config)}
    started = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, env=env, capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    assert FOR_LATER & set(started.stdout.split()) == set()
