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
    "jinja2",
    "click",
    "werkzeug.serving",
    "werkzeug.test",
}
STARTED = """
from gevent import monkey
monkey.patch_all()
import sys
from types import SimpleNamespace
from core.wsgi import application
application.start(SimpleNamespace(config=None, age=2))
print(*sys.modules)
application.close()
"""


def test_an_idle_server_on_sqlite_has_not_loaded_what_few_servers_need(tmp_path: Path) -> None:
    config = tmp_path / "homeserver.yaml"
    config.write_text(yaml.safe_dump(base_config(tmp_path, free_port())))
    env = {**os.environ, "HS_CONFIG": str(config)}
    started = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, env=env, capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    assert FOR_LATER & set(started.stdout.split()) == set()


RENDERS = """
from core.web.lean_flask import import_flask
import_flask()
import sys
from flask import Blueprint, Flask, render_template_string
assert "jinja2" not in sys.modules and "click" not in sys.modules
pages = Blueprint("pages", "pages")
pages.cli.command("count")(lambda: None)
pages.get("/")(lambda: render_template_string("{{ 6 * 7 }} {{ request.path }}"))
app = Flask("app")
app.register_blueprint(pages)
print(app.test_client().get("/").text, list(app.cli.commands["pages"].commands))
"""


def test_flask_fetches_templates_and_commands_when_a_plugin_uses_them() -> None:
    done = subprocess.run([sys.executable, "-c", RENDERS], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "42 / ['count']\n", done.stderr
