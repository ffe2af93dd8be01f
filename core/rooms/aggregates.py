"""What relates to an event, summed up: its latest edit, its thread, its references. Values, no I/O.

An aggregate holds numbers and ids, not rendered events: what a user is shown depends on whom they ignore.
Spec: Client-Server API, "Event replacements", "Threading", "Reference relations".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from core.graph.appending.relating import relation_in
from core.graph.stored_event import StoredEvent
from core.ids import EventId, EventNid, TextNid
from core.storage.related_events import RelatedEvent

REPLACE, THREAD, REFERENCE, ANNOTATION = "m.replace", "m.thread", "m.reference", "m.annotation"

BUNDLED = (REPLACE, THREAD, REFERENCE)
"""The relation types that have an aggregation."""


@dataclass(frozen=True, slots=True)
class Replies:
    """One sender's share of a thread: how many events, and the place of the latest: (depth, nid)."""

    count: int
    latest: tuple[int, EventNid]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """All that is summed up for one parent. `sender_nid`, `type_nid` and `is_editable` are the parent's own."""

    sender_nid: TextNid
    type_nid: TextNid
    is_editable: bool
    edit: tuple[int, EventId, EventNid] | None = None
    """(origin_server_ts, id, number) of the most recent valid edit."""
    thread: Mapping[TextNid, Replies] = field(default_factory=dict)
    references: tuple[tuple[TextNid, EventId], ...] = ()
    """(sender, id), in history order."""

    @classmethod
    def of(cls, parent: StoredEvent) -> Aggregate:
        """The aggregate of an event that nothing relates to yet."""
        relation = relation_in(parent.content) if b'"m.relates_to"' in parent.pdu_bytes else None
        is_editable = not parent.is_state and not parent.is_redacted and (relation is None or relation[1] != REPLACE)
        return cls(parent.sender_nid, parent.type_nid, is_editable)

    def __bool__(self) -> bool:
        return self.edit is not None or bool(self.thread) or bool(self.references)

    def may_be_edited_by(self, child: RelatedEvent) -> bool:
        """Whether a child is an edit, as far as its row tells; see `is_edit` for its content."""
        return self.is_editable and child.sender_nid == self.sender_nid and child.type_nid == self.type_nid

    def with_edit(self, child: RelatedEvent) -> Aggregate:
        """With one valid edit more: the most recent counts, of two at the same time that with the larger id."""
        edit = (child.origin_server_ts, child.event_id, child.nid)
        return self if self.edit is not None and self.edit > edit else replace(self, edit=edit)

    def with_replies(self, children: Collection[RelatedEvent]) -> Aggregate:
        """With events more in the thread."""
        thread = dict(self.thread)
        for child in children:
            before = thread.get(child.sender_nid)
            latest = child.place if before is None else max(before.latest, child.place)
            thread[child.sender_nid] = Replies(1 if before is None else before.count + 1, latest)
        return replace(self, thread=thread)

    def with_references(self, children: Collection[RelatedEvent]) -> Aggregate:
        """With references more."""
        return replace(self, references=self.references + tuple((one.sender_nid, one.event_id) for one in children))

    def without(self, ignored: Collection[TextNid]) -> Aggregate:
        """As somebody sees it who ignores these users."""
        if not ignored:
            return self
        return replace(
            self,
            thread={sender: replies for sender, replies in self.thread.items() if sender not in ignored},
            references=tuple(one for one in self.references if one[0] not in ignored),
        )

    @property
    def reply_count(self) -> int:
        """How many events the thread has."""
        return sum(replies.count for replies in self.thread.values())

    @property
    def latest_reply(self) -> EventNid | None:
        """The thread's latest event in history order."""
        return max(replies.latest for replies in self.thread.values())[1] if self.thread else None

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return 400 + 250 * len(self.thread) + 150 * len(self.references)


def is_edit(child: StoredEvent) -> bool:
    """Whether an event's content makes it a valid edit: new content, which of an encrypted event cannot be seen."""
    if child.is_state or child.is_redacted:
        return False
    return child.type == "m.room.encrypted" or isinstance(child.content.get("m.new_content"), dict)
