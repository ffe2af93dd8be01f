"""Builders for the tests of the hooks."""

import pytest

from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from core.hooks.guard import Guard
from core.hooks.loading import load_plugins
from core.hooks.manager import PluginManager


class Clock:
    """A clock that goes on when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def api_for(name):
    return LateApi(name, ServerFacts("example.org", None))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def plugins(clock):
    return PluginManager(guard=Guard(clock))


@pytest.fixture
def load():
    """Loads the plugins of `modules`, and of no installed package but those given."""

    def load(*modules, installed=(), **options):
        return load_plugins(modules, api_for=api_for, installed=installed, **options)

    return load
