"""Memberships and servers in rooms, written from a state delta in the transaction that makes it."""

from __future__ import annotations

from core.graph.appending.numbering import number_of
from core.graph.appending.work import Work
from core.ids import ServerName, TextNid, server_of
from core.storage.memberships import Membership, membership_of
from core.storage.state_lines import Change
from core.storage.writer import Transaction


def write_memberships(work: Work, transaction: Transaction, start: int, server_name: ServerName) -> tuple[int, int]:
    """Write what `work.delta`, which begins after index `start`, means for members; returns (joined, invited)."""
    joined, invited = work.tip.joined_count, work.tip.invited_count
    type_nid = work.bench.texts.find("m.room.member")
    changes = [(index, change) for index, change in enumerate(work.delta, start + 1) if change[0] == type_nid]
    if not changes:
        return joined, invited
    memberships = _memberships(work, [change for _, change in changes])
    users = work.bench.texts.texts({change[1] for _, change in changes})
    rows: dict[TextNid, Membership] = {}
    servers = _Servers(work, transaction)
    for index, (_, user, old, new) in changes:
        was, now = memberships[old or 0], memberships[new or 0]
        joined += (now == "join") - (was == "join")
        invited += (now == "invite") - (was == "invite")
        rows[user] = Membership(work.tip.room_nid, user, now, new or 0, index)  # type: ignore[arg-type]  # 0: no event
        servers.count(server_of(users[user]), (now == "join") - (was == "join"), index)
    work.bench.stores.memberships.put(transaction, list(rows.values()))
    servers.flush()
    if work.is_entrance:
        local = [user for user in rows if server_of(users[user]) == server_name]
        work.bench.stores.out_of_band.remove_for_room(transaction, work.tip.room_nid, local)
    return joined, invited


def _memberships(work: Work, changes: list[Change]) -> dict[int, str]:
    nids = {nid for change in changes for nid in change[2:] if nid is not None}
    found: dict[int, str] = {nid: membership_of(one.content) for nid, one in work.known.by_nids(nids).items()}
    return {**found, 0: ""}


class _Servers:
    """Counts joined users by server; a run of joins or of leaves of a server is written at once."""

    def __init__(self, work: Work, transaction: Transaction) -> None:
        self._work = work
        self._transaction = transaction
        self._runs: dict[str, tuple[int, int]] = {}

    def count(self, server: str, change: int, index: int) -> None:
        if not change:
            return
        total, at = self._runs.get(server, (0, 0))
        if total and (total > 0) != (change > 0):
            self._write(server, total, at)
            total = 0
        # a stay begins with the index of its first join, and ends right before that of its last leave
        self._runs[server] = (total + change, index - 1 if change < 0 else (at if total else index))

    def flush(self) -> None:
        for server, (total, at) in self._runs.items():
            self._write(server, total, at)

    def _write(self, server: str, total: int, at: int) -> None:
        nid = number_of(self._work.bench.texts, server)
        self._work.bench.stores.servers.change(self._transaction, self._work.tip.room_nid, {nid: total}, at)
