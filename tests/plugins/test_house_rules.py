"""What the rules of the configuration allow with rooms."""

from types import SimpleNamespace

import pytest

from core.hooks import PluginError
from plugins.house_rules import HouseRules

ALICE, ROOT = "@alice:x", "@root:x"


def rules(**config):
    return HouseRules(config, SimpleNamespace(users=SimpleNamespace(is_admin=lambda user: user == ROOT)))


def room(*aliases):
    content = {"alias": aliases[0], "alt_aliases": list(aliases[1:])} if aliases else {}
    return SimpleNamespace(state_event=lambda kind: SimpleNamespace(content=content) if aliases else None)


def test_without_rules_everything_is_allowed():
    plugin = rules()
    assert plugin.user_may_create_alias(ALICE, "#a:x", None) is None
    assert plugin.user_may_publish(ALICE, "!r", None, True) is None
    assert plugin.user_may_invite(ALICE, None) is None


def test_the_first_rule_that_matches_decides_about_an_alias_and_the_rest_is_denied():
    listed = [{"user_id": ROOT}, {"alias": "#official*", "action": "deny"}, {"alias": "#*:x", "room_id": "!r*"}]
    plugin = rules(alias_creation_rules=listed)
    assert plugin.user_may_create_alias(ROOT, "#official:x", None) is None
    assert plugin.user_may_create_alias(ALICE, "#official:x", "!r").errcode == "M_FORBIDDEN"
    assert plugin.user_may_create_alias(ALICE, "#mine:x", "!r1") is None
    assert plugin.user_may_create_alias(ALICE, "#mine:x", None).errcode == "M_FORBIDDEN"


def test_a_publication_is_judged_by_any_alias_of_the_room_and_taking_it_back_never():
    plugin = rules(room_list_publication_rules=[{"alias": "#good*"}])
    assert plugin.user_may_publish(ALICE, "!r", room("#bad:x", "#good:x"), True) is None
    assert plugin.user_may_publish(ALICE, "!r", room("#bad:x"), True).errcode == "M_FORBIDDEN"
    assert plugin.user_may_publish(ALICE, "!r", room(), True).errcode == "M_FORBIDDEN"
    assert plugin.user_may_publish(ALICE, "!r", None, False) is None


def test_only_administrators_invite_where_that_is_wanted_and_other_servers_do_as_they_like():
    plugin = rules(block_non_admin_invites=True)
    assert plugin.user_may_invite(ALICE, None).errcode == "M_FORBIDDEN"
    assert plugin.user_may_invite(ROOT, None) is None
    assert plugin.user_may_invite("@bob:y", SimpleNamespace()) is None


@pytest.mark.parametrize(
    "config",
    [
        {"nonsense": 1},
        {"alias_creation_rules": [{"action": "maybe"}]},
        {"alias_creation_rules": [{"user": "*"}]},
        {"room_list_publication_rules": [{"alias": 5}]},
        {"block_non_admin_invites": "yes"},
    ],
)
def test_wrong_settings_are_explained(config):
    with pytest.raises(PluginError):
        rules(**config)
