"""The operations of the area `rooms` by raw HTTP: asked rightly, without a token, and wrongly.

Where `TRELLIS_SPEC` names the specification, each answer is held against the schema of its OpenAPI file.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.asking import TXN, Ask, Conversation, new_conversation, operations_of
from tests.servers.trellis import Server

OPERATIONS = operations_of("rooms")
CONTENT = {"kind": "content", "ruleId": "cake"}
RULE = {"actions": ["notify", {"set_tweak": "sound", "value": "default"}], "pattern": "cake"}
SECRET = {"roomId": "secretRoom"}
NOWHERE = {"roomId": "!nowhere:example.org"}
NONE = {"eventId": "$nothing"}
OWN_RULE = {"kind": "override", "ruleId": "mine"}
NO_RULE = {"kind": "override", "ruleId": "none"}


@pytest.fixture(scope="module")
def talk(server: Server) -> Conversation:
    """A conversation for requests that change nothing, with what stands for parameters of this area."""
    return prepared(new_conversation(server))


@pytest.fixture
def fresh(server: Server) -> Conversation:
    """A conversation of the test's own."""
    return prepared(new_conversation(server))


def prepared(talk: Conversation) -> Conversation:
    """Add what the paths of this area name."""
    alice, bob = talk.people["alice"], talk.people["bob"]
    root, room = talk.parts["eventId"], talk.parts["roomId"]
    relation = {"rel_type": "m.thread", "event_id": root}
    bob.send(room, {"msgtype": "m.text", "body": "reply", "m.relates_to": relation})
    alice.put("/v3/pushrules/global/override/mine", {"actions": [], "conditions": []})
    alias = f"#area{next(TXN)}:{alice.user_id.partition(':')[2]}"
    alice.put(f"/v3/directory/room/{quote(alias, safe='')}", {"room_id": room})
    talk.parts.update({
        "roomAlias": alias, "freeAlias": alias.replace("#area", "#free"), "type": "org.example", "tag": "m.favourite",
        "kind": "override", "ruleId": ".m.rule.master", "receiptType": "m.read", "relType": "m.thread", "bob": bob.user_id,
        "messageType": "m.room.message", "knockRoom": alice.create_room(initial_state=[
            {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]),
    })  # fmt: skip
    alice.put(f"/v3/user/{alice.user_id}/account_data/org.example", {"a": 1})
    alice.put(f"/v3/user/{alice.user_id}/rooms/{room}/account_data/org.example", {"a": 1})
    return talk


def _member(talk: Conversation) -> dict[str, Any]:
    return {"user_id": talk.people["bob"].user_id, "reason": "because"}


SEARCH = {"search_categories": {"room_events": {
    "search_term": "hello", "keys": ["content.body"], "order_by": "recent", "include_state": True,
    "event_context": {"before_limit": 2, "after_limit": 2, "include_profile": True},
    "groupings": {"group_by": [{"key": "room_id"}, {"key": "sender"}]}, "filter": {"limit": 5},
}}}  # fmt: skip

RIGHT: dict[str, Any] = {
    "setAccountData": Ask({"a": 1}),
    "getAccountData": Ask(),
    "setAccountDataPerRoom": Ask({"a": 1}),
    "getAccountDataPerRoom": Ask(),
    "ban": lambda talk: Ask(_member(talk)),
    "unban": lambda talk: [Ask(_member(talk), 403, "M_BAD_STATE")],
    "setRoomAlias": lambda talk: [
        Ask({"room_id": talk.parts["roomId"]}, path={"roomAlias": "freeAlias"}),
        Ask({"room_id": talk.parts["roomId"]}, 409, "M_UNKNOWN", path={"roomAlias": "freeAlias"}),
    ],
    "getRoomIdByAlias": Ask(by=None),
    "deleteRoomAlias": Ask(),
    "getLocalAliases": [Ask(), Ask(by="bob")],
    "getEventContext": [Ask(), Ask(query={"limit": 1}), Ask(query={"filter": '{"lazy_load_members":true}'})],
    "kick": lambda talk: Ask(_member(talk)),
    "knockRoom": Ask({"reason": "please"}, by="bob", path={"roomIdOrAlias": "knockRoom"}),
    "getRoomVisibilityOnDirectory": Ask(by=None),
    "setRoomVisibilityOnDirectory": [Ask({"visibility": "public"}), Ask({})],
    "getPublicRooms": [Ask(), Ask(query={"limit": 1})],
    "queryPublicRooms": [Ask({}), Ask({"limit": 2, "filter": {"generic_search_term": "talk", "room_types": [None]}})],
    "getMutualRooms": lambda talk: Ask(query={"user_id": talk.people["bob"].user_id}),
    "getNotifications": [Ask(), Ask(query={"limit": 1, "only": "highlight"})],
    "getEvents": Ask(query={"timeout": 0}),
    "peekEvents": lambda talk: Ask(query={"timeout": 0, "room_id": talk.parts["roomId"]}),
    "initialSync": Ask(query={"limit": 2}),
    "getOneEvent": Ask(),
    "setPresence": Ask({"presence": "unavailable", "status_msg": "out"}),
    "getPresence": [Ask(), Ask(by="bob")],
    "getPushRules": Ask(),
    "getPushRulesGlobal": Ask(),
    "getPushRule": Ask(),
    "setPushRule": [Ask(RULE, path=CONTENT), Ask({"actions": []}, path={"kind": "room", "ruleId": "roomId"})],
    "deletePushRule": Ask(path=OWN_RULE),
    "isPushRuleEnabled": Ask(),
    "setPushRuleEnabled": Ask({"enabled": False}, path=OWN_RULE),
    "getPushRuleActions": Ask(),
    "setPushRuleActions": Ask({"actions": ["notify"]}, path=OWN_RULE),
    "setReadMarker": lambda talk: Ask({"m.fully_read": talk.parts["eventId"], "m.read": talk.parts["eventId"]}),
    "postReceipt": [Ask({}), Ask({"thread_id": "main"}), Ask({}, path={"receiptType": "m.read.private"})],
    "getRelatingEvents": [Ask(), Ask(query={"dir": "f", "limit": 1, "recurse": "true"})],
    "getRelatingEventsWithRelType": Ask(),
    "getRelatingEventsWithRelTypeAndEventType": Ask(path={"eventType": "messageType"}),
    "reportRoom": Ask({"reason": "spam"}, by="bob"),
    "reportEvent": [Ask({"reason": "spam", "score": -50}, by="bob"), Ask({}, by="bob")],
    "reportUser": Ask({"reason": "spam"}, by="bob"),
    "getEventByTimestamp": Ask(query={"ts": 1, "dir": "f"}),
    "roomInitialSync": Ask(),
    "getRoomSummary": [Ask(), Ask(by="bob"), Ask(by=None)],
    "upgradeRoom": Ask({"new_version": "11"}),
    "search": Ask(SEARCH),
    "getSpaceHierarchy": Ask(query={"limit": 5, "max_depth": 2, "suggested_only": "true"}),
    "getRoomTags": Ask(),
    "setRoomTag": [Ask({"order": 0.5}), Ask({})],
    "deleteRoomTag": Ask(),
    "getThreadRoots": [Ask(), Ask(query={"include": "participated", "limit": 1}, by="bob")],
    "setTyping": [Ask({"typing": True, "timeout": 1000}), Ask({"typing": False})],
    "searchUserDirectory": Ask({"search_term": "user", "limit": 3}),
}

OPEN_TO_ALL = {"getRoomIdByAlias", "getRoomVisibilityOnDirectory", "getPublicRooms", "getRoomSummary"}

WRONG: dict[str, list[Ask]] = {
    "setAccountData": [
        Ask({}, 403, "M_FORBIDDEN", by="bob"),
        Ask({}, 405, "M_BAD_JSON", path={"type": "m.push_rules"}),
        Ask([], 400, "M_BAD_JSON"),
        Ask(b"{", 400, "M_NOT_JSON"),
    ],
    "getAccountData": [
        Ask(None, 403, "M_FORBIDDEN", by="bob"),
        Ask(None, 404, "M_NOT_FOUND", path={"type": "org.none"}),
    ],
    "setAccountDataPerRoom": [
        Ask({}, 403, "M_FORBIDDEN", by="bob"),
        Ask({}, 405, "M_BAD_JSON", path={"type": "m.fully_read"}),
        Ask({}, 400, "M_INVALID_PARAM", path={"roomId": "nonsense"}),
        Ask(b"{", 400, "M_NOT_JSON"),
    ],
    "getAccountDataPerRoom": [
        Ask(None, 400, "M_INVALID_PARAM", path={"roomId": "nonsense"}),
        Ask(None, 404, "M_NOT_FOUND", path={"type": "org.none"}),
    ],
    "ban": [Ask({"user_id": "@x:example.org"}, 403, "M_FORBIDDEN", by="bob"), Ask({}, 400, "M_MISSING_PARAM")],
    "unban": [Ask({"user_id": "@x:example.org"}, 403, "M_BAD_STATE")],
    "setRoomAlias": [
        Ask({"room_id": "!x:example.org"}, 400, "M_INVALID_PARAM", path={"roomAlias": "nonsense"}),
        Ask({"room_id": "!x:example.org"}, 403, "M_FORBIDDEN", path={"roomAlias": "freeAlias"}),
        Ask({}, 400, "M_MISSING_PARAM", path={"roomAlias": "freeAlias"}),
    ],
    "getRoomIdByAlias": [
        Ask(None, 404, "M_NOT_FOUND", path={"roomAlias": "freeAlias"}),
        Ask(None, 400, "M_INVALID_PARAM", path={"roomAlias": "nonsense"}),
    ],
    "deleteRoomAlias": [
        Ask(None, 404, "M_NOT_FOUND", path={"roomAlias": "freeAlias"}),
        Ask(None, 403, "M_FORBIDDEN", by="bob"),
    ],
    "getLocalAliases": [Ask(None, 403, "M_FORBIDDEN", by="bob", path=SECRET)],
    "getEventContext": [
        Ask(None, 403, "M_FORBIDDEN", by="bob", path=SECRET),
        Ask(None, 404, "M_NOT_FOUND", path=NONE),
        Ask(None, 400, "M_INVALID_PARAM", query={"limit": "many"}),
    ],
    "kick": [Ask({"user_id": "@x:example.org"}, 403, "M_FORBIDDEN"), Ask({}, 400, "M_MISSING_PARAM")],
    "knockRoom": [
        Ask({}, 403, "M_FORBIDDEN", by="bob", path={"roomIdOrAlias": "openRoom"}),
        Ask({}, 404, "M_NOT_FOUND", path={"roomIdOrAlias": "freeAlias"}),
    ],
    "getRoomVisibilityOnDirectory": [Ask(None, 404, "M_NOT_FOUND", path=NOWHERE)],
    "setRoomVisibilityOnDirectory": [
        Ask({"visibility": "public"}, 403, "M_FORBIDDEN", by="bob"),
        Ask({"visibility": "secret"}, 400, "M_BAD_JSON"),
        Ask({}, 404, "M_NOT_FOUND", path=NOWHERE),
    ],
    "getPublicRooms": [
        Ask(None, 400, "M_INVALID_PARAM", query={"limit": "many"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"since": "nonsense"}),
    ],
    "queryPublicRooms": [Ask({"filter": 5}, 400, "M_BAD_JSON")],
    "getMutualRooms": [Ask(None, 400, "M_INVALID_PARAM", query={"user_id": "nonsense"})],
    "getNotifications": [Ask(None, 400, "M_INVALID_PARAM", query={"from": "nonsense"})],
    "getEvents": [Ask(None, 400, "M_INVALID_PARAM", query={"from": "nonsense"})],
    "getOneEvent": [Ask(None, 404, "M_NOT_FOUND", path=NONE)],
    "setPresence": [
        Ask({"presence": "online"}, 403, "M_FORBIDDEN", by="bob"),
        Ask({"presence": "asleep"}, 400, "M_INVALID_PARAM"),
    ],
    "getPresence": [Ask(None, 403, "M_FORBIDDEN", path={"userId": "nobody"})],
    "getPushRule": [Ask(None, 404, "M_NOT_FOUND", path=NO_RULE)],
    "setPushRule": [
        Ask({"actions": []}, 400, "M_INVALID_PARAM", path={"kind": "nonsense", "ruleId": "x"}),
        Ask({"actions": []}, 400, "M_INVALID_PARAM", path={"kind": "override", "ruleId": ".m.own"}),
        Ask({"actions": []}, 400, "M_MISSING_PARAM", path=CONTENT),
        Ask({"actions": ["dance"]}, 400, "M_INVALID_PARAM", path=OWN_RULE),
    ],
    "deletePushRule": [Ask(None, 404, "M_NOT_FOUND", path=NO_RULE)],
    "isPushRuleEnabled": [Ask(None, 404, "M_NOT_FOUND", path=NO_RULE)],
    "setPushRuleEnabled": [
        Ask({"enabled": True}, 404, "M_NOT_FOUND", path=NO_RULE),
        Ask({"enabled": "yes"}, 400, "M_BAD_JSON", path=OWN_RULE),
    ],
    "getPushRuleActions": [Ask(None, 404, "M_NOT_FOUND", path=NO_RULE)],
    "setPushRuleActions": [Ask({"actions": []}, 404, "M_NOT_FOUND", path=NO_RULE)],
    "setReadMarker": [Ask({"m.read": 5}, 400, "M_BAD_JSON"), Ask({"m.read": "$x"}, 403, "M_FORBIDDEN", path=NOWHERE)],
    "postReceipt": [
        Ask({}, 400, "M_INVALID_PARAM", path={"receiptType": "m.nonsense"}),
        Ask({"thread_id": ""}, 400, "M_INVALID_PARAM"),
        Ask({"thread_id": 5}, 400, "M_INVALID_PARAM"),
        Ask({"thread_id": "$other"}, 400, "M_INVALID_PARAM"),
        Ask({"thread_id": "main"}, 400, "M_INVALID_PARAM", path={"receiptType": "m.fully_read"}),
        Ask({}, 403, "M_FORBIDDEN", by="bob", path=SECRET),
    ],
    "getRelatingEvents": [
        Ask(None, 404, "M_NOT_FOUND", path=NONE),
        Ask(None, 404, "M_NOT_FOUND", by="bob", path=SECRET),
    ],
    "reportRoom": [Ask({}, 400, "M_MISSING_PARAM"), Ask({"reason": "x"}, 404, "M_NOT_FOUND", path=NOWHERE)],
    "reportEvent": [
        Ask({}, 404, "M_NOT_FOUND", path=NONE),
        Ask({}, 404, "M_NOT_FOUND", by="bob", path=SECRET),
        Ask({"score": "low"}, 400, "M_BAD_JSON"),
    ],
    "getEventByTimestamp": [
        Ask(None, 404, "M_NOT_FOUND", query={"ts": 9_999_999_999_999, "dir": "f"}),
        Ask(None, 400, "M_MISSING_PARAM", query={"dir": "f"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"ts": 1, "dir": "x"}),
    ],
    "roomInitialSync": [Ask(None, 403, "M_FORBIDDEN", by="bob", path=SECRET)],
    "getRoomSummary": [
        Ask(None, 404, "M_NOT_FOUND", by="bob", path={"roomIdOrAlias": "secretRoom"}),
        Ask(None, 404, "M_NOT_FOUND", path={"roomIdOrAlias": "freeAlias"}),
    ],
    "upgradeRoom": [
        Ask({"new_version": "99"}, 400, "M_UNSUPPORTED_ROOM_VERSION"),
        Ask({}, 400, "M_MISSING_PARAM"),
        Ask({"new_version": "11"}, 403, "M_FORBIDDEN", by="bob"),
        Ask({"new_version": "11"}, 404, "M_NOT_FOUND", path=NOWHERE),
    ],
    "search": [Ask({}, 400, "M_BAD_JSON"), Ask({"search_categories": {"room_events": {}}}, 400, "M_BAD_JSON")],
    "getSpaceHierarchy": [
        Ask(None, 403, "M_FORBIDDEN", by="bob", path=SECRET),
        Ask(None, 400, "M_INVALID_PARAM", query={"from": "nonsense"}),
    ],
    "getRoomTags": [Ask(None, 403, "M_FORBIDDEN", by="bob")],
    "setRoomTag": [Ask({}, 403, "M_FORBIDDEN", by="bob"), Ask({"order": "first"}, 400, "M_BAD_JSON")],
    "getThreadRoots": [
        Ask(None, 403, "M_FORBIDDEN", by="bob", path=SECRET),
        Ask(None, 400, "M_INVALID_PARAM", query={"from": "nonsense"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"include": "some"}),
    ],
    "setTyping": [
        Ask({"typing": True}, 403, "M_FORBIDDEN", path={"userId": "bob"}),
        Ask({}, 400, "M_MISSING_PARAM"),
        Ask({"typing": True}, 403, "M_FORBIDDEN", by="bob", path={**SECRET, "userId": "bob"}),
    ],
    "searchUserDirectory": [Ask({}, 400, "M_BAD_JSON")],
}
"""For operations that take input, requests that are wrong, each with status and error code."""


def test_every_operation_of_the_area_is_asked() -> None:
    assert set(RIGHT) == set(OPERATIONS)
    assert set(WRONG) <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_right_request_is_answered_as_specified(fresh: Conversation, name: str) -> None:
    asks = RIGHT[name](fresh) if callable(RIGHT[name]) else RIGHT[name]
    for ask in asks if isinstance(asks, list) else [asks]:
        fresh.ask(OPERATIONS[name], ask)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - OPEN_TO_ALL))
def test_who_must_say_who_they_are_is_asked_for_a_token(talk: Conversation, name: str) -> None:
    talk.ask(OPERATIONS[name], Ask({}, 401, "M_MISSING_TOKEN", by=None))


@pytest.mark.parametrize(("name", "ask"), [(name, ask) for name, asks in WRONG.items() for ask in asks])
def test_a_wrong_request_is_refused_with_the_code_it_deserves(talk: Conversation, name: str, ask: Ask) -> None:
    assert talk.ask(OPERATIONS[name], ask)["error"]
