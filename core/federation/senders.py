"""Who is told what: finds the destinations of new events, typing and receipts, and hands these to their senders.

Nothing is written when an event is sent; the log is followed. A position on record says up to where every destination
has a cursor, so that a server that is killed finds the rest again. Cursors go on record every few seconds, all of them in
one commit: what is sent twice after a kill is known to its receivers by its event ids.
Spec: Server-Server API, "Transactions", "EDUs".
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import gevent
from gevent.event import Event as Signal

from core.events.signatures import signatures_of
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import Backoff
from core.federation.calls import ServerCalls
from core.federation.destination_sender import DestinationSender, SharedLimits
from core.federation.device_announcements import DeviceAnnouncements
from core.federation.outbound_inboxes import OutboundInboxes
from core.federation.outbound_queue import OutboundQueue
from core.federation.parcels import Edu
from core.graph.graph import Graph
from core.graph.stored_event import StoredEvent
from core.ids import EventNid, RoomNid, ServerName, TextNid, UserId, UserNid, server_of
from core.storage.late_notes import LateNotes, Note
from core.storage.log import Kind, Line, LogReader, LogTail
from core.storage.outbound_destinations import ROUTER, OutboundDestinationStore, Told
from core.storage.outbound_relays import OutboundRelayStore
from core.storage.receipts import Receipt
from core.storage.rooms import RoomName
from core.storage.transaction import Transaction

LINES_PER_BATCH = 500
ROUTED_KINDS = (Kind.EVENT, Kind.DEVICE_LIST)
POSITIONS_PER_NOTE = 500
"""How far the position on record may lag behind."""
RETRY_SECONDS = 1.0
CATCHING_UP_AT_ONCE = 10
"""How many servers are told of an outage at the same time."""
ANNOUNCED_PER_SECOND = 20
"""To how many servers we say after a start that we are here again."""
RELAYS_KEPT = 200_000
"""For a server that is further behind than so many positions nothing of others is kept."""

logger = logging.getLogger(__name__)


class Senders:
    """All senders. Implements core.rooms' EduSink; `start` and `stop` once."""

    def __init__(
        self,
        graph: Graph,
        log: LogReader,
        tail: LogTail,
        store: OutboundDestinationStore,
        notes: LateNotes,
        relays: OutboundRelayStore,
        calls: ServerCalls,
        backoff: Backoff,
        allowed: AllowedServers,
        inboxes: OutboundInboxes,
        announcements: DeviceAnnouncements,
    ) -> None:
        self._graph = graph
        self._log = log
        self._tail = tail
        self._store = store
        self._notes = notes
        self._relays = relays
        self._calls = calls
        self._backoff = backoff
        self._allowed = allowed
        self._inboxes = inboxes
        self._announcements = announcements
        inboxes.on_post = self._posted
        self._senders: dict[TextNid, DestinationSender] = {}
        self._by_name: dict[ServerName, DestinationSender] = {}
        self._routed = 0
        self._noted = 0
        self._edus: deque[Callable[[], None]] = deque(maxlen=10_000)
        self._has_work = Signal()
        self._greenlet: gevent.Greenlet | None = None
        self._besides: list[gevent.Greenlet] = []
        self._shared = SharedLimits(CATCHING_UP_AT_ONCE)
        backoff.on_revival(self._revive)

    def start(self) -> None:
        """Go on where the last process stopped; the first one begins at the end of the log."""
        rows = {told.server_nid: told for told in self._store.all()}
        router = rows.pop(ROUTER, None)
        self._routed = self._noted = self._log.tip() if router is None else router.position
        if router is None:
            self._store.put([Told(ROUTER, self._routed, self._routed)])
        names = self._graph.texts.texts(rows.keys())
        for nid, told in rows.items():
            self._add(told, ServerName(names[nid])).start(self._routed)
        for server in self._inboxes.store.servers():
            self._posted(server)
        for server in self._announcements.queue.servers():
            self._changed(server)
        self._tail.follow(self._notice, ROUTED_KINDS, self._passed)
        self._has_work.set()
        self._greenlet = gevent.spawn(self._run)
        self._besides = [gevent.spawn(self._announce)]
        self._notes.follow(self._unnoted)

    def stop(self) -> None:
        """End all senders."""
        self._tail.unfollow(self._notice)
        gevent.killall([one for one in (self._greenlet, *self._besides) if one is not None])
        for sender in self._senders.values():
            sender.stop()
        self._notes.unfollow(self._unnoted)

    def receipts(self, room: RoomName, receipts: Sequence[tuple[UserId, Receipt]]) -> None:
        """Tell the other servers of a room of receipts."""
        for user_id, receipt in receipts:
            thread = {"thread_id": receipt.thread} if receipt.thread else {}
            about = {"data": {"ts": receipt.ts_ms, **thread}, "event_ids": [receipt.event_id]}
            content = {room.room_id: {"m.read": {user_id: about}}}
            key = ("m.receipt", room.room_id, user_id, receipt.thread)
            self._later(room.room_nid, key, {"edu_type": "m.receipt", "content": content})

    def typing(self, room: RoomName, user_id: UserId, is_typing: bool) -> None:
        """Tell the other servers of a room who is typing."""
        content = {"room_id": room.room_id, "user_id": user_id, "typing": is_typing}
        self._later(room.room_nid, ("m.typing", room.room_id, user_id), {"edu_type": "m.typing", "content": content})

    def send_edu(self, type: str, content: Mapping[str, Any], servers: Sequence[ServerName], key: str) -> None:
        """Send a plugin's EDU; implements core.hooks.api.Federation. Nothing is kept for servers that are down."""
        edu = {"edu_type": type, "content": dict(content)}
        others = [server for server in servers if self._is_other(server) and not self._backoff.pause_ms(server)]

        def tell() -> None:
            for sender in self._for(self._graph.texts.nids(others).values(), self._routed):
                sender.tell(("plugin", type, key), edu)

        if others:
            self._edus.append(tell)
            self._has_work.set()

    def _unnoted(self) -> Note | None:
        """Puts on record how far every server was told. One of core.storage.late_notes."""
        moved = [(sender, told) for sender in self._senders.values() if (told := sender.unnoted()) is not None]
        if not moved:
            return None

        def noted() -> None:
            for sender, told in moved:
                sender.noted(told)

        def note(transaction: Transaction) -> None:
            self._store.put_in(transaction, [told for _, told in moved])
            transaction.after_commit(noted)

        return note

    def _announce(self) -> None:
        """Tell the servers that share rooms with us that we are here again, so that they end their pauses."""
        for nid in self._graph.servers.anywhere():
            sender = self._senders.get(nid)
            if sender is not None and not self._backoff.pause_ms(sender.server):
                sender.announce()
                gevent.sleep(1 / ANNOUNCED_PER_SECOND)

    def _later(self, room: RoomNid, key: tuple[str, ...], edu: Edu) -> None:
        def tell() -> None:
            for sender in self._for(self._graph.servers.now_in(room), self._routed):
                sender.tell(key, edu)

        self._edus.append(tell)
        self._has_work.set()

    def _posted(self, server: ServerName) -> None:
        def tell() -> None:
            for sender in self._for((self._graph.texts.nid(server),), self._routed):
                sender.has_messages()

        self._edus.append(tell)
        self._has_work.set()

    def _changed(self, server: ServerName) -> None:
        def tell() -> None:
            for sender in self._for((self._graph.texts.nid(server),), self._routed):
                sender.has_device_changes()

        self._edus.append(tell)
        self._has_work.set()

    def _tell_of_devices(self, user_nid: int, position: int) -> None:
        """Tell who shares rooms with a user of ours that the user's devices changed."""
        user_id = UserId(self._graph.texts.text(user_nid))
        if server_of(user_id) != self._allowed.own:
            return
        servers = self._for(self._graph.servers.sharing(TextNid(user_nid)), self._routed)
        names = [sender.server for sender in servers]
        if names and self._announcements.announce(user_id, UserNid(user_nid), position, names):
            for sender in servers:
                sender.has_device_changes()

    def _introduce(self, join: StoredEvent, position: int) -> None:
        """Tell the devices of a user of ours who joined a room to those of its servers that did not hear of them yet."""
        now = self._for(self._graph.servers.now_in(join.room_nid), self._routed)
        if not now:
            return
        earlier = None if join.before is None else self._graph.states.before(join.nid).get("m.room.member", join.sender)
        if earlier is not None and _is_join(earlier):
            return
        told = self._for(self._graph.servers.sharing_elsewhere(TextNid(join.sender_nid), join.room_nid), self._routed)
        senders = [sender for sender in now if sender not in told]
        names = [sender.server for sender in senders]
        user_id, user_nid, are_all = UserId(join.sender), UserNid(join.sender_nid), not told
        if names and self._announcements.introduce(user_id, user_nid, position, names, are_all):
            for sender in senders:
                sender.has_device_changes()

    def _notice(self, lines: list[Line]) -> None:
        self._has_work.set()

    def _passed(self, since: int, upto: int) -> None:
        """New lines, none of which is for others: where everything before them is routed, so are they."""
        if self._routed >= since:
            self._routed = upto
        else:
            self._has_work.set()

    def _revive(self, server: ServerName) -> None:
        sender = self._by_name.get(server)
        if sender is not None:
            sender.revive()

    def _run(self) -> None:
        while True:
            self._has_work.wait()
            self._has_work.clear()
            try:
                while self._edus:
                    self._edus.popleft()()
                self._route()
            except Exception:
                logger.exception("The destinations of events could not be found; trying again.")
                gevent.sleep(RETRY_SECONDS)
                self._has_work.set()

    def _route(self) -> None:
        while self._routed < self._tail.position:
            upto = int(self._tail.position)
            lines = self._tail.lines(self._log, self._routed, upto, ROUTED_KINDS, LINES_PER_BATCH)
            if len(lines) == LINES_PER_BATCH:
                upto = lines[-1].position
            for line in lines:
                if line.kind is Kind.DEVICE_LIST and line.subject == line.reference:
                    self._tell_of_devices(line.subject, line.position)
            events = [line for line in lines if line.kind is Kind.EVENT]
            positions = {EventNid(line.reference): line.position for line in events}
            for stored in self._ours(list(positions)):
                for sender in self._for(self._servers_for(stored), positions[stored.nid] - 1):
                    sender.wake(positions[stored.nid], stored.nid)
                if _is_join(stored) and server_of(stored.sender) == self._allowed.own:
                    self._introduce(stored, positions[stored.nid])
            self._routed = upto
            if self._routed - self._noted >= POSITIONS_PER_NOTE:
                self._store.put([Told(ROUTER, self._routed, self._routed)])
                self._noted = self._routed
                reached = (one.position for one in self._senders.values())
                self._relays.forget(min((one for one in reached if one > upto - RELAYS_KEPT), default=upto))

    def _ours(self, nids: Sequence[EventNid]) -> list[StoredEvent]:
        """Those of some events that our users sent, or that came in through us, in their order."""
        events = list(self._graph.events.by_nids(nids).values())
        others = [one for one in events if server_of(one.sender) != self._allowed.own and one.type == "m.room.member"]
        relayed = self._relays.among([one.event_id for one in others]) if others else set()
        return [one for one in events if server_of(one.sender) == self._allowed.own or one.event_id in relayed]

    def _servers_for(self, stored: StoredEvent) -> set[TextNid]:
        """The servers in the room right before the event, and that of the user a member event is about.

        Whoever signed it has it. The sender's server may not have: an invite to an address is made by others. A join by
        which we came into the room is told by the server that let us in.
        """
        found = set(self._graph.servers.in_at(stored.room_nid, stored.main_before))
        if self._graph.texts.find(self._allowed.own) not in found and _is_join(stored):
            return set()
        if stored.type == "m.room.member" and stored.state_key:
            found.add(self._graph.texts.nid(server_of(stored.state_key)))
        texts = self._graph.texts
        have_it = {self._allowed.own}
        if server_of(stored.sender) != self._allowed.own and signatures_of(stored.event.pdu, server_of(stored.sender)):
            have_it.add(server_of(stored.sender))
        return found - {texts.find(name) for name in have_it}

    def _for(self, nids: Collection[TextNid], position: int) -> list[DestinationSender]:
        """The senders to some servers; a new one's cursor begins at `position`."""
        new = [nid for nid in nids if nid not in self._senders]
        if new:
            names = {nid: ServerName(name) for nid, name in self._graph.texts.texts(new).items()}
            told = [Told(TextNid(nid), position, position) for nid, name in names.items() if self._is_other(name)]
            if told:
                self._store.put(told)
            for row in told:
                self._add(row, names[row.server_nid]).start()
        return [self._senders[nid] for nid in nids if nid in self._senders]

    def _is_other(self, name: ServerName) -> bool:
        return name != self._allowed.own and self._allowed.allows(name)

    def _add(self, told: Told, name: ServerName) -> DestinationSender:
        queue = OutboundQueue(
            name,
            told,
            self._store,
            self._inboxes.store,
            self._announcements.queue,
            self._graph.events,
            self._ours,
        )
        sender = DestinationSender(self._allowed.own, queue, self._calls, self._backoff, self._shared)
        self._senders[told.server_nid] = self._by_name[name] = sender
        return sender


def _is_join(stored: StoredEvent) -> bool:
    return stored.type == "m.room.member" and stored.content.get("membership") == "join"
