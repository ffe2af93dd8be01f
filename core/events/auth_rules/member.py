"""The rules for memberships: shape, the authorizing server, and which of the transitions an event asks for.

Joins, invites and knocks have files of their own; leaving and banning, which are about power, stand here.
Rule 5 in room versions 1 to 5 and 12, rule 4 in 6 to 11.
"""

from __future__ import annotations

from collections.abc import Callable

from core.events.auth_rules.invite import check_invite
from core.events.auth_rules.join import check_join
from core.events.auth_rules.knock import check_knock
from core.events.auth_rules.membership import membership_of
from core.events.auth_rules.numbering import Membership, Rule, broken, broken_membership
from core.events.event import Event
from core.events.power_levels import PowerLevels
from core.events.signatures import signatures_of
from core.ids import server_of

State = Callable[[str, str], Event | None]


def check_member(event: Event, state: State, create: Event) -> None:
    """The rules for `m.room.member`. Raises AuthRuleViolation."""
    target, version = event.state_key, event.version
    if target is None:
        raise broken_membership(version, Membership.SHAPE, "", "A membership must have a state key.")
    if "membership" not in event.content:
        raise broken_membership(version, Membership.SHAPE, "", "The content must have a `membership`.")
    membership = event.content["membership"]
    if version.restricted_joins and "join_authorised_via_users_server" in event.content:
        _check_authorizing_server(event)
    if membership == "join":
        check_join(event, target, state, create)
    elif membership == "invite":
        check_invite(event, target, state, create)
    elif membership == "leave":
        _check_leave(event, target, state, create)
    elif membership == "ban":
        _check_ban(event, target, state, create)
    elif membership == "knock" and version.knocking:
        check_knock(event, target, state)
    else:
        raise broken_membership(version, Membership.UNKNOWN, "", "The membership is none this room version knows.")


def _check_authorizing_server(event: Event) -> None:
    """4.2.1, from room version 8: the server of the authorizing user has signed.

    That the signature is right was seen to on receipt; see core.events.signatures.servers_that_must_sign.
    """
    authorizer = event.content["join_authorised_via_users_server"]
    if not isinstance(authorizer, str) or not signatures_of(event.pdu, server_of(authorizer)):
        raise broken(event.version, Rule.MEMBER, "2.1", "The server of the authorizing user has not signed the event.")


def _check_leave(event: Event, target: str, state: State, create: Event) -> None:
    version, before = event.version, membership_of(state, target)
    if event.sender == target:  # .1
        if before in ("invite", "join") or (version.knocking and before == "knock"):
            return
        raise broken_membership(version, Membership.LEAVE, "1", f"{target} has nothing to leave.")
    if membership_of(state, event.sender) != "join":  # .2
        raise broken_membership(version, Membership.LEAVE, "2", f"{event.sender} is not joined to the room.")
    levels = PowerLevels.from_events(create, state("m.room.power_levels", ""))
    own = levels.of_user(event.sender)
    if before == "ban" and own < levels.to("ban"):  # .3
        raise broken_membership(
            version, Membership.LEAVE, "3", f"Lifting a ban takes level {levels.to('ban')}; {own} is too low."
        )
    if own < levels.to("kick"):  # .4
        raise broken_membership(
            version, Membership.LEAVE, "5", f"Kicking takes level {levels.to('kick')}; {own} is too low."
        )
    if levels.of_user(target) >= own:
        raise broken_membership(version, Membership.LEAVE, "5", f"{target} has no lower level than {event.sender}.")


def _check_ban(event: Event, target: str, state: State, create: Event) -> None:
    version = event.version
    if membership_of(state, event.sender) != "join":  # .1
        raise broken_membership(version, Membership.BAN, "1", f"{event.sender} is not joined to the room.")
    levels = PowerLevels.from_events(create, state("m.room.power_levels", ""))
    own = levels.of_user(event.sender)
    if own < levels.to("ban"):  # .2
        raise broken_membership(
            version, Membership.BAN, "3", f"Banning takes level {levels.to('ban')}; {own} is too low."
        )
    if levels.of_user(target) >= own:
        raise broken_membership(version, Membership.BAN, "3", f"{target} has no lower level than {event.sender}.")
