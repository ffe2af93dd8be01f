"""Every case of tests/vectors/state_resolution comes out as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.graph_resolve import resolve_case

VECTORS = Path(__file__).parents[2] / "vectors" / "state_resolution"


def load(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return case


@pytest.mark.parametrize("name", sorted(path.stem for path in VECTORS.glob("*.json")))
def test_a_published_case_resolves_as_it_says(name: str) -> None:
    case = load(name)
    assert resolve_case(case) == {"resolved": case["resolved"]}
    assert resolve_case({**case, "state_sets": case["state_sets"][::-1]}) == {"resolved": case["resolved"]}


def test_a_trace_names_the_rule_and_the_event_that_refused() -> None:
    trace = resolve_case(load("v2-join-rule-evasion"), explain=True)["trace"]
    (refused,) = trace["refused"]
    assert (refused["event"], refused["rule"]) == ("$dave", "4.3.7")
    assert {"type": "m.room.join_rules", "state_key": "", "event": "$jr-invite"} in refused["against"]


def test_a_trace_shows_what_was_in_question_and_the_order_tried() -> None:
    trace = resolve_case(load("v2.1-msc4297-problem-b"), explain=True)["trace"]
    assert trace["conflicted"] == [{"type": "m.room.power_levels", "state_key": "", "events": ["$pl1", "$pl3"]}]
    assert trace["conflicted_subgraph"] == ["$bob", "$jr", "$pl2"]
    assert trace["power_events"] == ["$pl1", "$jr", "$pl2", "$bob", "$pl3"]
    assert trace["accepted"] == trace["power_events"]


def test_a_trace_places_other_events_on_the_mainline() -> None:
    trace = resolve_case(load("v2-topic-without-power-levels"), explain=True)["trace"]
    assert trace["other_events"] == [
        {"event": "$topic-first", "mainline_position": None},
        {"event": "$topic-new", "mainline_position": 0},
    ]


def test_a_trace_of_version_1_names_refusals() -> None:
    trace = resolve_case(load("v1-nothing-allowed"), explain=True)["trace"]
    assert [refused["event"] for refused in trace["refused"]] == ["$topic-2", "$topic-1"]
    assert trace["algorithm"] == "1"


def test_before_there_are_power_levels_the_creator_goes_first_and_who_cites_nothing_has_no_power() -> None:
    case = load("v2-topic-race")
    base = [pdu for pdu in case["events"] if pdu["event_id"] in ("$create", "$alice", "$bob")]

    def rules(event_id: str, sender: str, ts: int, *auth: str) -> dict[str, Any]:
        pdu = {**base[0], "event_id": event_id, "type": "m.room.join_rules", "sender": sender, "auth_events": [*auth]}
        return {**pdu, "content": {"join_rule": "public"}, "origin_server_ts": ts}

    competing = [
        rules("$by-bob", "@bob:b.example", 10, "$create", "$bob"),
        rules("$by-nobody", "@alice:a.example", 15),
        rules("$by-creator", "@alice:a.example", 20, "$create", "$alice"),
    ]
    shared = ["$create", "$alice"]
    sets = [[*shared, pdu["event_id"]] for pdu in competing]
    answer = resolve_case({"room_version": "10", "events": base + competing, "state_sets": sets}, explain=True)
    order = [one for one in answer["trace"]["power_events"] if one.startswith("$by")]
    assert order == ["$by-creator", "$by-bob", "$by-nobody"]
