"""Push rules: the default set, every condition, order, and a user's changes."""

from __future__ import annotations

from typing import Any

import pytest

from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.push_rules import (
    NOTHING,
    OWN_USER_ID,
    Outcome,
    RuleChanges,
    Situation,
    compile_ruleset,
    default_ruleset,
    merged_ruleset,
)
from core.events.push_rules.conditions import compile_condition
from core.events.room_versions import V11
from tests.unit.events.forked_rooms import make_event

ALICE, BOB, ROOM = "@alice:a.example", "@bob:b.example", "!r:a.example"
DEFAULT = compile_ruleset(default_ruleset())
LEVELS = PowerLevels({"users": {ALICE: 50}, "notifications": {"loud": 51}}, frozenset(), V11)


def event(
    event_type: str = "m.room.message", state_key: str | None = None, sender: str = ALICE, **content: Any
) -> Event:
    return make_event(V11, "$e", event_type, sender, state_key, content, room_id=ROOM)


def outcome(of: Event, members: int = 3, rules: Any = DEFAULT, levels: PowerLevels | None = LEVELS) -> Outcome:
    result: Outcome = rules.evaluate(Situation(of, members, levels, BOB, "Bob"))
    return result


def holds(condition: dict[str, Any], of: Event, members: int = 3, levels: PowerLevels | None = LEVELS) -> bool:
    compiled = compile_condition(condition)
    return compiled is not None and compiled(Situation(of, members, levels, BOB, "Bob the *"))


MENTION: dict[str, Any] = {"m.mentions": {"user_ids": ["@other:b.example", BOB]}}
ROOM_MENTION: dict[str, Any] = {"m.mentions": {"room": True}}
EDIT: dict[str, Any] = {"m.relates_to": {"rel_type": "m.replace"}}


@pytest.mark.parametrize(
    ("of", "members", "rule", "notify", "highlight", "sound"),
    [
        (event(), 3, "message", True, False, None),
        (event(), 2, "room_one_to_one", True, False, "default"),
        (event("m.room.encrypted"), 3, "encrypted", True, False, None),
        (event("m.room.encrypted"), 2, "encrypted_room_one_to_one", True, False, "default"),
        (event("m.call.invite"), 2, "call", True, False, "ring"),
        (event(msgtype="m.notice", **MENTION), 2, "suppress_notices", False, False, None),
        (event("m.room.member", BOB, membership="invite"), 3, "invite_for_me", True, False, "default"),
        (event("m.room.member", ALICE, membership="invite"), 3, "member_event", False, False, None),
        (event(**MENTION), 3, "is_user_mention", True, True, "default"),
        (event("org.example.any", **MENTION), 3, "is_user_mention", True, True, "default"),
        (event(**ROOM_MENTION), 3, "is_room_mention", True, True, None),
        (event("m.room.tombstone", ""), 3, "tombstone", True, True, None),
        (event("m.reaction"), 2, "reaction", False, False, None),
        (event("m.room.server_acl", ""), 2, "room.server_acl", False, False, None),
        (event(**EDIT), 2, "suppress_edits", False, False, None),
        (event(**EDIT, **MENTION), 2, "is_user_mention", True, True, "default"),
    ],
)
def test_the_default_rules_decide_as_the_specification_says(
    of: Event, members: int, rule: str, notify: bool, highlight: bool, sound: str | None
) -> None:
    result = outcome(of, members)
    assert result.rule_id == f".m.rule.{rule}"
    assert (result.notify, result.highlight, result.sound) == (notify, highlight, sound)


@pytest.mark.parametrize("of", [event("m.room.topic", ""), event("m.room.tombstone"), event("m.room.server_acl", "x")])
def test_what_no_default_rule_is_about_notifies_nobody(of: Event) -> None:
    assert outcome(of) is NOTHING


def test_a_mention_of_the_room_needs_the_power_for_it() -> None:
    assert outcome(event(sender="@weak:a.example", **ROOM_MENTION)).rule_id == ".m.rule.message"
    assert outcome(event(**ROOM_MENTION), levels=None).rule_id == ".m.rule.message"


def test_nobody_is_notified_of_what_they_sent_themselves() -> None:
    assert outcome(event(sender=BOB, **MENTION)) is NOTHING


def test_the_default_rules_have_the_order_of_the_specification() -> None:
    names = {kind: [rule["rule_id"][8:] for rule in rules] for kind, rules in default_ruleset().items()}
    assert names == {
        "override": [
            "master",
            "suppress_notices",
            "invite_for_me",
            "member_event",
            "is_user_mention",
            "is_room_mention",
            "tombstone",
            "reaction",
            "room.server_acl",
            "suppress_edits",
        ],
        "content": [],
        "room": [],
        "sender": [],
        "underride": ["call", "encrypted_room_one_to_one", "room_one_to_one", "message", "encrypted"],
    }


@pytest.mark.parametrize(
    ("key", "pattern", "content", "held"),
    [
        ("content.topic", "lunc?*", {"topic": "Lunch plans"}, True),
        ("content.topic", "lunc?*", {"topic": "LUNCH"}, True),
        ("content.topic", "lunc?*", {"topic": " lunch"}, False),
        ("content.topic", "lunc?*", {"topic": "lunc"}, False),
        ("content.topic", "*", {"topic": None}, False),
        ("content.topic", "*", {}, False),
        ("content.topic", "*", {"topic": ""}, True),
        ("content.topic", "a[b]", {"topic": "A[B]"}, True),
        ("content.body", "ex*ple", {"body": "An example event."}, True),
        ("content.body", "ex*ple", {"body": "exple"}, True),
        ("content.body", "ex*ple", {"body": "An exciting triple-whammy"}, True),
        ("content.body", "cake", {"body": "pancakes"}, False),
        ("content.body", "cake", {"body": "cake_"}, False),
        ("content.body", "cake", {"body": "mocake"}, False),
        ("content.body", "cake", {"body": "öcake"}, True),
        ("content.body", "cake", {"body": "Let them eat CAKE!"}, True),
        ("content.body", "cake", {"body": "cake\nor death"}, True),
        ("content.body", "cake", {"body": 7}, False),
        (r"content.a\.b.c", "x", {"a.b": {"c": "X"}}, True),
        ("content.a.b", "x", {"a": "x"}, False),
        ("room_id", ROOM, {}, True),
        ("event_id", "$e", {}, True),
        ("sender", "@ALICE:*", {}, True),
        ("content.topic", "x" * 513, {"topic": "x" * 513}, False),
    ],
)
def test_event_match_matches_globs_without_regard_to_case(
    key: str, pattern: str, content: dict[str, Any], held: bool
) -> None:
    assert holds({"kind": "event_match", "key": key, "pattern": pattern}, event(**content)) is held


@pytest.mark.parametrize(
    ("value", "found", "held"),
    [
        (True, True, True),
        (True, "true", False),
        (True, 1, False),
        (1, True, False),
        (1, 1, True),
        (1, 1.0, False),
        (None, None, True),
        (None, 0, False),
        ("a", "a", True),
        ("a", "A", False),
        (2**53 - 1, 2**53 - 1, True),
        (2**53, 2**53, False),
        (-(2**53), -(2**53), False),
        ([], [], False),
        (1.5, 1.5, False),
    ],
)
def test_exact_conditions_compare_values_and_their_types(value: Any, found: Any, held: bool) -> None:
    exact = {"kind": "event_property_is", "key": "content.k", "value": value}
    among = {"kind": "event_property_contains", "key": "content.k", "value": value}
    assert holds(exact, event(k=found)) is held
    assert holds(among, event(k=[{}, "other", found])) is held
    assert not holds(exact, event())
    assert not holds(among, event(k=found))


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("3", True),
        ("==3", True),
        ("2", False),
        (">2", True),
        (">3", False),
        (">=3", True),
        ("<4", True),
        ("<3", False),
        ("<=3", True),
        ("<=2", False),
        ("=3", False),
        (" 3", False),
        ("3.0", False),
        ("", False),
        (3, False),
        (None, False),
    ],
)
def test_room_member_count_compares(given: Any, held: bool) -> None:
    assert holds({"kind": "room_member_count", "is": given}, event(), members=3) is held


@pytest.mark.parametrize(
    ("body", "held"),
    [
        ("hi bob the *!", True),
        ("Bob the *", True),
        ("bob the x", False),
        ("xbob the *", False),
        ("", False),
        (3, False),
    ],
)
def test_contains_display_name_takes_the_name_literally(body: Any, held: bool) -> None:
    assert holds({"kind": "contains_display_name"}, event(body=body)) is held


def test_contains_display_name_looks_further_than_the_first_place() -> None:
    compiled = compile_condition({"kind": "contains_display_name"})
    assert compiled is not None
    assert compiled(Situation(event(body="bobby, bob"), 3, None, BOB, "Bob"))
    assert not compiled(Situation(event(body="bobby"), 3, None, BOB, None))
    assert not compiled(Situation(event(body="bobby"), 3, None, BOB, ""))


@pytest.mark.parametrize(("key", "held"), [("room", True), ("loud", False), (None, False)])
def test_sender_notification_permission_looks_up_the_level_of_its_key(key: Any, held: bool) -> None:
    assert holds({"kind": "sender_notification_permission", "key": key}, event()) is held


@pytest.mark.parametrize(
    "condition",
    [
        {},
        None,
        "event_match",
        {"kind": "org.example.new"},
        {"kind": ["event_match"]},
        {"kind": "event_match", "key": "type"},
        {"kind": "event_match", "pattern": "*"},
        {"kind": "event_match", "key": 1, "pattern": "*"},
        {"kind": "event_property_is", "key": "type"},
        {"kind": "event_property_is", "value": "m.room.message"},
        {"kind": "event_property_contains", "key": "content.k", "value": {}},
    ],
)
def test_a_rule_with_an_unknown_or_malformed_condition_never_matches(condition: Any) -> None:
    rules = compile_ruleset({"override": [{"rule_id": "x", "actions": ["notify"], "conditions": [condition]}]})
    assert outcome(event(k=["x"]), rules=rules) is NOTHING


def rule(rule_id: str, actions: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"rule_id": rule_id, "default": False, "enabled": True, "actions": actions or [], **more}


def with_own(changes: RuleChanges) -> Any:
    return compile_ruleset(merged_ruleset(changes))


def test_kinds_are_tried_in_their_order() -> None:
    own = {
        "underride": [rule("u", conditions=[])],
        "sender": [rule(ALICE)],
        "room": [rule(ROOM)],
        "content": [rule("c", pattern="cake")],
        "override": [rule("o", conditions=[])],
    }
    left = dict(own)
    for kind, expected in (("override", "o"), ("content", "c"), ("room", ROOM), ("sender", ALICE), ("underride", "u")):
        assert outcome(event(body="cake"), rules=with_own(RuleChanges(left))).rule_id == expected
        del left[kind]


def test_room_sender_and_content_rules_match_only_theirs() -> None:
    own = {"content": [rule("c", pattern="pie"), rule("d")], "room": [rule("!x:a")], "sender": [rule("@x:a")]}
    assert outcome(event(body="cake"), rules=with_own(RuleChanges(own))).rule_id == ".m.rule.message"


def test_a_users_rules_go_before_the_defaults_but_not_before_the_master_rule() -> None:
    changes = RuleChanges({"override": [rule("mine", ["notify"], conditions=[])]}, {".m.rule.master": True})
    assert [one["rule_id"] for one in merged_ruleset(changes)["override"][:3]] == [
        ".m.rule.master",
        "mine",
        ".m.rule.suppress_notices",
    ]
    assert outcome(event(), rules=with_own(changes)).rule_id == ".m.rule.master"


def test_a_disabled_rule_never_matches() -> None:
    changes = RuleChanges(enabled={".m.rule.message": False})
    assert outcome(event(), rules=with_own(changes)) is NOTHING


def test_changed_actions_of_a_default_rule_count() -> None:
    changes = RuleChanges(actions={".m.rule.message": ["notify", {"set_tweak": "sound", "value": "ping"}]})
    assert outcome(event(), rules=with_own(changes)).sound == "ping"


def test_a_merged_ruleset_names_the_user_and_decides_as_the_shared_one() -> None:
    merged = merged_ruleset(RuleChanges(), BOB)
    assert OWN_USER_ID not in str(merged)
    rules = compile_ruleset(merged)
    for one in (event(**MENTION), event("m.room.member", BOB, membership="invite"), event()):
        assert outcome(one, rules=rules) == outcome(one)


def test_merging_leaves_the_users_rules_as_they_were() -> None:
    mine = rule("mine", conditions=[{"kind": "room_member_count", "is": "2"}])
    merged_ruleset(RuleChanges({"override": [mine]}), BOB)["override"][1]["enabled"] = False
    assert mine["enabled"] is True


@pytest.mark.parametrize(
    ("actions", "kept", "highlight"),
    [
        (["dont_notify"], (), False),
        (["coalesce", "notify"], ("notify",), False),
        ([{"set_tweak": "highlight"}], ({"set_tweak": "highlight"},), True),
        ([{"set_tweak": "highlight", "value": False}], ({"set_tweak": "highlight", "value": False},), False),
        ("notify", (), False),
    ],
)
def test_actions_are_kept_without_the_historical_ones(actions: Any, kept: tuple[Any, ...], highlight: bool) -> None:
    rules = compile_ruleset({"override": [{"rule_id": "x", "actions": actions, "conditions": []}]})
    result = outcome(event(), rules=rules)
    assert (result.actions, result.highlight) == (kept, highlight)


def test_one_situation_serves_many_users() -> None:
    situation = Situation(event(**MENTION), 3, LEVELS)
    assert DEFAULT.evaluate(situation.for_user(BOB, None)).highlight
    assert not DEFAULT.evaluate(situation.for_user("@carol:c.example", None)).highlight
