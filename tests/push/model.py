"""What unread counts should be, from scratch: a list of events, and for each user a few facts about what they did.

It shares no code and no idea with the server: every count looks at every event.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAIN = "main"
WORD = "cake"


@dataclass
class Sent:
    """An event, and for whom it counted when it was sent: user -> is it a highlight."""

    event_id: str
    sender: str
    thread: str
    counts: dict[str, bool]
    is_edit: bool = False
    redacted: bool = False


@dataclass
class Member:
    """One user in the room. Numbers are those of events; -1 is before all of them."""

    is_in: bool = True
    joined_at: int = -1
    read: dict[str, int] = field(default_factory=dict)
    muted: bool = False
    watches_word: bool = False
    ignored: set[str] = field(default_factory=set)

    def reads(self, thread: str, number: int) -> None:
        """Somebody's receipts and messages only ever lead forward."""
        self.read[thread] = max(self.read.get(thread, -1), number)


class Model:
    """One room."""

    def __init__(self, users: list[str]) -> None:
        self.members = {user: Member() for user in users}
        self.events: list[Sent] = []

    def send(self, event_id: str, sender: str, body: str, thread: str, mentions: set[str], is_edit: bool) -> None:
        """A message."""
        counts = {}
        for user, member in self.members.items():
            outcome = self._outcome(member, user in mentions, body, is_edit)
            if member.is_in and user != sender and sender not in member.ignored and outcome is not None:
                counts[user] = outcome
        self.events.append(Sent(event_id, sender, thread, counts, is_edit))
        self.members[sender].reads(thread, len(self.events) - 1)

    def count(self, user: str) -> dict[str, tuple[int, int]]:
        """thread -> (notifications, highlights), of the threads that have any."""
        member, found = self.members[user], {}
        for number, event in enumerate(self.events):
            read_to = max(member.joined_at, member.read.get("", -1), member.read.get(event.thread, -1))
            if number > read_to and not event.redacted and user in event.counts:
                before = found.get(event.thread, (0, 0))
                found[event.thread] = (before[0] + 1, before[1] + event.counts[user])
        return found

    @staticmethod
    def _outcome(member: Member, is_mentioned: bool, body: str, is_edit: bool) -> bool | None:
        """Whether a message highlights; None where it does not count."""
        if member.muted:
            return None
        if is_mentioned:
            return True
        if is_edit:
            return None
        return bool(member.watches_word and WORD in body)
