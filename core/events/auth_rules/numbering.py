"""Which number a rule has: the lists of the room versions say nearly the same, but count differently.

Versions 6 to 11 lost the rule for aliases, 12 gained one for the room id, 8 put the authorizing server's signature
before the memberships, 10 and 12 put checks before the comparison of power levels. Numbers are made only when a rule
was broken.
"""

from __future__ import annotations

from enum import Enum

from core.errors import AuthRuleViolation
from core.events.room_versions import RoomVersion


class Rule(Enum):
    """The top-level rules, numbered as in room version 1; `ROOM_ID` is 12's own rule 2."""

    CREATE = 1
    ROOM_ID = 0
    AUTH_EVENTS = 2
    FEDERATE = 3
    ALIASES = 4
    MEMBER = 5
    JOINED = 6
    THIRD_PARTY_INVITE = 7
    REQUIRED_LEVEL = 8
    STATE_KEY = 9
    POWER_LEVELS = 10
    REDACTION = 11


class Membership(Enum):
    """The parts of the member rule, numbered as before room version 8 with a knock between ban and unknown."""

    SHAPE = 1
    JOIN = 2
    INVITE = 3
    LEAVE = 4
    BAN = 5
    KNOCK = 6
    UNKNOWN = 7


def rule_number(version: RoomVersion, rule: Rule) -> int:
    """The number of a top-level rule in the list of `version`."""
    if rule is Rule.CREATE:
        return 1
    if rule is Rule.ROOM_ID:
        return 2
    number: int = rule.value
    if not version.special_cases_aliases and number > Rule.ALIASES.value:
        number -= 1
    return number + 1 if version.room_id_is_create_hash else number


def broken(version: RoomVersion, rule: Rule, part: str, sentence: str) -> AuthRuleViolation:
    """The violation of the rule's part `part`, such as "3" or "2.1"; "" for a rule without parts."""
    number = str(rule_number(version, rule))
    return AuthRuleViolation(f"{number}.{part}" if part else number, sentence)


def broken_membership(version: RoomVersion, membership: Membership, part: str, sentence: str) -> AuthRuleViolation:
    """The violation of a part of the rules for one membership."""
    number: int = membership.value
    if membership is Membership.UNKNOWN and not version.knocking:
        number -= 1
    if version.restricted_joins and membership is not Membership.SHAPE:
        number += 1
    return broken(version, Rule.MEMBER, f"{number}.{part}" if part else str(number), sentence)
