"""Letting in events of others: in the order given, each judged where the caller has not done so."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import AuthRuleViolation
from core.graph.appending.admission import Admission, Judgement
from core.graph.appending.judging import judge
from core.graph.appending.placing import (
    Placement,
    backfill_depths,
    find_state_before,
    keep_outlier,
    place_backfilled,
    place_live,
)
from core.graph.appending.work import Work
from core.graph.missing import MissingEvents
from core.graph.stored_event import Place, StoredEvent, Verdict
from core.ids import EventId

EVENTS_PER_CHECKPOINT = 50
"""After how many events of an append others may run."""

Refused = dict[EventId, AuthRuleViolation]


def admit(work: Work, admissions: Sequence[Admission], refused: Refused) -> None:
    """Place or keep each event; those known already are passed over. `refused` receives the rules that were broken.

    Raises MissingEvents and MissingAuthEvents, before anything is written.
    """
    refused.clear()
    work.look_ahead([admission.event for admission in admissions])
    backfilled = [admission for admission in admissions if admission.place is Place.BACKFILLED]
    depths = backfill_depths(work, backfilled) if backfilled else {}
    for number, admission in enumerate(admissions, 1):
        if number % EVENTS_PER_CHECKPOINT == 0:
            work.checkpoint()
        event = admission.event
        present = work.known.by_ids((event.event_id,)).get(event.event_id)
        if admission.place is Place.OUTLIER:
            if present is None:
                keep_outlier(work, event, _verdict(work, admission, None, refused))
        elif present is None or present.is_outlier:
            _place(work, admission, present, depths.get(event.event_id, 0), refused)


def _place(work: Work, admission: Admission, outlier: StoredEvent | None, depth: int, refused: Refused) -> None:
    work.begin_line()
    place = Placement(work, admission.event, outlier)
    try:
        find_state_before(work, place, admission.state)
    except MissingEvents:
        if admission.place is Place.LIVE:
            raise
    verdict = _verdict(work, admission, place, refused)
    if admission.place is Place.LIVE:
        place_live(work, place, verdict)
    else:
        place_backfilled(work, place, verdict, depth)


def _verdict(work: Work, admission: Admission, place: Placement | None, refused: Refused) -> Verdict:
    if admission.verdict is not None:
        return admission.verdict
    before = None if place is None else place.state
    found: Judgement = judge(work, admission.event, before, admission.place is Place.LIVE and not work.is_entrance)
    if found.violation is not None:
        refused[admission.event.event_id] = found.violation
    if admission.is_unwelcome and admission.place is Place.LIVE and found.verdict is Verdict.ACCEPTED:
        return Verdict.SOFT_FAILED
    return found.verdict
