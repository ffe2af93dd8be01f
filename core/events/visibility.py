"""History visibility: who may see an event.

Pure decisions over what held *at the event*: the caller looks up the history visibility and the memberships there.
State before is the state the event was sent in; the state after differs from it only if the event itself is state.

Spec: Client-Server API, "Room History Visibility".
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from core.events.event import Event
from core.ids import server_of


class HistoryVisibility(Enum):
    """The values of `m.room.history_visibility`."""

    WORLD_READABLE = "world_readable"
    SHARED = "shared"
    INVITED = "invited"
    JOINED = "joined"


_BY_VALUE = {visibility.value: visibility for visibility in HistoryVisibility}


def history_visibility(event: Event | None) -> HistoryVisibility:
    """What an `m.room.history_visibility` event sets; `shared` without one or where it is not understood."""
    value = event.content.get("history_visibility") if event is not None else None
    return _BY_VALUE.get(value, HistoryVisibility.SHARED) if isinstance(value, str) else HistoryVisibility.SHARED


def may_see(
    event: Event, user_id: str, visibility: HistoryVisibility, membership: str | None, joined_since: bool
) -> bool:
    """Whether a local user may see `event`.

    `visibility` and `membership` (None without a member event) are those of the state before the event; `joined_since`
    tells whether the user joined at any point after the event, or still was joined then.
    """
    visibilities = _around(event, visibility)
    memberships = [membership]
    if event.type == "m.room.member" and event.state_key == user_id:
        memberships.append(_membership(event))
    return any(_allows(seen_as, known_as, joined_since) for seen_as in visibilities for known_as in memberships)


def server_may_see(
    event: Event, server_name: str, visibility: HistoryVisibility, memberships: Iterable[str], joined_since: bool
) -> bool:
    """Whether a remote server may be given `event`: whether any of its users may see it.

    `memberships` are those of the server's users in the state before the event, `joined_since` is about any of them.
    That the server takes part in the room now is a question of its own. Spec: Server-Server API, "Backfilling and
    retrieving missing events".
    """
    known: set[str | None] = set(memberships)
    if event.type == "m.room.member" and event.state_key is not None and server_of(event.state_key) == server_name:
        known.add(_membership(event) or "leave")
    seen_as = _around(event, visibility)
    return any(_allows(one, membership, joined_since) for one in seen_as for membership in known | {None})


def _around(event: Event, before: HistoryVisibility) -> tuple[HistoryVisibility, ...]:
    """The visibility before, and after an event that changes it."""
    if event.type == "m.room.history_visibility" and event.state_key == "":
        return before, history_visibility(event)
    return (before,)


def _allows(visibility: HistoryVisibility, membership: str | None, joined_since: bool) -> bool:
    """Rules 1 to 5 of "Server behaviour"."""
    if visibility is HistoryVisibility.WORLD_READABLE or membership == "join":
        return True
    if visibility is HistoryVisibility.SHARED:
        return joined_since
    return visibility is HistoryVisibility.INVITED and membership == "invite"


def _membership(event: Event) -> str | None:
    value = event.content.get("membership")
    return value if isinstance(value, str) else None
