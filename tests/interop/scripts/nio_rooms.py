"""What matrix-nio, stock, shows of rooms; arguments: the server's address, two user ids and their password."""

import asyncio
import io
import sys

from nio import AsyncClient, RoomMessageText
from nio.api import PushRuleKind, ReceiptType, RelationshipType, RoomPreset, RoomVisibility
from nio.events.account_data import PushNotify
from nio.responses import ErrorResponse

base, alice_id, bob_id, password = sys.argv[1:]
alice, bob = AsyncClient(base, alice_id), AsyncClient(base, bob_id)
DOMAIN = alice_id.partition(":")[2]


def good(answer):
    """An answer that is no error."""
    assert not isinstance(answer, ErrorResponse), answer
    return answer


async def say(client: AsyncClient, room: str, body: str, **more: object) -> str:
    """Send a text; its event's id."""
    return good(await client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": body, **more})).event_id


async def both_sync() -> None:
    """Let both hear what is new."""
    for client in (alice, bob):
        good(await client.sync(timeout=0))


async def room_of_both(**options: object) -> str:
    """A public room that both are in."""
    room = good(await alice.room_create(preset=RoomPreset.public_chat, **options)).room_id
    good(await bob.join(room))
    await both_sync()
    return room


async def unread_and_receipts() -> None:
    room = await room_of_both()
    await say(alice, room, "one")
    last = await say(alice, room, "two", **{"m.mentions": {"user_ids": [bob_id]}})
    await both_sync()
    assert (bob.rooms[room].unread_notifications, bob.rooms[room].unread_highlights) == (2, 1)
    good(await bob.room_read_markers(room, last, last))
    good(await bob.room_typing(room, True))
    await both_sync()
    assert (bob.rooms[room].unread_notifications, bob.rooms[room].unread_highlights) == (0, 0)
    assert bob.rooms[room].fully_read_marker == last
    assert alice.rooms[room].read_receipts[bob_id].event_id == last
    assert alice.rooms[room].typing_users == [bob_id]
    later = await say(alice, room, "three")
    good(await bob.update_receipt_marker(room, later, ReceiptType.read, "main"))
    await both_sync()
    assert bob.rooms[room].unread_notifications == 0
    assert alice.rooms[room].threaded_read_receipts[bob_id]["main"].event_id == later


async def relations_and_threads() -> None:
    room = await room_of_both()
    root = await say(alice, room, "root")
    replies = [await say(bob, room, str(i), **{"m.relates_to": _relation("m.thread", root)}) for i in range(3)]
    found = [event.event_id async for event in bob.room_get_event_relations(room, root, RelationshipType.thread)]
    assert found == replies[::-1], found
    assert [event.event_id async for event in alice.room_get_threads(room)] == [root]
    event = good(await alice.room_get_event(room, root)).event
    summary = event.source["unsigned"]["m.relations"]["m.thread"]
    assert (summary["count"], summary["latest_event"]["event_id"]) == (3, replies[-1])
    around = good(await bob.room_context(room, replies[0], limit=2))
    assert around.event.event_id == replies[0]
    assert [one.event_id for one in (*around.events_before, *around.events_after)] == [root, replies[1]]


async def state_aliases_and_directory() -> None:
    alias = f"#nio{alice_id[1:].partition(':')[0]}:{DOMAIN}"
    room = await room_of_both(name="Before", visibility=RoomVisibility.public)
    good(await alice.room_put_state(room, "m.room.name", {"name": "After"}))
    good(await alice.update_room_topic(room, "Of nio"))
    good(await alice.room_put_alias(alias, room))
    await both_sync()
    assert (bob.rooms[room].name, bob.rooms[room].topic) == ("After", "Of nio")
    assert good(await bob.room_get_state_event(room, "m.room.name")).content == {"name": "After"}
    assert good(await bob.room_resolve_alias(alias)).room_id == room
    assert good(await bob.room_get_visibility(room)).visibility == "public"
    listed = good(await bob.list_public_rooms(filter_generic_search_term="of NIO")).public_rooms
    assert [(one.room_id, one.topic) for one in listed] == [(room, "Of nio")]
    good(await alice.room_delete_alias(alias))
    assert isinstance(await bob.room_resolve_alias(alias), ErrorResponse)


async def memberships() -> None:
    room = await room_of_both(room_version="11")
    good(await alice.room_kick(room, bob_id, "enough"))
    kicked = good(await bob.sync(timeout=0)).rooms.leave[room].timeline.events[-1]
    assert (kicked.membership, kicked.content["reason"], kicked.sender) == ("leave", "enough", alice_id)
    good(await alice.room_ban(room, bob_id))
    assert (await bob.join(room)).status_code == "M_FORBIDDEN"
    good(await alice.room_unban(room, bob_id))
    good(await alice.room_enable_knocking(room))
    good(await bob.room_knock(room, "please"))
    await both_sync()
    member = good(await alice.room_get_state_event(room, "m.room.member", bob_id))
    assert member.content["membership"] == "knock"
    good(await alice.room_invite(room, bob_id))
    await both_sync()
    assert bob.invited_rooms[room].inviter == alice_id
    good(await bob.join(room))
    assert room in good(await bob.joined_rooms()).rooms


async def spaces_and_upgrades() -> None:
    leaf = await room_of_both(name="Leaf")
    space = good(await alice.room_create(space=True, name="Space")).room_id
    good(await alice.room_put_state(space, "m.space.child", {"via": [DOMAIN]}, leaf))
    tree = good(await alice.space_get_hierarchy(space)).rooms
    assert [(one["room_id"], one["name"]) for one in tree] == [(space, "Space"), (leaf, "Leaf")]
    await alice.sync(timeout=0)
    successor = good(await alice.room_upgrade(leaf, "12")).room_id
    tombstone = good(await bob.room_get_state_event(leaf, "m.room.tombstone")).content
    assert tombstone["replacement_room"] == successor


async def push_rules_and_files() -> None:
    room = await room_of_both()
    good(await bob.set_pushrule("global", PushRuleKind.content, "cake", pattern="cake", actions=[PushNotify()]))
    good(await bob.enable_pushrule("global", PushRuleKind.content, "cake", False))
    good(await bob.set_pushrule_actions("global", PushRuleKind.content, "cake", []))
    rules = good(await bob.sync(timeout=0, full_state=True)).account_data_events[0].global_rules
    cake = next(rule for rule in rules.content if rule.id == "cake")
    assert (cake.enabled, cake.actions, cake.pattern) == (False, [], "cake")
    good(await bob.delete_pushrule("global", PushRuleKind.content, "cake"))
    data = b"the contents of a file"
    uploaded, _ = await alice.upload(io.BytesIO(data), "text/plain", "a.txt", filesize=len(data))
    await say(alice, room, "a.txt", url=good(uploaded).content_uri)
    had = good(await bob.download(uploaded.content_uri))
    assert (had.body, had.content_type, had.filename) == (data, "text/plain", "a.txt")


async def paging_and_profile() -> None:
    room = await room_of_both()
    for i in range(25):
        await say(alice, room, f"m{i}")
    answer = good(await bob.sync(timeout=0, full_state=True))
    start, found = answer.rooms.join[room].timeline.prev_batch, []
    latest = [one.body for one in answer.rooms.join[room].timeline.events if isinstance(one, RoomMessageText)]
    while start:
        page = good(await bob.room_messages(room, start, limit=7))
        found += [one.body for one in page.chunk if isinstance(one, RoomMessageText)]
        start = page.end
    assert found[::-1] + latest == [f"m{i}" for i in range(25)]
    good(await bob.set_presence("unavailable", "away"))
    assert good(await alice.get_presence(bob_id)).status_msg == "away"
    good(await bob.set_displayname("Robert"))
    for _ in range(50):
        await both_sync()
        if alice.rooms[room].user_name(bob_id) == "Robert":
            break
        await asyncio.sleep(0.05)
    assert alice.rooms[room].user_name(bob_id) == "Robert"


def _relation(kind: str, parent: str) -> dict:
    return {"rel_type": kind, "event_id": parent}


async def main() -> None:
    for client in (alice, bob):
        await client.login(password, device_name="nio")
    for scenario in (
        unread_and_receipts,
        relations_and_threads,
        state_aliases_and_directory,
        memberships,
        spaces_and_upgrades,
        push_rules_and_files,
        paging_and_profile,
    ):
        await scenario()
        print("ok", scenario.__name__)
    for client in (alice, bob):
        await client.close()


asyncio.run(main())
