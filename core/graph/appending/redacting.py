"""Redactions: the stored bytes of an event are replaced when one applies, whichever of the two arrived first.

Whether it applies is decided by the state before the redaction; in room versions 1 and 2 the auth rules have decided.
Spec: room version 3, "Handling redactions".
"""

from __future__ import annotations

from core.events.redaction import may_redact
from core.graph.appending.resolving import state_lookup
from core.graph.appending.work import Redacted, Work
from core.graph.events import redacted_bytes
from core.graph.lines import StateMap
from core.graph.stored_event import StoredEvent
from core.storage.events import Flag


def apply_redaction(work: Work, redaction: StoredEvent, before: StateMap | None) -> None:
    """Note an accepted redaction, and thin the event it names if that is here."""
    redacts = redaction.event.redacts
    if redacts is None:
        return
    work.redactions.append((redacts, redaction.nid))
    target = work.known.by_ids((redacts,)).get(redacts)
    if target is not None and _applies(work, redaction, target, before):
        thin(work, target, redaction, is_logged=True)


def apply_waiting_redactions(work: Work, target: StoredEvent) -> None:
    """Thin an event that arrives after its redaction."""
    waiting = list(work.waiting_redactions.get(target.event_id, ()))
    waiting += [nid for redacts, nid in work.redactions if redacts == target.event_id]
    for redaction in work.known.by_nids(waiting).values():
        before = None if redaction.before is None else work.book.state(redaction.before)
        if _applies(work, redaction, target, before):
            thin(work, target, redaction, is_logged=False)
            return


def thin(work: Work, target: StoredEvent, redaction: StoredEvent | None, is_logged: bool) -> None:
    """Replace an event's bytes by those of its redacted form; without a redaction where its time is over."""
    renewed = work.renew(
        target,
        pdu_bytes=redacted_bytes(target.event),
        flags=target.flags | Flag.REDACTED,
        redacted_by=None if redaction is None else redaction.nid,
        _event=None,
    )
    work.relations = [relation for relation in work.relations if relation.child_nid != target.nid]
    work.redacted.append(Redacted(renewed, is_logged))


def _applies(work: Work, redaction: StoredEvent, target: StoredEvent, before: StateMap | None) -> bool:
    """Whether a redaction has its effect; where the state before it is unknown, by the current one."""
    if target.is_redacted or target.room_nid != work.tip.room_nid or target.nid == redaction.nid:
        return False
    state = work.state if before is None else before
    if not state:
        return False
    return may_redact(redaction.event, target.event, state_lookup(state, work.known, work.bench.texts))
