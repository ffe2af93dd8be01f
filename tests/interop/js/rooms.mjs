// Rooms among rooms: spaces, upgrades, knocks, restricted joins, the directory, and search.
import { RoomHierarchy, assert, isJoined, newUser, refusal, roomOf, run, seen, text, until } from "./sdk.mjs";

const [alice, bob] = [await newUser(), await newUser()];
const via = { via: [alice.getDomain()] };
const membership = (client, roomId, of = client) => client.getRoom(roomId)?.getMember(of.getUserId())?.membership;

async function spaceOf(...children) {
    const { room_id: space } = await alice.createRoom({
        name: "Space", preset: "public_chat", creation_content: { type: "m.space" },
    });
    for (const child of children) await alice.sendStateEvent(space, "m.space.child", via, child);
    await until(() => alice.getRoom(space)?.currentState.getStateEvents("m.space.child").length === children.length, "children");
    return space;
}

await run({
    async "a space shows its tree"() {
        const { room_id: leaf } = await alice.createRoom({ name: "Leaf", topic: "Green", preset: "public_chat" });
        const inner = await spaceOf(leaf);
        const space = await spaceOf(inner, leaf);
        assert.equal(alice.getRoom(space).isSpaceRoom(), true);
        const hierarchy = new RoomHierarchy(alice.getRoom(space), 50);
        await hierarchy.load();
        assert.deepEqual(hierarchy.rooms.map((room) => room.room_id).sort(), [space, inner, leaf].sort());
        assert.equal(hierarchy.canLoadMore, false);
        const found = hierarchy.rooms.find((room) => room.room_id === leaf);
        assert.deepEqual([found.name, found.topic, found.num_joined_members, found.join_rule], ["Leaf", "Green", 1, "public"]);
        assert.ok(hierarchy.getRelation(space, inner));
        const first = new RoomHierarchy(alice.getRoom(space), 1);
        while (first.canLoadMore) await first.load();
        assert.equal(first.rooms.length, 3);
    },

    async "an upgraded room leads to its successor"() {
        const old = await roomOf(alice, bob);
        await alice.setRoomName(old, "Old and new");
        const { replacement_room: successor } = await alice.upgradeRoom(old, "11");
        await until(() => bob.getRoom(old).currentState.getStateEvents("m.room.tombstone", ""), "the tombstone");
        const tombstone = bob.getRoom(old).currentState.getStateEvents("m.room.tombstone", "");
        assert.equal(tombstone.getContent().replacement_room, successor);
        await bob.joinRoom(successor);
        const room = await until(() => isJoined(bob, successor) && bob.getRoom(successor), "the successor");
        assert.equal(room.getVersion(), "11");
        assert.equal(room.findPredecessor().roomId, old);
        assert.equal(room.name, "Old and new");
        assert.deepEqual(alice.getVisibleRooms().map((one) => one.roomId).includes(old), false);
    },

    async "a knock is answered by an invite"() {
        const { room_id: roomId } = await alice.createRoom({
            room_version: "10",
            initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
        });
        assert.equal((await refusal(bob.joinRoom(roomId))).errcode, "M_FORBIDDEN");
        await bob.knockRoom(roomId, { reason: "let me in" });
        await until(() => bob.getRoom(roomId)?.getMyMembership() === "knock", "the own knock");
        await until(() => membership(alice, roomId, bob) === "knock", "bob's knock");
        assert.equal(alice.getRoom(roomId).getMember(bob.getUserId()).events.member.getContent().reason, "let me in");
        await alice.invite(roomId, bob.getUserId());
        await until(() => bob.getRoom(roomId)?.getMyMembership() === "invite", "the invite");
        await bob.joinRoom(roomId);
        await until(() => isJoined(bob, roomId), "the room");
    },

    async "members of a space may join its restricted room"() {
        const space = await spaceOf();
        const { room_id: roomId } = await alice.createRoom({
            initial_state: [{
                type: "m.room.join_rules",
                state_key: "",
                content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: space }] },
            }],
        });
        assert.equal((await refusal(bob.joinRoom(roomId))).errcode, "M_FORBIDDEN");
        await bob.joinRoom(space);
        await bob.joinRoom(roomId);
        await until(() => membership(alice, roomId, bob) === "join", "bob");
        const content = alice.getRoom(roomId).getMember(bob.getUserId()).events.member.getContent();
        assert.equal(content.join_authorised_via_users_server, alice.getUserId());
    },

    async "an invite can be rejected, a kick and a ban are told with their reasons"() {
        const roomId = await roomOf(alice);
        await alice.invite(roomId, bob.getUserId());
        const room = await until(() => bob.getRoom(roomId)?.getMyMembership() === "invite" && bob.getRoom(roomId), "invite");
        assert.equal(room.getMember(alice.getUserId()).membership, "join");
        await bob.leave(roomId);
        await until(() => membership(alice, roomId, bob) === "leave", "the rejection");
        await bob.joinRoom(roomId);
        await alice.kick(roomId, bob.getUserId(), "out");
        await until(() => bob.getRoom(roomId).getMyMembership() === "leave", "the kick");
        assert.equal(bob.getRoom(roomId).getMember(bob.getUserId()).events.member.getContent().reason, "out");
        await alice.ban(roomId, bob.getUserId(), "for good");
        await until(() => bob.getRoom(roomId).getMyMembership() === "ban", "the ban");
        assert.equal((await refusal(bob.joinRoom(roomId))).errcode, "M_FORBIDDEN");
        await bob.forget(roomId);
        assert.equal(bob.getRoom(roomId), null);
    },

    async "a room is found in the directory, by alias and by summary"() {
        const local = `hall${process.pid}`;
        const { room_id: roomId } = await alice.createRoom({
            room_alias_name: local, name: `Hall ${process.pid}`, preset: "public_chat", visibility: "public",
        });
        const alias = `#${local}:${alice.getDomain()}`;
        assert.equal((await bob.getRoomIdForAlias(alias)).room_id, roomId);
        const { chunk } = await bob.publicRooms({ filter: { generic_search_term: `hall ${process.pid}` } });
        assert.deepEqual(chunk.map((room) => [room.room_id, room.canonical_alias]), [[roomId, alias]]);
        const summary = await bob.getRoomSummary(alias);
        assert.deepEqual([summary.room_id, summary.num_joined_members, summary.membership ?? "leave"], [roomId, 1, "leave"]);
        await bob.joinRoom(alias);
        const room = await until(() => isJoined(bob, roomId) && bob.getRoom(roomId), "the room");
        assert.equal(room.getCanonicalAlias(), alias);
    },

    async "what was said is found again, with what was said around it"() {
        const roomId = await roomOf(alice, bob);
        for (const body of ["before", "the zanzibar plan", "after", "zanzibar again"]) {
            await alice.sendMessage(roomId, text(body));
        }
        const found = await bob.searchRoomEvents({ term: "zanzibar", filter: { rooms: [roomId] } });
        assert.equal(found.count, 2);
        assert.deepEqual(found.highlights, ["zanzibar"]);
        const bodies = found.results.map((one) => one.context.getEvent().getContent().body);
        assert.deepEqual(bodies, ["zanzibar again", "the zanzibar plan"]);
        const around = found.results[1].context.getTimeline().map((event) => event.getContent().body);
        assert.deepEqual(around.slice(around.indexOf("before")), ["before", "the zanzibar plan", "after"].concat(
            around.includes("zanzibar again") ? ["zanzibar again"] : []));
    },

    async "state that was there before one joined is known"() {
        const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: "Named", topic: "Of old" });
        await alice.sendStateEvent(roomId, "org.example.thing", { value: 1 }, "key");
        const { event_id: id } = await alice.sendMessage(roomId, text("long ago"));
        await bob.joinRoom(roomId);
        await seen(bob, roomId, id);
        const state = bob.getRoom(roomId).currentState;
        assert.equal(bob.getRoom(roomId).name, "Named");
        assert.equal(state.getStateEvents("m.room.topic", "").getContent().topic, "Of old");
        assert.deepEqual(state.getStateEvents("org.example.thing", "key").getContent(), { value: 1 });
        assert.equal(state.maySendStateEvent("m.room.name", bob.getUserId()), false);
    },
});
