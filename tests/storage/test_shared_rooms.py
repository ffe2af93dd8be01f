"""Who and which servers share a room with somebody, on both engines."""

from core.storage.memberships import Membership, MembershipStore
from core.storage.room_servers import RoomServerStore


def test_users_who_share_a_room_are_those_joined_to_one_of_the_users(database, writer):
    store = MembershipStore(database)
    members = [(1, 7, "join"), (1, 8, "join"), (1, 9, "leave"), (2, 7, "invite"), (2, 10, "join"), (3, 8, "join")]
    rows = [Membership(room, user, membership, 1, 1) for room, user, membership in members]
    writer.submit(lambda tx: store.put(tx, rows))
    assert sorted(store.users_sharing(7)) == [7, 8]
    assert store.users_sharing(9) == store.users_sharing(99) == []


def test_servers_that_share_a_room_are_those_that_are_there_now(database, writer):
    members, servers = MembershipStore(database), RoomServerStore(database)

    def job(tx):
        members.put(tx, [Membership(1, 7, "join", 1, 1), Membership(2, 7, "leave", 1, 1)])
        servers.change(tx, 1, {20: 1, 21: 1}, 1)
        servers.change(tx, 1, {21: -1}, 2)
        servers.change(tx, 2, {22: 1}, 1)

    writer.submit(job)
    assert servers.sharing(7) == [20]
