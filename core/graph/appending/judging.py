"""Verdicts: an event against its auth events, the state before it, and the current state.

Spec: Server-Server API, "Checks performed on receipt of a PDU", steps 4 to 6.
"""

from __future__ import annotations

from core.errors import AuthRuleViolation
from core.events.auth_rules import authorize, check_auth_events
from core.events.event import Event
from core.graph.appending.admission import Judgement
from core.graph.appending.resolving import state_lookup
from core.graph.appending.work import Work
from core.graph.lines import StateMap
from core.graph.missing import MissingAuthEvents
from core.graph.stored_event import Verdict
from core.ids import EventId, StateKey

ACCEPTED = Judgement(Verdict.ACCEPTED)


def judge(work: Work, event: Event, before: StateMap | None, is_live: bool) -> Judgement:
    """The verdict on `event`, given the state before it; None leaves that step out, as for outliers.

    Only live events can be soft-failed. Raises MissingAuthEvents where auth events are unknown.
    """
    try:
        _check_listed(work, event)
        if before is not None:
            authorize(event, state_lookup(before, work.known, work.bench.texts))
    except AuthRuleViolation as violation:
        return Judgement(Verdict.REJECTED, violation)
    if is_live and before is not work.state:
        try:
            authorize(event, state_lookup(work.state, work.known, work.bench.texts))
        except AuthRuleViolation as violation:
            return Judgement(Verdict.SOFT_FAILED, violation)
    return ACCEPTED


def _check_listed(work: Work, event: Event) -> None:
    """Steps 4: the auth events, and what they allow."""
    wanted = list(event.auth_event_ids)
    implied: EventId | None = None
    if event.version.room_id_is_create_hash and event.type != "m.room.create":
        implied = EventId("$" + event.room_id[1:])
        wanted.append(implied)
    found = work.known.by_ids(wanted)
    if missing := [one for one in wanted if one not in found]:
        raise MissingAuthEvents(event.event_id, missing)
    listed = [found[one].event for one in event.auth_event_ids]
    check_auth_events(event, listed, lambda one: one in found and found[one].is_rejected)
    by_key: dict[StateKey, Event] = {one.key: one for one in listed if one.is_state}
    if implied is not None:
        by_key[("m.room.create", "")] = found[implied].event
    authorize(event, lambda event_type, state_key: by_key.get((event_type, state_key)))
