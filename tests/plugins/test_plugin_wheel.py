"""A package of somebody else's, built, installed with pip, found, and at work. No network."""

import os

from tests.plugins.scratch import run

AT_WORK = """
from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from core.hooks.loading import load_plugins
from core.hooks.specs import contributions, permissions
from flask import Flask

plugins = load_plugins(api_for=lambda name: LateApi(name, ServerFacts("example.org", None)), disabled=["filesystem_media"])
print(*[summary.name for summary in plugins.summaries()])
print(plugins.judge(permissions.check_username, localpart="mallory", is_guest=False).reason)
app = Flask("test")
for contribution in plugins.contributions(contributions.contribute_blueprints):
    app.register_blueprint(contribution.item)
print(app.test_client().get("/_sample/hello").json)
"""


def test_an_installed_package_judges_and_serves(scratch):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found, verdict, answer = run(scratch, "-c", AT_WORK, env=env).splitlines()
    ours = [
        "account_validity",
        "bcrypt_passwords",
        "house_rules",
        "message_search",
        "presence",
        "smtp_mail",
        "url_previews",
        "user_directory",
    ]
    assert sorted(found.split()) == sorted(
        [*ours, *(f"sample_{name}" for name in ("accounts", "diary", "guestbook", "rules"))]
    )
    assert verdict == "That name is taken."
    assert answer == "{'hello': 'example.org'}"
