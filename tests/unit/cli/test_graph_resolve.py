"""`hsctl graph resolve`: input, answers and exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cli.graph_cases import read_cases
from core.cli.graph_resolve import main, resolve_case
from core.errors import BadJson, MatrixError

CREATE = {
    "event_id": "$create",
    "type": "m.room.create",
    "state_key": "",
    "sender": "@a:a",
    "room_id": "!r:a",
    "content": {"creator": "@a:a"},
    "auth_events": [],
}
CASE = {"room_version": "10", "events": [CREATE], "state_sets": [["$create"], ["$create"]]}


def answers(source: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[Any]]:
    path = tmp_path / "case.json"
    path.write_bytes(source)
    code = main([str(path), *options])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_case_may_span_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers(json.dumps(CASE, indent=2).encode(), tmp_path, capsys) == (0, [{"resolved": ["$create"]}])


def test_each_line_is_a_case_of_its_own_and_lines_end_at_lf_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = json.dumps({**CASE, "note": "\u2028\u0085\u000b"}, ensure_ascii=False).encode()
    code, lines = answers(odd + b"\n" + b"{}\nnonsense\n" + odd, tmp_path, capsys)
    assert code == 0
    assert [sorted(line) for line in lines] == [["resolved"], ["error"], ["error"], ["resolved"]]


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CASE).encode())))
    assert main(["-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"resolved": ["$create"]}


def test_explain_adds_the_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, (answer,) = answers(json.dumps(CASE).encode(), tmp_path, capsys, "--explain")
    assert answer["trace"]["algorithm"] == "2"


@pytest.mark.parametrize("source", [b"", b" \n", b"{", b"\xff{}", b"[" * 100_000])
def test_what_cannot_be_read_ends_with_code_2(
    source: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (answer,) = answers(source, tmp_path, capsys)
    assert (code, list(answer)) == (2, ["error"])


def test_a_missing_file_ends_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/nowhere/case.json"]) == 2
    assert "/nowhere/case.json" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"room_version": "99"}, "'99'"),
        ({"room_version": 10}, "10"),
        ({"room_version": []}, "[]"),
        ({"events": {}}, "events"),
        ({"events": [[]]}, "Event 1"),
        ({"events": [{**CREATE, "event_id": 7}]}, "event_id"),
        ({"events": [{**CREATE, "room_id": None}]}, "room_id"),
        ({"events": [{**CREATE, "content": []}]}, "content"),
        ({"events": [{**CREATE, "depth": "1"}]}, "depth"),
        ({"events": [{**CREATE, "origin_server_ts": True}]}, "origin_server_ts"),
        ({"events": [{**CREATE, "auth_events": [1]}]}, "auth_events"),
        ({"events": [{**CREATE, "prev_events": "$x"}]}, "prev_events"),
        ({"events": [{**CREATE, "state_key": None}]}, "state_key"),
        ({"events": [CREATE, {**CREATE, "sender": "@b:b"}]}, "$create"),
        (
            {"events": [CREATE, {**CREATE, "event_id": "$other"}], "state_sets": [["$create", "$other"]]},
            "m.room.create",
        ),
        ({"events": [{k: v for k, v in CREATE.items() if k != "state_key"}]}, "$create"),
        ({"state_sets": ["$create"]}, "State set 1"),
        ({"state_sets": [["$create"], ["$unknown"]]}, "$unknown"),
        ({"state_sets": [[{}]]}, "{}"),
        ({"state_sets": None}, "state_sets"),
        ({"rejected": "$x"}, "rejected"),
        ({"rejected": [[]]}, "rejected"),
    ],
)
def test_a_malformed_case_is_answered_with_a_sentence_that_names_it(
    change: dict[str, Any], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (answer,) = answers(json.dumps({**CASE, **change}).encode(), tmp_path, capsys)
    assert code == 0
    assert named in answer["error"]


@pytest.mark.parametrize("version", ["2", "10"])
def test_a_cycle_of_invented_ids_is_answered_and_does_not_hang(
    version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = {"type": "m.room.power_levels", "state_key": "", "auth_events": ["$a", "$b"]}
    topic = {**CREATE, "type": "m.room.topic", "event_id": "$topic", "auth_events": ["$create", "$a"]}
    events = [CREATE, {**CREATE, **levels, "event_id": "$a"}, {**CREATE, **levels, "event_id": "$b"}, topic]
    sets = [["$create", "$a"], ["$create", "$a", "$topic"]]
    case = {"room_version": version, "events": events, "state_sets": sets}
    code, (answer,) = answers(json.dumps(case).encode(), tmp_path, capsys)
    assert (code, answer) == (0, {"resolved": ["$a", "$create"]})


def test_ids_with_lone_surrogates_are_answered_as_they_came(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [{**CREATE, "event_id": "$\udc00"}, {**CREATE, "event_id": "$\udc01"}]
    case = {"room_version": "1", "events": events, "state_sets": [["$\udc00"], ["$\udc01"]]}
    code, (answer,) = answers(json.dumps(case).encode(), tmp_path, capsys)
    assert code == 0
    assert answer["resolved"][0] in ("$\udc00", "$\udc01")


VECTORS = sorted((Path(__file__).parents[2] / "vectors" / "state_resolution").glob("*.json"))
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["$pl", "@a:a", "100"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5) | st.just("users"), inner, max_size=2)
    ),
    max_leaves=4,
)


def spoil(value: Any, data: st.DataObject) -> Any:
    """`value` with something in it, or all of it, replaced by junk."""
    if not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 5)) == 0:
        return data.draw(junk)
    places = range(len(value)) if isinstance(value, list) else sorted(value)
    place = data.draw(st.sampled_from(list(places)))
    value[place] = spoil(value[place], data)
    return value


def answered(text: str) -> dict[str, Any]:
    (case,) = read_cases(text)
    if isinstance(case, BadJson):
        return {"error": case.sentence}
    if not isinstance(case, dict):
        return {"error": "no object"}
    try:
        return resolve_case(case)
    except MatrixError as error:
        return {"error": error.sentence}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VECTORS), st.data())
def test_a_spoilt_case_is_answered_or_refused_with_a_sentence(path: Path, data: st.DataObject) -> None:
    case = json.loads(path.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        case = spoil(case, data)
    assert list(answered(json.dumps(case))) in (["resolved"], ["error"])


def test_the_guide_names_every_key_of_the_trace() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "admin" / "explain-state.md").read_text()
    trace = resolve_case(CASE, explain=True)["trace"]
    assert [key for key in trace if f"`{key}`" not in guide] == []
