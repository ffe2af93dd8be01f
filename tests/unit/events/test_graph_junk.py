"""Junk cases of `hsctl graph verify` and `hsctl graph auth` are answered, or refused with a sentence."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from core.cli.graph_auth import auth_case
from core.cli.graph_verify import verify_case
from core.errors import MatrixError
from core.events.room_versions import RoomVersion
from tests.unit.events.builders import VERSIONS, Room
from tests.unit.events.junk import junk_pdu

KEYS: list[Any] = [{}, {"a.example": {"ed25519:1": "A" * 43}}, 5, {"a.example": 5}, {"a.example": {"ed25519:1": None}}]


def answered(answer: Any, case: dict[str, Any]) -> bool:
    """Whether the case was answered; raises what is no MatrixError."""
    try:
        return isinstance(answer(case, explain=True), dict)
    except MatrixError as error:
        assert error.sentence  # noqa: PT017  # nothing else is raised, which is the point
        return False


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
def test_junk_cases_are_answered_or_refused(version: RoomVersion) -> None:
    random, room, verdicts = Random(int(version.id)), Room(version), []
    events = [{**event.pdu, "event_id": event.event_id} for event in room.events.values()]
    for _ in range(300):
        pdu = junk_pdu(random, version, room.room_id)
        state = random.choice([["$create"], [event["event_id"] for event in events], ["$x"], 5, [5]])
        auth = {"room_version": version.id, "events": events, "event": pdu, "auth_events": state}
        among = {**auth, "events": [*events, pdu], "event": random.choice(["$e:a.example", "$create", "$x", 5])}
        verify = {"room_version": version.id, "event": pdu, "keys": random.choice(KEYS)}
        verdicts += [answered(auth_case, auth), answered(auth_case, among), answered(verify_case, verify)]
    assert 100 < sum(verdicts) < 900
