"""Events of our own: what they build on, which auth events they list, and the whole of it hashed and signed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from core.events.auth_rules import auth_event_keys, authorize
from core.events.build import build_event
from core.events.event import Event
from core.events.room_versions import EventFormat
from core.events.signatures import SigningKey
from core.graph.appending.placing import Placement, find_state_before, place_live
from core.graph.appending.resolving import state_lookup
from core.graph.appending.work import Work
from core.graph.drafts import Draft
from core.graph.stored_event import StoredEvent, Verdict
from core.ids import EventId, RoomId, ServerName

MOST_PREV_EVENTS = 10
"""How many forward extremities an event of ours builds on."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who signs, and what time it is."""

    server_name: ServerName
    key: SigningKey
    now_ms: Callable[[], int]


def send_draft(work: Work, draft: Draft, author: Author) -> StoredEvent:
    """Build, authorize and place an event. Raises AuthRuleViolation and EventRefused; the append is spoiled then."""
    place = place_of_next(work)
    event = build(work, place, draft, author)
    assert place.state is not None, "the state before an event of ours is always known"
    authorize(event, state_lookup(place.state, work.known, work.bench.texts))
    if place.state is not work.state:
        authorize(event, state_lookup(work.state, work.known, work.bench.texts))
    return place_own(work, place, event)


def place_of_next(work: Work) -> Placement:
    """Where the next event of ours goes."""
    place = Placement(work, None, prevs=chosen_extremities(work))  # type: ignore[arg-type]  # the event is built next
    find_state_before(work, place, None)
    return place


def place_own(work: Work, place: Placement, event: Event) -> StoredEvent:
    """Place an event that was built and authorized."""
    place.event = event
    return place_live(work, place, Verdict.ACCEPTED)


def build(work: Work, place: Placement, draft: Draft, author: Author) -> Event:
    """The complete event for a draft, not authorized yet. Raises EventRefused where it cannot be one."""
    tip = work.tip
    version, state, texts = tip.version, place.state, work.bench.texts
    keys = auth_event_keys(version, draft.type, draft.sender, draft.state_key, draft.content)
    nids = [(texts.find(kind), texts.find(key)) for kind, key in keys]
    found = (state.get(key) for key in nids) if state is not None else ()  # type: ignore[arg-type]  # None is in no key
    auth = [work.known.by_nid(nid) for nid in found if nid is not None]
    is_v1 = version.event_format is EventFormat.V1
    prevs: list[Event | EventId] = [one.event if is_v1 else one.event_id for one in place.prevs]
    return build_event(
        version,
        tip.room_id or None,
        draft.type,
        draft.sender,
        draft.content,
        prev_events=prevs,
        auth_events=[one.event if is_v1 else one.event_id for one in auth],
        depth=max((prev.event.depth for prev in place.prevs), default=0) + 1,
        origin_server_ts=author.now_ms() if draft.origin_server_ts is None else draft.origin_server_ts,
        server=author.server_name,
        signing_key=author.key,
        state_key=draft.state_key,
        redacts=draft.redacts,
        opaque_id=secrets.token_urlsafe(15) if is_v1 else None,
    )


def chosen_extremities(work: Work) -> list[StoredEvent]:
    """The forward extremities the next event builds on: all, or of too many half the newest and half the oldest."""
    everyone = sorted(work.extremities.values(), key=lambda one: (one.local_depth, one.nid))
    if len(everyone) <= MOST_PREV_EVENTS:
        return everyone
    half = MOST_PREV_EVENTS // 2
    return everyone[:half] + everyone[-half:]


def new_room_id(server: ServerName) -> RoomId:
    """An id for a room before version 12."""
    return RoomId(f"!{secrets.token_urlsafe(18)}:{server}")
