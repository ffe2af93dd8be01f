"""Whatever comes in gets a verdict or is refused: no other exception, and no event that costs 50 ms."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from core.errors import AuthRuleViolation, EventRefused
from core.events.auth_rules import auth_event_keys, authorize, check_auth_events
from core.events.event import Event
from core.events.formats import parse_event
from core.events.hashes import content_hash, has_valid_content_hash, reference_hash
from core.events.power_levels import PowerLevels
from core.events.redaction import may_redact, redact
from core.events.room_versions import RoomVersion
from core.events.signatures import servers_that_must_sign, signatures_of
from tests.unit.events.builders import VERSIONS, Room
from tests.unit.events.junk import junk_pdu

MOST_SECONDS = 0.05


def judge(pdu: Any, room: Room) -> Event | None:
    """Everything that is done with an event that comes in. Returns it where it is one."""
    if isinstance(pdu, dict):
        has_valid_content_hash(pdu)
        signatures_of(pdu, "a.example")
        redact(pdu, room.version)
        for hashed in (content_hash, lambda given: reference_hash(given, room.version)):
            with suppress(EventRefused):
                hashed(pdu)
    try:
        event = parse_event(pdu, room.version)
    except EventRefused:
        return None
    servers_that_must_sign(event)
    auth_event_keys(room.version, event.type, event.sender, event.state_key, event.content)
    levels = PowerLevels.of(room.state)
    levels.to_send(event.type, event.is_state)
    levels.of_user(event.sender)
    may_redact(event, room.create, room.state)
    for check in (
        lambda: check_auth_events(event, [room.create, event], lambda _: False),
        lambda: authorize(event, room.state),
    ):
        with suppress(AuthRuleViolation):
            check()
    return event


def judge_many(version: RoomVersion, seed: int, count: int) -> tuple[int, float]:
    """Judge `count` junk events, each against a state that earlier ones made; returns how many were events, and the
    most CPU seconds that one took."""
    random, slowest, parsed = Random(seed), 0.0, 0
    room = Room(version)
    for number in range(count):
        if number % 50 == 0:
            room = Room(version)
        pdu = junk_pdu(random, version, room.room_id)
        start = time.thread_time()
        event = judge(pdu, room)
        slowest = max(slowest, time.thread_time() - start)
        if event is not None:
            parsed += 1
            if event.is_state and event.type != "m.room.create":
                room.events[event.key] = event
    return parsed, slowest


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
def test_junk_is_refused_or_judged(version: RoomVersion) -> None:
    parsed, slowest = judge_many(version, seed=int(version.id), count=500)
    assert 40 < parsed < 450
    assert slowest < MOST_SECONDS


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
def test_a_million_junk_events_are_refused_or_judged(version: RoomVersion) -> None:
    _, slowest = judge_many(version, seed=time.time_ns(), count=int(os.environ.get("JUNK_EVENTS", "1000000")))
    assert slowest < MOST_SECONDS
