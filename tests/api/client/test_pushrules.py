"""Push rules over HTTP: reading, adding in order, switching, and what is refused."""

from __future__ import annotations

import pytest

from tests.servers.trellis import Refused

RULES = "/v3/pushrules/global"
NOTIFY = {"actions": ["notify"]}


def own_ids(user, kind):
    return [rule["rule_id"] for rule in user.get(f"{RULES}/")[kind] if not rule["default"]]


def refusal(user, method, path, body=None, **query):
    with pytest.raises(Refused) as refused:
        user.call(method, path, body, **query)
    return refused.value.status, refused.value.errcode


def test_everybody_starts_with_the_default_rules_in_their_own_name(alice):
    rules = alice.get("/v3/pushrules/")["global"]
    assert [rule["rule_id"] for rule in rules["override"]][:2] == [".m.rule.master", ".m.rule.suppress_notices"]
    mention = next(rule for rule in rules["override"] if rule["rule_id"] == ".m.rule.is_user_mention")
    assert mention["conditions"][0]["value"] == alice.user_id
    assert rules == alice.get(f"{RULES}/")


def test_the_rules_of_one_kind_can_be_asked_for(alice):
    assert alice.get(f"{RULES}/override/") == alice.get(f"{RULES}/")["override"]
    assert refusal(alice, "GET", f"{RULES}/flavors/") == (400, "M_INVALID_PARAM")


def test_a_new_rule_is_the_most_important_of_its_kind_unless_told_otherwise(alice):
    for rule_id in ("first", "second"):
        alice.put(f"{RULES}/content/{rule_id}", {**NOTIFY, "pattern": "cake"})
    assert own_ids(alice, "content") == ["second", "first"]
    alice.call("PUT", f"{RULES}/content/third", {**NOTIFY, "pattern": "pie"}, after="second")
    alice.call("PUT", f"{RULES}/content/fourth", {**NOTIFY, "pattern": "pie"}, before="first")
    assert own_ids(alice, "content") == ["second", "third", "fourth", "first"]


def test_a_rule_that_exists_is_replaced_where_it_stands_and_stays_disabled(alice):
    for rule_id in ("one", "two"):
        alice.put(f"{RULES}/sender/@{rule_id}:x", NOTIFY)
    alice.put(f"{RULES}/sender/@one:x/enabled", {"enabled": False})
    alice.put(f"{RULES}/sender/@one:x", {"actions": []})
    rule = alice.get(f"{RULES}/sender/@one:x")
    assert (rule["enabled"], rule["actions"]) == (False, [])
    assert own_ids(alice, "sender") == ["@two:x", "@one:x"]
    alice.call("PUT", f"{RULES}/sender/@one:x", NOTIFY, before="@two:x")
    assert own_ids(alice, "sender") == ["@one:x", "@two:x"]


def test_own_rules_stand_between_the_master_rule_and_the_other_defaults(alice):
    alice.put(f"{RULES}/override/mine", {**NOTIFY, "conditions": []})
    override = alice.get(f"{RULES}/")["override"]
    assert [rule["rule_id"] for rule in override][:3] == [".m.rule.master", "mine", ".m.rule.suppress_notices"]


def test_default_rules_are_switched_and_given_other_actions_but_not_deleted(alice):
    path = f"{RULES}/underride/.m.rule.message"
    alice.put(f"{path}/enabled", {"enabled": False})
    alice.put(f"{path}/actions", {"actions": []})
    assert alice.get(f"{path}/enabled") == {"enabled": False}
    assert alice.get(f"{path}/actions") == {"actions": []}
    assert refusal(alice, "DELETE", path) == (404, "M_NOT_FOUND")
    assert refusal(alice, "PUT", path, NOTIFY) == (400, "M_INVALID_PARAM")


def test_a_deleted_rule_is_gone(alice):
    alice.put(f"{RULES}/room/!a:x", NOTIFY)
    alice.call("DELETE", f"{RULES}/room/!a:x")
    assert own_ids(alice, "room") == []
    assert refusal(alice, "GET", f"{RULES}/room/!a:x") == (404, "M_NOT_FOUND")
    assert refusal(alice, "DELETE", f"{RULES}/room/!a:x") == (404, "M_NOT_FOUND")


@pytest.mark.parametrize("part", ["", "/enabled", "/actions"])
def test_a_rule_that_is_not_there_is_not_found(alice, part):
    assert refusal(alice, "GET", f"{RULES}/override/nothing{part}") == (404, "M_NOT_FOUND")


@pytest.mark.parametrize(
    ("kind", "rule_id", "body", "errcode"),
    [
        ("overrule", "a", NOTIFY, "M_INVALID_PARAM"),
        ("override", ".a", NOTIFY, "M_INVALID_PARAM"),
        ("override", "a%2Fb", NOTIFY, "M_INVALID_PARAM"),
        ("override", "a%5Cb", NOTIFY, "M_INVALID_PARAM"),
        ("override", "a", {}, "M_MISSING_PARAM"),
        ("override", "a", {"actions": ["dance"]}, "M_INVALID_PARAM"),
        ("override", "a", {"actions": [{"sound": "x"}]}, "M_INVALID_PARAM"),
        ("override", "a", {**NOTIFY, "conditions": [{"key": "type"}]}, "M_INVALID_PARAM"),
        ("override", "a", {**NOTIFY, "conditions": [{"kind": "event_match", "key": "type"}]}, "M_INVALID_PARAM"),
        ("override", "a", {**NOTIFY, "conditions": [{"kind": "event_property_is", "key": "a"}]}, "M_INVALID_PARAM"),
        ("content", "a", NOTIFY, "M_MISSING_PARAM"),
        ("override", "a", NOTIFY, "M_MISSING_PARAM"),
        ("underride", "a", NOTIFY, "M_MISSING_PARAM"),
        ("content", "a", {**NOTIFY, "pattern": "x" * 513}, "M_INVALID_PARAM"),
    ],
)
def test_a_malformed_rule_is_refused(alice, kind, rule_id, body, errcode):
    assert refusal(alice, "PUT", f"{RULES}/{kind}/{rule_id}", body) == (400, errcode)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v3/pushrules"),
        ("GET", RULES),
        ("GET", f"{RULES}/override"),
        ("GET", "/v3/pushrules/device/"),
        ("GET", f"{RULES}/override/.m.rule.master/color"),
        ("PUT", "/v3/pushrules/"),
        ("PUT", f"{RULES}/override/"),
        ("PUT", f"{RULES}/override/a/b"),
        ("DELETE", f"{RULES}/override"),
    ],
)
def test_what_is_no_path_of_a_rule_is_a_bad_request(alice, method, path):
    assert refusal(alice, method, path, None if method == "GET" else NOTIFY) == (400, "M_UNRECOGNIZED")


def test_a_rule_can_stand_only_beside_rules_of_ones_own(alice):
    assert refusal(alice, "PUT", f"{RULES}/room/!a:b", NOTIFY, before="nobody") == (400, "M_UNKNOWN")
    assert refusal(alice, "PUT", f"{RULES}/room/!a:b", NOTIFY, after=".m.rule.master") == (400, "M_INVALID_PARAM")


def test_rules_are_account_data_that_syncs_tell_at_first_and_when_they_change(alice):
    first = alice.sync()
    told = {event["type"]: event["content"] for event in first["account_data"]["events"]}
    assert told["m.push_rules"] == alice.get("/v3/pushrules/")
    assert "account_data" not in alice.sync(first["next_batch"])
    alice.put(f"{RULES}/room/!a:x", {"actions": []})
    (event,) = alice.sync(first["next_batch"])["account_data"]["events"]
    assert event["content"]["global"]["room"][0]["rule_id"] == "!a:x"
    assert alice.get(f"/v3/user/{alice.user_id}/account_data/m.push_rules") == event["content"]
    assert refusal(alice, "PUT", f"/v3/user/{alice.user_id}/account_data/m.push_rules", {})[0] == 405


def test_putting_a_rule_as_it_is_tells_nobody(alice):
    alice.put(f"{RULES}/room/!a:x", {"actions": []})
    since = alice.sync()["next_batch"]
    alice.put(f"{RULES}/room/!a:x", {"actions": []})
    assert "account_data" not in alice.sync(since)
