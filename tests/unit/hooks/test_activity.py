"""When plugins are told that a device syncs."""

from types import SimpleNamespace

import pytest

from core.hooks.specs import observers
from core.ids import Requester
from core.sync import activity
from core.sync.activity import ACTED_SECONDS, TOLD_SECONDS, Activity

ALICE = Requester("@alice:x", 1, "PHONE", 1)
TABLET = Requester("@alice:x", 1, "TABLET", 2)


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock():
    return SimpleNamespace(now=0.0)


@pytest.fixture
def noted(told, clock):
    def tell(hook, **arguments):
        assert hook is observers.user_active
        told.append((arguments["device_id"], "acts" if arguments["is_acting"] else arguments["set_presence"]))

    return Activity(SimpleNamespace(has=lambda hook: True, tell=tell), lambda: clock.now)


def test_a_device_is_told_of_at_once_and_then_now_and_then(noted, told, clock):
    for now in (0, 1, TOLD_SECONDS - 1, TOLD_SECONDS):
        clock.now = now
        noted.note(ALICE, "online")
    assert told == [("PHONE", "online")] * 2


def test_another_device_and_another_presence_are_told_at_once(noted, told):
    for requester, state in ((ALICE, "online"), (TABLET, "online"), (ALICE, "offline"), (ALICE, "offline")):
        noted.note(requester, state)
    assert told == [("PHONE", "online"), ("TABLET", "online"), ("PHONE", "offline")]


def test_that_a_user_acts_is_told_now_and_then(noted, told, clock):
    for now in (0, 1, ACTED_SECONDS - 1, ACTED_SECONDS):
        clock.now = now
        noted.acted(ALICE)
    assert told == [("PHONE", "acts")] * 2


def test_of_too_many_devices_the_longest_ago_is_forgotten(noted, told, monkeypatch):
    monkeypatch.setattr(activity, "MAX_DEVICES", 1)
    for requester in (ALICE, TABLET, ALICE):
        noted.note(requester, "online")
        noted.acted(requester)
    assert len(told) == 6
