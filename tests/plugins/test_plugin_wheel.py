"""A package of somebody else's, built, installed with pip, found, and at work. No network."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_WORK = """
from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from core.hooks.loading import load_plugins
from core.hooks.specs import contributions, permissions
from flask import Flask

plugins = load_plugins(api_for=lambda name: LateApi(name, ServerFacts("example.org", None)))
print(*[summary.name for summary in plugins.summaries()])
print(plugins.judge(permissions.check_username, localpart="mallory", is_guest=False).reason)
app = Flask("test")
for contribution in plugins.contributions(contributions.contribute_blueprints):
    app.register_blueprint(contribution.item)
print(app.test_client().get("/_sample/hello").json)
"""


def run(*command, env=None):
    """Output of a command. Fails with its error output."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A fresh environment that sees this one's packages and this checkout, with the sample installed from a wheel."""
    folder = tmp_path_factory.mktemp("scratch")
    source = shutil.copytree(ROOT / "tests/sample_plugin", folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    run(*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    venv.create(folder / "env", with_pip=False)
    (packages,) = (folder / "env/lib").glob("python*/site-packages")
    installed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "host.pth").write_text("\n".join([*installed, str(ROOT)]))
    python = str(folder / "env/bin/python")
    (wheel,) = folder.glob("trellis_sample-*.whl")
    run(*pip, "--python", python, "install", *offline, str(wheel))
    return python


def test_an_installed_package_judges_and_serves(scratch):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found, verdict, answer = run(scratch, "-c", AT_WORK, env=env).splitlines()
    assert (
        found
        == "bcrypt_passwords filesystem_media presence sample_accounts sample_diary sample_guestbook sample_rules smtp_mail"
    )
    assert verdict == "That name is taken."
    assert answer == "{'hello': 'example.org'}"
