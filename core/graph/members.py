"""What is kept of local users' memberships beside rooms' states: what they forgot, invites from elsewhere."""

from __future__ import annotations

from core.errors import BadRequest
from core.events.event import Event
from core.graph.appending.admission import Appended
from core.graph.appending.appender import Appender
from core.graph.appending.placing import keep_outlier
from core.graph.appending.relating import texts_of
from core.graph.appending.work import Work
from core.graph.stored_event import StoredEvent, Verdict
from core.ids import RoomNid, UserNid
from core.storage.log import Kind
from core.storage.memberships import OutOfBand, membership_of
from core.storage.writer import Transaction, Writer


class Members:
    """Writes what is known of local users' memberships beside the rooms' own states."""

    def __init__(self, writer: Writer, appender: Appender) -> None:
        self._writer = writer
        self._appender = appender
        self._stores = appender.bench.stores

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
        texts = self._appender.bench.texts
        texts.nids(texts_of(event.type, event.sender, event.state_key, event.content))
        user = UserNid(texts.nid(event.state_key or ""))
        self._stores.events.reserve_nids()

        def plan(work: Work) -> None:
            work.look_ahead((event,))
            if not work.known.by_ids((event.event_id,)):
                keep_outlier(work, event, Verdict.ACCEPTED)

        def also(transaction: Transaction, appended: Appended) -> None:
            nid = appended.events[0].nid if appended.events else self._appender.bench.events.get(event.event_id).nid
            member = OutOfBand(room, user, membership_of(event.content), nid, stripped_state)
            self._stores.out_of_band.put(transaction, member)
            transaction.log(Kind.OUT_OF_BAND, user, nid)

        self._appender.prepared(room, plan, also)
        return self._appender.bench.events.get(event.event_id)
