"""A server that was away for a day, by its clock: every room it shares is current within two minutes."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.pool import Pool

from tests.servers.federating import FederatingServer

ROOMS, MESSAGES = 200, 10
DAY_SECONDS = 86_400
WITHIN_SECONDS = 120


class Skewed(FederatingServer):
    """Its clock is wrong by `skew` seconds from the next start on."""

    skew = 0

    def command(self) -> list[str]:
        """How it is run."""
        return [self.python, "-m", "tests.federation.chaos.skewed", str(self.skew), "-k", "gevent", "core.wsgi"]


@pytest.fixture
def pair(tmp_path_factory, certificate):
    """Two servers."""
    unlimited = {"rc_message": {"per_second": 1000, "burst_count": 10_000}}
    servers = [Skewed(tmp_path_factory.mktemp("skewed"), certificate, **unlimited).start() for _ in range(2)]
    yield servers
    for server in servers:
        server.stop()


def latest(user):
    """The id of the newest event of each room, as a first sync has it."""
    answer = user.sync(filter='{"room":{"timeline":{"limit":1}}}')
    return {room: found["timeline"]["events"][-1]["event_id"] for room, found in answer["rooms"]["join"].items()}


@pytest.mark.soak
def test_all_rooms_are_current_within_two_minutes_after_a_day(pair):
    here, away = pair
    alice, bob = here.register(), away.register()
    rooms = [alice.create_room(preset="public_chat") for _ in range(ROOMS)]
    Pool(4).map(lambda room_id: bob.join(room_id, via=here.name), rooms)
    away.stop()
    sent = {room_id: [alice.send(room_id, f"{n}") for n in range(MESSAGES)] for room_id in rooms[: ROOMS // 2]}
    here.stop()
    here.skew = away.skew = DAY_SECONDS
    here.start()
    sent |= {room_id: [alice.send(room_id, f"{n}") for n in range(MESSAGES)] for room_id in rooms[ROOMS // 2 :]}
    expected = {room_id: events[-1] for room_id, events in sent.items()}
    away.start()
    begun = time.monotonic()
    while latest(bob) != expected:
        assert time.monotonic() - begun < WITHIN_SECONDS
        gevent.sleep(0.5)
    print(f"{ROOMS} rooms were current after {time.monotonic() - begun:.1f} s")
