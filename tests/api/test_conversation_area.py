"""Every operation of the area `conversation` by raw HTTP: asked rightly, without a token, and wrongly.

Where `TRELLIS_SPEC` names the specification, each answer is held against the schema of its OpenAPI file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.api.asking import TXN, Ask, Conversation, new_conversation, operations_of
from tests.servers.trellis import Server

OPERATIONS = operations_of("conversation")
OPEN = {
    "enable_registration": True,
    "enable_registration_without_verification": True,
    "allow_guest_access": True,
}
PASSWORD = "pässword"
LOGIN = {"type": "m.login.password", "password": PASSWORD}
LOGIN_WRONG = {**LOGIN, "identifier": {"type": "m.id.user", "user": "nobody.here"}, "password": "wrong"}
TEXT = {"msgtype": "m.text", "body": "hello"}
TOKEN_BY_EMAIL = {"client_secret": "abc", "email": "a@example.org", "send_attempt": 1}
TOKEN_BY_PHONE = {"client_secret": "abc", "country": "GB", "phone_number": "07700900001", "send_attempt": 1}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def people(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with open registration, on either engine."""
    with ExitStack() as stack:
        database = None
        if request.param == "mariadb":
            settings = stack.enter_context(request.getfixturevalue("mariadb").schema())
            args = {"unix_socket": settings.unix_socket, "user": settings.user, "database": settings.database}
            database = {"name": "mysql", "args": args}
        server = Server(tmp_path_factory.mktemp("people"), database, **OPEN)
        server.start()
        stack.callback(server.stop)
        yield server


@pytest.fixture
def conversation(people: Server) -> Conversation:
    """A conversation of the test's own."""
    return new_conversation(people)


@pytest.fixture(scope="module")
def settled(people: Server) -> Conversation:
    """A conversation for requests that change nothing."""
    return new_conversation(people)


def _all_presets(conversation: Conversation) -> list[Ask]:
    """createRoom with every option, every preset and every room version."""
    bob = conversation.people["bob"].user_id
    alias = f"talk{next(TXN)}"
    everything = {
        "room_alias_name": alias, "name": "Talk", "topic": "Of everything", "invite": [bob], "is_direct": True,
        "visibility": "public", "creation_content": {"m.federate": False, "org.example": 1}, "room_version": "12",
        "initial_state": [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}],
        "power_level_content_override": {"events_default": 5}, "preset": "trusted_private_chat", "invite_3pid": [],
    }  # fmt: skip
    presets = [{"preset": preset} for preset in ("private_chat", "public_chat", "trusted_private_chat")]
    versions = [{"room_version": str(version)} for version in range(1, 13)]
    return [Ask(body) for body in (everything, *presets, *versions, {})]


def _register(conversation: Conversation) -> list[Ask]:
    name = f"carol{next(TXN)}"
    body = {"username": name, "password": PASSWORD}
    with_auth = {**body, "auth": {"type": "m.login.dummy"}, "device_id": "D", "refresh_token": True}
    return [
        Ask(body, 401, by=None),
        Ask(with_auth, by=None),
        Ask({**with_auth, "username": f"{name}x", "inhibit_login": True}, by=None),
        Ask({}, by=None, query={"kind": "guest"}),
    ]


def _syncs(conversation: Conversation) -> list[Ask]:
    since = conversation.people["bob"].sync()["next_batch"]
    return [
        Ask(by="bob"),
        Ask(by="bob", query={"since": since, "full_state": "true", "set_presence": "offline"}),
        Ask(by="bob", query={"filter": '{"room":{"include_leave":true,"state":{"lazy_load_members":true}}}'}),
        Ask(by="bob", query={"use_state_after": "true", "timeout": "0"}),
        Ask(query={"filter": conversation.parts["filterId"]}),
    ]


RIGHT: dict[str, Any] = {
    "getCapabilities": Ask(),
    "createRoom": _all_presets,
    "defineFilter": Ask({"event_fields": ["type"], "room": {"timeline": {"limit": 3, "not_senders": ["@x:y"]}}}),
    "getFilter": Ask(),
    "inviteUser": lambda talk: Ask(
        {"user_id": talk.people["bob"].user_id, "reason": "come"}, path={"roomId": "secretRoom"}
    ),
    "joinRoomById": Ask({"reason": "curious"}, by="bob", path={"roomId": "openRoom"}),
    "joinRoom": Ask({}, by="bob", query={"via": "elsewhere.example"}),
    "leaveRoom": Ask({"reason": "late"}, by="bob"),
    "forgetRoom": Ask({}, by="bob", path={"roomId": "leftRoom"}),
    "getJoinedRooms": Ask(),
    "getLoginFlows": Ask(by=None),
    "login": lambda talk: [
        Ask({**LOGIN, "identifier": {"type": "m.id.user", "user": user}, **more}, by=None)
        for user in (talk.people["bob"].user_id, talk.people["bob"].user_id[1:].split(":")[0])
        for more in ({}, {"refresh_token": True, "device_id": "D", "initial_device_display_name": "Phone"})
    ],
    "logout": Ask(),
    "logout_all": Ask(),
    "getRoomEvents": [
        Ask(query={"dir": "b"}),
        Ask(query={"dir": "f", "limit": "3", "filter": '{"types":["m.room.*"],"lazy_load_members":true}'}),
    ],
    "setProfileField": [
        Ask({"displayname": "Alice"}),
        Ask({"avatar_url": "mxc://example.org/abc"}, path={"keyName": "avatar_url"}),
        Ask({"m.tz": "Europe/Berlin"}, path={"keyName": "m.tz"}),
    ],
    "getProfileField": Ask(by=None),
    "deleteProfileField": Ask(),
    "getUserProfile": Ask(by=None),
    "redactEvent": [Ask({"reason": "typo"}), Ask({"reason": "typo"})],
    "register": _register,
    "requestTokenToRegisterEmail": Ask(TOKEN_BY_EMAIL, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", by=None),
    "requestTokenToRegisterMSISDN": Ask(TOKEN_BY_PHONE, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", by=None),
    "checkUsernameAvailability": Ask(by=None, query={"username": "nobody.yet"}),
    "sendMessage": [Ask(TEXT, path={"eventType": "m.room.message"}), Ask(TEXT, path={"eventType": "m.room.message"})],
    "setRoomStateWithKey": [Ask({"topic": "Weather"}), Ask({"x": 1}, path={"eventType": "org.x", "stateKey": "a/b"})],
    "getOneRoomEvent": Ask(),
    "getRoomStateWithKey": [
        Ask(path={"eventType": "m.room.name"}),
        Ask(path={"eventType": "m.room.name"}, query={"format": "event"}),
    ],
    "getRoomState": Ask(),
    "getMembersByRoom": [Ask(), Ask(query={"membership": "join"}), Ask(query={"not_membership": "join"})],
    "getJoinedMembersByRoom": Ask(by="bob"),
    "sync": _syncs,
    "getVersions": [Ask(by=None), Ask()],
    "getWellknown": Ask(by=None),
    "getTokenOwner": Ask(),
}
"""For each operation the requests that are right, made where they need to know who talks."""

OPEN_TO_ALL = {
    "getLoginFlows", "login", "getProfileField", "getUserProfile", "register", "requestTokenToRegisterEmail",
    "requestTokenToRegisterMSISDN", "checkUsernameAvailability", "getVersions", "getWellknown",
}  # fmt: skip

WRONG: dict[str, list[Ask]] = {
    "createRoom": [
        Ask(b"{", 400, "M_NOT_JSON"),
        Ask([], 400, "M_BAD_JSON"),
        Ask({"preset": "secret"}, 400, "M_BAD_JSON"),
        Ask({"room_version": "99"}, 400, "M_UNSUPPORTED_ROOM_VERSION"),
        Ask({"invite": ["bob"]}, 400, "M_BAD_JSON"),
        Ask({"invite": "@bob:x"}, 400, "M_BAD_JSON"),
        Ask({"room_alias_name": "a:b"}, 400, "M_INVALID_PARAM"),
        Ask({"initial_state": [{"type": "m.room.name"}]}, 400, "M_BAD_JSON"),
        Ask({"power_level_content_override": {"users": {"@x:y": "high"}}}, 400, "M_INVALID_ROOM_STATE"),
        Ask({"creation_content": 5}, 400, "M_BAD_JSON"),
    ],
    "defineFilter": [
        Ask({"room": 1}, 400, "M_BAD_JSON"),
        Ask({}, 403, "M_FORBIDDEN", by="bob"),
    ],
    "getFilter": [
        Ask(None, 404, "M_NOT_FOUND", path={"filterId": "999999"}),
        Ask(None, 403, "M_FORBIDDEN", by="bob"),
    ],
    "inviteUser": [
        Ask({}, 400, "M_MISSING_PARAM"),
        Ask({"user_id": "bob"}, 400, "M_BAD_JSON"),
        Ask({"user_id": "@x:y"}, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"}),
    ],
    "joinRoomById": [
        Ask({}, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"}),
        Ask({"reason": 5}, 400, "M_BAD_JSON"),
    ],
    "joinRoom": [
        Ask({}, 404, "M_NOT_FOUND", path={"roomIdOrAlias": "!nowhere"}),
        Ask({}, 400, "M_INVALID_PARAM", path={"roomIdOrAlias": "nonsense"}),
    ],
    "leaveRoom": [Ask({}, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"})],
    "forgetRoom": [Ask({}, 400, "M_UNKNOWN")],
    "login": [
        Ask({}, 400, "M_UNKNOWN", by=None),
        Ask({"type": "m.login.magic"}, 400, "M_UNKNOWN", by=None),
        Ask(LOGIN_WRONG, 403, "M_FORBIDDEN", by=None),
        Ask({**LOGIN_WRONG, "password": 5}, 400, "M_MISSING_PARAM", by=None),
    ],
    "getRoomEvents": [
        Ask(None, 400, "M_MISSING_PARAM"),
        Ask(None, 400, "M_INVALID_PARAM", query={"dir": "x"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"dir": "b", "from": "nonsense"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"dir": "b", "limit": "many"}),
        Ask(None, 403, "M_FORBIDDEN", by="bob", query={"dir": "b"}, path={"roomId": "secretRoom"}),
    ],
    "setProfileField": [
        Ask({"displayname": "Mallory"}, 403, "M_FORBIDDEN", by="bob"),
        Ask({}, 400, "M_MISSING_PARAM"),
        Ask({"displayname": 5}, 400, "M_INVALID_PARAM"),
        Ask({"org.x": "a" * 70_000}, 400, "M_PROFILE_TOO_LARGE", path={"keyName": "org.x"}),
        Ask({"k" * 300: 1}, 400, "M_KEY_TOO_LARGE", path={"keyName": "k" * 300}),
    ],
    "getProfileField": [Ask(None, 404, "M_NOT_FOUND", path={"keyName": "org.example.none"})],
    "getUserProfile": [
        Ask(None, 404, "M_NOT_FOUND", path={"userId": "nobody"}),
        Ask(None, 400, "M_INVALID_PARAM", path={"userId": "nonsense"}),
    ],
    "redactEvent": [Ask({}, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"})],
    "register": [
        Ask({"username": "Ünïcode", "auth": {"type": "m.login.dummy"}}, 400, "M_INVALID_USERNAME", by=None),
        Ask({}, 400, "M_INVALID_PARAM", by=None, query={"kind": "robot"}),
        Ask({"auth": {"type": "m.login.magic"}}, 401, "M_UNKNOWN", by=None),
    ],
    "checkUsernameAvailability": [
        Ask(None, 400, "M_MISSING_PARAM", by=None),
        Ask(None, 400, "M_INVALID_USERNAME", by=None, query={"username": "a b"}),
    ],
    "sendMessage": [
        Ask(b"hello", 400, "M_NOT_JSON"),
        Ask({"body": "x" * 70_000}, 413, "M_TOO_LARGE"),
        Ask({"x": 1.5}, 400, "M_BAD_JSON"),
        Ask({"body": "x"}, 400, "M_BAD_JSON", path={"eventType": "m.room.message"}),
        Ask({"msgtype": "m.text", "body": 5}, 400, "M_BAD_JSON", path={"eventType": "m.room.message"}),
        Ask(TEXT, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"}),
    ],
    "setRoomStateWithKey": [
        Ask({"topic": "x"}, 403, "M_FORBIDDEN", by="bob"),
        Ask({"users": {"@a:b.org": "50"}}, 400, "M_BAD_JSON", path={"eventType": "m.room.power_levels"}),
        Ask({}, 413, "M_TOO_LARGE", path={"stateKey": "k" * 300}),
        Ask({"membership": "dancing"}, 400, "M_BAD_JSON", path={"eventType": "m.room.member", "stateKey": "userId"}),
    ],
    "getOneRoomEvent": [
        Ask(None, 404, "M_NOT_FOUND", path={"eventId": "$nothing"}),
        Ask(None, 404, "M_NOT_FOUND", by="bob", path={"roomId": "secretRoom"}),
    ],
    "getRoomStateWithKey": [
        Ask(None, 404, "M_NOT_FOUND", path={"eventType": "org.example.none"}),
        Ask(None, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"}),
    ],
    "getRoomState": [Ask(None, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"})],
    "getMembersByRoom": [
        Ask(None, 403, "M_FORBIDDEN", by="bob", path={"roomId": "secretRoom"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"membership": "dancing"}),
    ],
    "getJoinedMembersByRoom": [Ask(None, 403, "M_FORBIDDEN", by="bob", path={"roomId": "leftRoom"})],
    "sync": [
        Ask(None, 400, "M_INVALID_PARAM", query={"since": "nonsense"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"timeout": "soon"}),
        Ask(None, 400, "M_NOT_JSON", query={"filter": "{"}),
        Ask(None, 400, "M_INVALID_PARAM", query={"set_presence": "asleep"}),
    ],
    "getTokenOwner": [],
}
"""For operations that take input, requests that are wrong, each with status and error code."""


def test_every_operation_of_the_area_is_asked() -> None:
    assert set(RIGHT) == set(OPERATIONS)
    assert set(WRONG) <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_right_request_is_answered_as_specified(conversation: Conversation, name: str) -> None:
    asks = RIGHT[name](conversation) if callable(RIGHT[name]) else RIGHT[name]
    for ask in asks if isinstance(asks, list) else [asks]:
        conversation.ask(OPERATIONS[name], ask)


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_must_say_who_they_are_is_asked_for_a_token(settled: Conversation, name: str) -> None:
    if name in OPEN_TO_ALL:
        pytest.skip("open to all")
    settled.ask(OPERATIONS[name], Ask({}, 401, "M_MISSING_TOKEN", by=None))


@pytest.mark.parametrize(("name", "ask"), [(name, ask) for name, asks in WRONG.items() for ask in asks])
def test_a_wrong_request_is_refused_with_the_code_it_deserves(settled: Conversation, name: str, ask: Ask) -> None:
    refusal = settled.ask(OPERATIONS[name], ask)
    assert refusal["error"]
