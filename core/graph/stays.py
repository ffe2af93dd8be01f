"""How long somebody was in a room: former members are shown its state as of the end of their last stay.

What ends later, such as an invite that is turned down or a ban from outside, is no stay and shows nothing more.
"""

from __future__ import annotations

from core.graph.states import RoomStates
from core.graph.stored_event import StateRef
from core.ids import RoomNid, UserNid


def end_of_stay(states: RoomStates, room: RoomNid, user: UserNid) -> StateRef | None:
    """The state right after a user last stopped being a member; None for who never was one, or still is."""
    current = states.current(room).ref
    following: int | None = None
    for index, membership in reversed(states.membership_intervals(room, user)):
        if membership == "join":
            return None if following is None or current is None else StateRef(current.line, following)
        following = index
    return None
