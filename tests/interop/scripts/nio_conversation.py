"""Two accounts talk through matrix-nio, stock: arguments are the server's address, two user ids and their password."""

import asyncio
import sys

from nio import (
    AsyncClient,
    InviteMemberEvent,
    JoinError,
    RoomMemberEvent,
    RoomMessageText,
    RoomRedactResponse,
    RoomSendResponse,
)

base, alice_id, bob_id, password = sys.argv[1:]
FILTER = {
    "room": {
        "timeline": {"limit": 5, "types": ["m.room.message", "m.room.member"]},
        "state": {"lazy_load_members": True},
    }
}


async def main() -> None:
    alice, bob = AsyncClient(base, alice_id), AsyncClient(base, bob_id)
    for client in (alice, bob):
        answer = await client.login(password, device_name="nio")
        assert client.access_token, answer
    room = (await alice.room_create(name="Tea", topic="and biscuits", invite=[bob_id])).room_id
    await bob.sync(timeout=0, sync_filter=FILTER)
    assert room in bob.invited_rooms, bob.invited_rooms
    assert bob.invited_rooms[room].inviter == alice_id
    joined = await bob.join(room)
    assert not isinstance(joined, JoinError), joined
    heard = []
    bob.add_event_callback(lambda _, event: heard.append(event), (RoomMessageText, RoomMemberEvent, InviteMemberEvent))
    await bob.sync(timeout=0, sync_filter=FILTER, full_state=True)
    listening = asyncio.create_task(bob.sync_forever(timeout=10_000, sync_filter=FILTER))
    sent = await alice.room_send(room, "m.room.message", {"msgtype": "m.text", "body": "One lump or two?"})
    assert isinstance(sent, RoomSendResponse), sent
    for _ in range(100):
        if any(getattr(event, "body", None) == "One lump or two?" for event in heard):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError(heard)
    await bob.room_send(room, "m.room.message", {"msgtype": "m.text", "body": "Two, please"})
    listening.cancel()
    await alice.sync(timeout=1000)
    assert alice.rooms[room].name == "Tea"
    assert set(alice.rooms[room].users) == {alice_id, bob_id}, alice.rooms[room].users
    page = await alice.room_messages(room, alice.next_batch, limit=2)
    assert [event.body for event in page.chunk if isinstance(event, RoomMessageText)] == [
        "Two, please",
        "One lump or two?",
    ]
    redacted = await alice.room_redact(room, sent.event_id, reason="changed my mind")
    assert isinstance(redacted, RoomRedactResponse), redacted
    await alice.set_displayname("Alice")
    assert (await bob.get_displayname(alice_id)).displayname == "Alice"
    await bob.room_leave(room)
    await bob.room_forget(room)
    assert room not in (await bob.joined_rooms()).rooms
    for client in (alice, bob):
        await client.logout()
        await client.close()
    print("talked")


asyncio.run(main())
