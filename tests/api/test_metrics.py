"""The metrics page of a real server: what the guide names is there, and counts what happened."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import requests

from tests.servers.trellis import ROOT, Server

GUIDE = ROOT / "docs/admin/serving.md"


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("metered"), enable_metrics=True, metrics_flags={"known_servers": True})
    server.config["listeners"][0]["resources"] = [{"names": ["client", "metrics", "health"]}]
    server.rewrite_config()
    server.start()
    yield server
    server.stop()


def figures(server: Server) -> dict[str, float]:
    text = requests.get(f"{server.base}/metrics", timeout=10).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in lines}


def test_the_servers_in_the_rooms_here_are_counted(metered: Server) -> None:
    metered.register().create_room()
    assert figures(metered)["trellis_federation_known_servers"] == 1


def test_what_is_written_is_counted(metered: Server) -> None:
    before = figures(metered)
    alice = metered.register()
    room = alice.create_room()
    for _ in range(5):
        alice.send(room)
    after = figures(metered)
    assert after["trellis_writer_group_jobs_sum"] >= before["trellis_writer_group_jobs_sum"] + 7
    assert after["trellis_writer_group_seconds_count"] >= after["trellis_writer_group_jobs_count"] > 0
    assert after["trellis_log_position"] >= before["trellis_log_position"] + 5
    failures = {name: number for name, number in after.items() if name.startswith("trellis_consumer_failures_total")}
    assert failures
    assert not any(failures.values())


def test_nothing_waits_for_the_writer_for_long(metered: Server) -> None:
    metered.register()
    deadline = time.monotonic() + 20
    while figures(metered)["trellis_writer_waiting_jobs"]:  # those who follow the log write now and then
        assert time.monotonic() < deadline


def test_a_request_that_is_refused_an_address_is_counted(metered: Server) -> None:
    alice = metered.register()
    answer = requests.get(
        f"{metered.base}/_matrix/client/v3/profile/@a:127.0.0.1:1",
        headers={"Authorization": f"Bearer {alice.token}"},
        timeout=20,
    )
    assert answer.status_code in {403, 404, 502, 503}
    assert figures(metered)['trellis_outbound_failures_total{reason="AddressRefused"}'] >= 1


def test_the_guide_names_every_metric_of_the_server_and_no_other(metered: Server) -> None:
    text = requests.get(f"{metered.base}/metrics", timeout=10).text
    shown = {name for name in re.findall(r"^# TYPE (trellis_\w+) ", text, re.M) if not name.endswith("_created")}
    named = set(re.findall(r"`(trellis_\w+)`", GUIDE.read_text()))
    assert named == shown
