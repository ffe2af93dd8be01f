"""Hooks that judge events: those local users send, and those other servers send us."""

from __future__ import annotations

from core.events.event import Event
from core.hooks.api import RoomView
from core.hooks.markers import Failure, Kind, spec
from core.hooks.verdicts import Allow, EventVerdict, Reject, Replace, Verdict
from core.ids import ServerName, UserId


@spec(Kind.JUDGE, Allow, Reject)
def check_event_for_spam(event: Event, sender: UserId, room: RoomView) -> Verdict | None:
    """Judge an event a local user is about to send, after the auth rules allow it.

    `room` reads the room's current state when asked. Return None to leave it to the next plugin, `ALLOW`, or
    `Reject(errcode, reason)`; the first answer wins. May block on the network, for as long as the plugin's time
    limit. If it raises or runs out of time the event is allowed and the failure counted. Since 0.1.
    """
    return None


@spec(Kind.ASK, Allow, Reject, Replace, failure=Failure.CLOSED)
def amend_event(event: Event, sender: UserId, room: RoomView) -> EventVerdict | None:
    """Judge, and if need be amend, an event a local user is about to send; after `check_event_for_spam`.

    For house rules ("no links from newcomers", "topics end with a full stop") rather than for spam. Return None to
    leave it to the next plugin, `ALLOW`, `Reject(errcode, reason)`, or `Replace(content)` to send other content,
    which passes the auth rules again but not this hook; the first answer wins. May block on the network. If it
    raises or runs out of time the event is refused with 503: a rule that cannot be applied is not waived. Since 0.1.
    """
    return None


@spec(Kind.JUDGE, Allow, Reject)
def drop_federated_event(event: Event, origin: ServerName, room: RoomView) -> Verdict | None:
    """Judge a live event from another server, after signatures and auth rules, before it is shown to anybody.

    `Reject` makes it soft-failed: kept for the room's graph, never sent to clients here; the other server is not
    told. Return None to leave it to the next plugin, or `ALLOW`; the first answer wins. Called for every remote
    event: block only if you must, the room waits. If it raises or runs out of time the event is let in. Since 0.1.
    """
    return None
