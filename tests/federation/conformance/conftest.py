"""A room and a guest of a fake server, who speaks raw signed HTTP."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.servers.hostile_server import Hostile


def segment(text):
    """A path segment."""
    return quote(text, safe="")


def refusal(answer):
    """(status, errcode) of an answer."""
    return answer.status_code, answer.json().get("errcode")


@pytest.fixture
def alice(alpha):
    """A user of the server under test."""
    return alpha.register()


@pytest.fixture
def guest_of(alpha, remote):
    """Make a guest of a room; they have not joined yet."""
    return lambda room_id, name="guest": Hostile(remote, alpha, room_id, name)


@pytest.fixture
def shared(alice, guest_of):
    """A public room that a guest has joined."""
    guest = guest_of(alice.create_room(preset="public_chat"))
    guest.join()
    return alice, guest
