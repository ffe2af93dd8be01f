"""`hsctl graph verify` and `hsctl graph auth`, as commands: cases in, lines out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.graph import main
from core.events.hashes import event_id_of
from core.events.room_versions import ROOM_VERSIONS, V11, V12
from core.events.signatures import sign_event
from core.events.unpadded_base64 import encode
from tests.unit.events.builders import ALICE, BOB, VERSIONS, Room
from tests.unit.events.test_vectors import KEY, VECTORS

PUBLIC = encode(bytes(KEY.verify_key))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command on cases, or on raw text; returns its exit code and the answers."""

    def run(command: str, *cases: Any, raw: bytes | None = None, explain: bool = False) -> tuple[int, list[Any]]:
        path = tmp_path / "cases.json"
        path.write_bytes(raw if raw is not None else "\n".join(json.dumps(case) for case in cases).encode())
        code = main([command, str(path), *(["--explain"] if explain else [])])
        return code, [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]

    return run


@pytest.mark.parametrize("vector", VECTORS["event_signing"])
def test_verify_answers_for_the_specifications_vectors(run: Any, vector: dict[str, Any]) -> None:
    event = {
        **vector["input"],
        "hashes": {"sha256": vector["hash"]},
        "signatures": {"domain": {"ed25519:1": vector["signature"]}},
    }
    code, (answer,) = run("verify", {"room_version": "1", "event": event, "keys": {"domain": {"ed25519:1": PUBLIC}}})
    assert (code, answer["content_hash_ok"], answer["signatures"]) == (0, True, {"domain": True})
    assert answer["event_id"] == event.get("event_id")
    assert answer["redacted"]["content"] == {}
    assert "unsigned" not in answer["redacted"]


def test_verify_tells_who_did_not_sign(run: Any) -> None:
    pdu = sign_event({"type": "x", "content": {"a": 1}}, V11, "domain", KEY)
    keys = {"domain": {"ed25519:1": PUBLIC}, "other": {"ed25519:1": PUBLIC}}
    case = {"room_version": "11", "event": pdu, "keys": keys}
    changed = {**case, "event": {**pdu, "type": "y"}}
    redacted = {**case, "event": {**pdu, "content": {}}}
    stranger = {**case, "keys": {}}
    _, answers = run("verify", case, changed, redacted, stranger)
    assert [answer["signatures"] for answer in answers] == [
        {"domain": True, "other": False},
        {"domain": False, "other": False},
        {"domain": True, "other": False},
        {"domain": False},
    ]
    assert [answer["content_hash_ok"] for answer in answers] == [True, False, False, True]
    assert answers[0]["event_id"] == answers[2]["event_id"] != answers[1]["event_id"]


def test_verify_knows_an_event_id_that_only_labels_the_event(run: Any) -> None:
    pdu = sign_event({"type": "x", "content": {}}, V11, "domain", KEY)
    event_id = event_id_of(pdu, V11)
    _, answers = run(
        "verify", *({"room_version": "11", "event": {**pdu, "event_id": label}} for label in (event_id, "$else"))
    )
    assert answers[0]["event_id"] == event_id != answers[1]["event_id"]


def test_lines_end_at_line_feeds_alone(run: Any) -> None:
    event = {"type": "x", "content": {"body": "a\u2028b\x85c"}}
    raw = json.dumps({"room_version": "11", "event": event}, ensure_ascii=False).encode()
    code, answers = run("verify", raw=raw + b"\n" + raw + b"\n")
    assert (code, len(answers)) == (0, 2)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "case",
    [
        5,
        {},
        {"room_version": "99", "event": {}},
        {"room_version": "11"},
        {"room_version": "11", "event": []},
        {"room_version": "11", "event": {"depth": 1.5}},
        {"room_version": "11", "event": {}, "keys": []},
        {"room_version": "11", "event": {}, "keys": {"a": {"ed25519:1": "short"}}},
        {"room_version": "11", "event": {}, "keys": {"a": {"ed25519:1": 5}}},
        {"room_version": "11", "event": {"content": "\ud800"}},
    ],
)
def test_a_malformed_case_is_answered_on_its_line(run: Any, case: Any) -> None:
    good = {"room_version": "11", "event": {"type": "x"}}
    code, answers = run("verify", case, good)
    assert code == 0
    assert list(answers[0]) == ["error"]
    assert answers[1]["content_hash_ok"] is False


def test_input_that_cannot_be_read_as_a_whole_is_exit_code_2(run: Any) -> None:
    for raw in (b"", b"\xff\xfe", b"{"):
        code, (answer,) = run("verify", raw=raw)
        assert (code, list(answer)) == (2, ["error"])


def case_of(room: Room, event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The room's state as a case of `auth`; `event` is judged."""
    events = [{**known.pdu, "event_id": known.event_id} for known in room.events.values()]
    state = [known["event_id"] for known in events]
    return {"room_version": room.version.id, "events": events, "event": event, "auth_events": state, **changes}


def message(room: Room, sender: str = ALICE, **changes: Any) -> dict[str, Any]:
    return {**room.event("m.room.message", {"body": "x"}, sender=sender).pdu, "event_id": "$m:a.example", **changes}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version.id}")
def test_auth_answers_with_the_rule_and_the_reason(run: Any, version: Any) -> None:
    room = Room(version)
    case, stranger = case_of(room, message(room)), case_of(room, message(room, BOB))
    code, (allowed, refused) = run("auth", case, stranger)
    assert (code, allowed) == (0, {"allowed": True, "rule": None, "reason": None})
    assert refused["allowed"] is False
    assert refused["rule"] == ("6" if version.special_cases_aliases or version.room_id_is_create_hash else "5")
    assert refused["reason"] == "@bob:b.example is not joined to the room."


def test_auth_judges_the_events_own_list_apart_from_the_state(run: Any) -> None:
    room = Room(V11)
    _, answers = run(
        "auth",
        case_of(room, message(room, auth_events=["$create", "$create"])),
        case_of(room, message(room), rejected=["$create"]),
        case_of(room, message(room), auth_events=["$create"]),
        case_of(room, message(room, auth_events=["$missing"])),
    )
    assert [answer.get("rule") for answer in answers] == ["2.1", "2.3", "5", None]
    assert answers[3] == {"error": "$missing is not among the events of the case."}


def test_auth_finds_the_create_event_by_the_room_id_in_version_12(run: Any) -> None:
    room = Room(V12)
    elsewhere = message(room, room_id="!else")
    case = case_of(room, message(room))
    case["auth_events"].remove("$create")
    _, answers = run("auth", case, case_of(room, elsewhere), case_of(room, message(room), rejected=["$create"]))
    assert [answer["rule"] for answer in answers] == [None, "2", "2"]


def test_auth_fills_in_what_no_rule_looks_at_and_refuses_a_wrong_format(run: Any) -> None:
    room = Room(ROOM_VERSIONS["10"])
    bare = {"type": "x", "sender": ALICE, "content": {}, "room_id": room.room_id}
    _, (allowed, refused) = run("auth", case_of(room, bare), case_of(room, {**bare, "content": 5}))
    assert allowed == {"allowed": True, "rule": None, "reason": None}
    assert refused == {"allowed": False, "rule": None, "reason": "`content` must be an object."}


def test_auth_judges_an_event_named_by_its_id_and_explains(run: Any) -> None:
    room = Room(ROOM_VERSIONS["1"])
    case = case_of(room, message(room))
    case["events"].append(case["event"])
    case["event"] = "$m:a.example"
    _, (answer,) = run("auth", case, explain=True)
    assert answer["allowed"] is True
    assert answer["trace"]["event_id"] == "$m:a.example"
    assert answer["trace"]["auth_events_selection"][0] == ["m.room.create", ""]
    assert {"type": "m.room.create", "state_key": "", "event_id": "$create"} in answer["trace"]["state"]


@pytest.mark.parametrize(
    "change", [{"events": 5}, {"events": [5]}, {"events": [{}]}, {"auth_events": None}, {"event": "$x"}, {"event": 5}]
)
def test_auth_answers_a_malformed_case_with_a_sentence(run: Any, change: dict[str, Any]) -> None:
    room = Room(V11)
    code, (answer,) = run("auth", {**case_of(room, message(room)), **change})
    assert (code, list(answer)) == (0, ["error"])
