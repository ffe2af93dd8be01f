"""What local users do about memberships without an event in the room: forgetting, and invites to rooms we are not in."""

from __future__ import annotations

from core.errors import BadRequest
from core.events.event import Event
from core.graph.events import EventReader
from core.graph.outliers import add_outlier_row
from core.graph.stored_event import StoredEvent
from core.graph.stores import GraphStores
from core.ids import RoomNid, UserNid
from core.storage.interning import Interner
from core.storage.log import Kind
from core.storage.memberships import OutOfBand, membership_of
from core.storage.writer import Transaction, Writer


class Members:
    """Writes what is known of local users' memberships beside the rooms' own states."""

    def __init__(self, writer: Writer, stores: GraphStores, events: EventReader, texts: Interner) -> None:
        self._writer = writer
        self._stores = stores
        self._events = events
        self._texts = texts

    def forget(self, room: RoomNid, user: UserNid) -> None:
        """Forget a room the user has left or was banned from. Raises BadRequest (400, M_UNKNOWN) while they are in it.

        Spec: Client-Server API, `POST /rooms/{roomId}/forget`.
        """
        membership = self._stores.memberships.of(room, user)
        if membership is None:
            return
        if membership.membership not in ("leave", "ban"):
            raise BadRequest(f"A room can be forgotten after leaving it; your membership is {membership.membership}.")

        def apply(transaction: Transaction) -> None:
            self._stores.memberships.forget(transaction, membership)
            transaction.log(Kind.ROOM_FORGOTTEN, user, room)

        self._writer.submit(apply)

    def set_out_of_band(self, room: RoomNid, event: Event, stripped_state: bytes = b"[]") -> StoredEvent:
        """Keep an invite, a knock, or what ended one, of a local user in a room this server is not in.

        `event` is their member event, judged as far as it can be; it is kept as an outlier. Logged as OUT_OF_BAND under
        the user. Where the same event is kept already, its stripped state is renewed.
        """
        self._texts.nids({event.type, event.sender, event.state_key or ""})
        self._stores.events.reserve_nids()
        user = self._texts.nid(event.state_key or "")

        def apply(transaction: Transaction) -> StoredEvent:
            stored = add_outlier_row(transaction, self._stores, self._events, self._texts, room, event)
            member = OutOfBand(room, user, membership_of(event.content), stored.nid, stripped_state)
            self._stores.out_of_band.put(transaction, member)
            transaction.log(Kind.OUT_OF_BAND, user, stored.nid)
            return stored

        return self._writer.submit(apply, room)
