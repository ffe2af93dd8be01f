"""The sample's rules and accounts: each judging and answering hook, asked and answered."""

import pytest

from core.hooks import (
    ALLOW,
    PASSWORD_REFUSED,
    MediaPolicy,
    PasswordAccepted,
    PluginError,
    RateLimitOverride,
    Reject,
    Replace,
)
from core.hooks.loading import load_plugins
from core.hooks.specs import contributions, events, limits, passwords, permissions

ALICE, MALLORY = "@alice:example.org", "@mallory:example.org"
WEB = {"ip": "192.0.2.1", "user_agent": "Element"}
UNWELCOME = Reject("M_FORBIDDEN", "mallory is not welcome here.")

JUDGED = [
    (permissions.user_may_join, {"user_id": MALLORY, "room_id": "!r:a", "room": None, "is_invited": False}, "user_id"),
    (
        permissions.user_may_invite,
        {"inviter": ALICE, "invitee": MALLORY, "room_id": "!r:a", "room": None, "event": None},
        "invitee",
    ),
    (
        permissions.user_may_send_3pid_invite,
        {"inviter": ALICE, "medium": "email", "address": "mallory@a", "room_id": "!r:a", "room": None},
        "address",
    ),
    (permissions.user_may_create_room, {"user_id": MALLORY, "request": {"name": "x"}}, "user_id"),
    (permissions.user_may_create_alias, {"user_id": ALICE, "alias": "#mallory:a", "room_id": None}, "alias"),
    (
        permissions.user_may_publish,
        {"user_id": MALLORY, "room_id": "!r:a", "room": None, "is_public": True},
        "user_id",
    ),
    (
        permissions.check_media,
        {
            "user_id": ALICE,
            "mxc": "mxc://a/b",
            "content_type": "image/png",
            "name": "mallory.png",
            "head": b"",
            "path": None,
        },
        "name",
    ),
    (
        permissions.check_registration,
        {"localpart": "al", "threepids": [], "ip": WEB["ip"], "user_agent": "mallory/1"},
        "user_agent",
    ),
    (
        permissions.check_login,
        {"user_id": ALICE, "login_type": "x", "device_id": None, "ip": "::1", "user_agent": "mallory/1"},
        "user_agent",
    ),
    (permissions.may_bind_threepid, {"user_id": ALICE, "medium": "email", "address": "mallory@a"}, "address"),
    (permissions.may_shutdown_room, {"admin": ALICE, "room_id": "!mallory:a"}, "room_id"),
    (
        permissions.may_deactivate_user,
        {"user_id": MALLORY, "requested_by": ALICE, "is_erasure": False},
        "user_id",
    ),
]


@pytest.mark.parametrize(("hook", "arguments", "culprit"), JUDGED, ids=lambda value: getattr(value, "__name__", ""))
def test_who_is_on_the_list_is_refused_and_others_are_not(plugins, hook, arguments, culprit):
    assert plugins.judge(hook, **arguments) == UNWELCOME
    fine = arguments[culprit].replace("mallory", "bob")
    assert plugins.judge(hook, **{**arguments, culprit: fine}) == ALLOW


def test_a_listed_user_joins_where_they_are_invited(plugins):
    arguments = {"user_id": MALLORY, "room_id": "!r:a", "room": None, "is_invited": True}
    assert plugins.judge(permissions.user_may_join, **arguments) == ALLOW


def test_a_message_with_a_listed_word_is_spam_unless_the_room_says_otherwise(plugins, message, room):
    spam = {"event": message("win the lottery"), "sender": ALICE}
    hook = events.check_event_for_spam
    assert plugins.judge(hook, **spam, room=room()) == Reject("M_FORBIDDEN", "Your message looks like spam.")
    assert plugins.judge(hook, **spam, room=room("anything goes")) == ALLOW


def test_a_message_in_capitals_is_sent_in_small_letters(plugins, message, room):
    arguments = {"sender": ALICE, "room": room()}
    amended = plugins.ask(events.amend_event, event=message("HELLO"), **arguments)
    assert amended == Replace({"msgtype": "m.text", "body": "hello"})
    assert plugins.ask(events.amend_event, event=message("Hello"), **arguments) is None


def test_an_event_from_a_listed_server_is_dropped(plugins, message, room):
    arguments = {"event": message(), "room": room()}
    assert plugins.judge(events.drop_federated_event, origin="mallory.example", **arguments) == UNWELCOME
    assert plugins.judge(events.drop_federated_event, origin="example.com", **arguments) == ALLOW


def test_a_room_may_not_be_given_a_listed_name(plugins, room):
    arguments = {"user_id": ALICE, "room": room(), "state_key": "", "content": {"name": "mallory's"}}
    assert plugins.judge(permissions.user_may_send_state, event_type="m.room.name", **arguments) == UNWELCOME
    assert plugins.judge(permissions.user_may_send_state, event_type="m.room.topic", **arguments) == ALLOW


def test_a_listed_name_is_taken(plugins):
    taken = plugins.judge(permissions.check_username, localpart="mallory2", is_guest=False)
    assert taken == Reject("M_EXCLUSIVE", "That name is taken.")


def test_the_rules_say_what_is_wrong_with_their_configuration(plugins):
    entry = {"module": "trellis_sample.rules.Rules", "config": {"words": "lottery"}}
    with pytest.raises(PluginError, match="configuration: words is 'lottery'; it must be a list of text"):
        load_plugins([entry], api_for=lambda name: None, installed=[], disabled=["bcrypt_passwords"])


@pytest.mark.parametrize(
    ("user_id", "password", "answer"),
    [
        ("@carol:example.org", "secret", PasswordAccepted("@carol:example.org")),
        ("@carol:example.org", "wrong", PASSWORD_REFUSED),
        (ALICE, "secret", None),
    ],
)
def test_a_password_is_checked_where_the_account_lives(plugins, user_id, password, answer):
    assert plugins.ask(passwords.check_password, user_id=user_id, password=password) == answer


def test_a_login_type_of_a_plugin_is_listed_and_checked(plugins):
    offered = plugins.contributions(contributions.contribute_login_types)[0].item
    arguments = {"login_type": offered.type, "user": "whoever"}
    accepted = plugins.ask(passwords.check_login_type, **arguments, fields={offered.fields[0]: "7"})
    assert accepted == PasswordAccepted("@dave:example.org", "Dave")
    assert plugins.ask(passwords.check_login_type, **arguments, fields={"badge": "8"}) == PASSWORD_REFUSED


def test_an_account_can_expire(plugins):
    assert plugins.ask(passwords.is_user_expired, user_id="@eve:example.org") is True
    assert plugins.ask(passwords.is_user_expired, user_id=ALICE) is None


def test_a_plugin_names_a_new_account_from_what_it_proved(plugins):
    stages = {"m.login.email.identity": {"address": "frank@example.com"}}
    assert plugins.ask(passwords.username_for_registration, stages=stages, request={}) == "frank"
    assert plugins.ask(passwords.displayname_for_registration, stages=stages, request={}) == "Frank"
    assert plugins.ask(passwords.username_for_registration, stages={}, request={}) is None


def test_a_trusted_user_has_other_limits(plugins):
    trent = "@trent:example.org"
    override = plugins.ask(limits.ratelimit_override, user_id=trent, limiter="rc_message")
    assert override == RateLimitOverride(0, 0)
    assert plugins.ask(limits.ratelimit_override, user_id=ALICE, limiter="rc_message") is None
    assert plugins.ask(limits.media_policy, user_id=ALICE) == MediaPolicy(max_upload_bytes=1_000_000)
    assert plugins.ask(limits.media_policy, user_id=trent) is None
