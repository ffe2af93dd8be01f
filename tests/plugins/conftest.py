"""The sample package, loaded from its folder together with the server's own plugins."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.events.event import Event
from core.events.room_versions import room_version
from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from core.hooks.loading import load_plugins
from tests.plugins.scratch import scratch_environment

SAMPLE = Path(__file__).parents[1] / "sample_plugin"
POINTS = {
    "sample_rules": "trellis_sample.rules:Rules",
    "sample_accounts": "trellis_sample.accounts:Accounts",
    "sample_guestbook": "trellis_sample.guestbook:Guestbook",
    "sample_diary": "trellis_sample.diary",
}
ACCOUNTS = {"passwords": {"carol": "secret"}, "badges": {"7": "dave"}, "expired": ["eve"], "trusted": ["trent"]}


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    """The interpreter of an environment in which the sample is installed."""
    return scratch_environment(tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def apis():
    """The facade each plugin got, by name."""
    return {}


@pytest.fixture
def plugins(monkeypatch, apis, tmp_path):
    """Every plugin of the sample and the server's own."""

    def api_for(name):
        apis[name] = LateApi(name, ServerFacts("example.org", None))
        return apis[name]

    monkeypatch.syspath_prepend(str(SAMPLE))
    yield load_plugins(
        [{"module": "sample_accounts", "config": ACCOUNTS}],
        api_for=api_for,
        defaults={"bcrypt_passwords": {"rounds": 4}, "filesystem_media": {"path": str(tmp_path / "media")}},
        installed=[EntryPoint(name, value, "trellis.plugins") for name, value in POINTS.items()],
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "trellis_sample"]:
        del sys.modules[name]


@pytest.fixture
def message():
    """Makes a message event."""

    def make(body="hi", sender="@alice:example.org"):
        content = {"msgtype": "m.text", "body": body}
        version = room_version("11")
        return Event(version, "$e", "!r:example.org", "m.room.message", sender, None, content, (), (), 1, 1, None, {})

    return make


@pytest.fixture
def room():
    """Makes a view of a room with a topic, or of one without."""

    def make(topic=None):
        event = topic and SimpleNamespace(content={"topic": topic})
        return SimpleNamespace(room_id="!r:example.org", state_event=lambda type, state_key="": event)

    return make
