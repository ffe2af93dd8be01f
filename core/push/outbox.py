"""What is to be pushed to whom: decided from the steps of the ledger, queued in the transaction that writes those.

So a notification is queued exactly once, and nothing more is asked of a message in a room where nobody has a pusher
than one query for all messages of half a second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import orjson

from core.events.push_rules import NOTHING, Outcome
from core.ids import EventNid, UserNid
from core.push.evaluating import Step
from core.storage.pushers import HTTP, PusherStore
from core.storage.transaction import Transaction

BADGE = EventNid(0)
"""In place of an event: only the number of unread messages has changed."""

Planned = tuple[int, EventNid, bytes, str]
"""(pusher, event, tweaks as JSON, the pusher's kind)."""
Wake = Callable[[Collection[int]], None]


class Outbox:
    """Plans and queues. `wakes` are told, by kind, the pushers for whom something waits, once it is durable."""

    def __init__(self, store: PusherStore, wakes: Mapping[str, Wake]) -> None:
        self._store = store
        self._wakes = wakes

    def plan(self, steps: Sequence[Step], readers: Collection[UserNid]) -> list[Planned]:
        """What some steps, and users who have read something, are to be pushed."""
        planned: list[Planned] = []
        if readers:
            planned += [(pusher, BADGE, b"{}", HTTP) for pusher in self._store.with_badge(readers)]
        by_room = {step.room_nid: step for step in steps if step.common.notify or step.special}
        pushers = {room: self._store.in_room(room) for room in by_room}
        for step in steps:
            for user, pusher, is_joined, kind in pushers.get(step.room_nid, ()):
                outcome = _outcome(step, user, bool(is_joined))
                if outcome.notify:
                    planned.append((pusher, step.event_nid, orjson.dumps(_tweaks(outcome)), kind))
        return planned

    def write(self, transaction: Transaction, planned: Sequence[Planned]) -> None:
        """Queue what was planned."""
        if not planned:
            return
        self._store.add(transaction, [one[:3] for one in planned])
        for kind, wake in self._wakes.items():
            pushers = {pusher for pusher, _, _, its in planned if its == kind}
            if pushers:
                transaction.after_commit(partial(wake, pushers))


def _outcome(step: Step, user: UserNid, is_joined: bool) -> Outcome:
    """What a step is to a user; somebody who is only invited hears of nothing but what names them."""
    if step.sender_nid == user:
        return NOTHING
    return step.special.get(user, step.common if is_joined and user not in step.alone else NOTHING)


def _tweaks(outcome: Outcome) -> dict[str, object]:
    return {
        action["set_tweak"]: action.get("value", True)
        for action in outcome.actions
        if isinstance(action, dict) and isinstance(action.get("set_tweak"), str)
    }
