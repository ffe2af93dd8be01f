// Sliding sync as the SDK speaks it: lists, subscriptions, timelines that grow, and the extensions it brings along.
import { SlidingSync, SlidingSyncEvent, assert, baseUrl, newUser, run, sdk, text, texts, until } from "./sdk.mjs";

const bob = await newUser({ sync: false });
const session = await newUser({ sync: false });
const alice = sdk.createClient({
    baseUrl, userId: session.getUserId(), accessToken: session.getAccessToken(), deviceId: session.getDeviceId(),
});
const rooms = [];
for (let i = 0; i < 4; i++) {
    const { room_id: roomId } = await bob.createRoom({ name: `Room ${i}`, preset: "public_chat" });
    await session.joinRoom(roomId);
    await bob.sendMessage(roomId, text(`in ${i}`));
    rooms.push(roomId);
}
const wanted = {
    ranges: [[0, 1]], timeline_limit: 3,
    required_state: [["m.room.name", ""], ["m.room.member", "$LAZY"], ["m.room.create", ""], ["m.room.join_rules", ""]],
};
const subscription = { timeline_limit: 20, required_state: [["*", "*"]] };
const sliding = new SlidingSync(baseUrl, new Map([["all", wanted]]), subscription, alice, 5_000);
const answers = [];
sliding.on(SlidingSyncEvent.Lifecycle, (state, answer) => {
    if (state === "COMPLETE" && answer) answers.push(answer);
});
alice.startClient({ slidingSync: sliding, threadSupport: true });

await run({
    async "the newest rooms come first, with names, members and timelines"() {
        await until(() => answers.length > 0 && alice.getRoom(rooms[2]) && alice.getRoom(rooms[3]), "two rooms");
        assert.equal(answers[0].lists.all.count, 4);
        const room = alice.getRoom(rooms[3]);
        await until(() => texts(alice, rooms[3]).includes("in 3"), "the message");
        assert.equal(room.name, "Room 3");
        assert.equal(room.getMyMembership(), "join");
        assert.equal(room.getMember(bob.getUserId()).membership, "join");
        assert.equal(room.getJoinedMemberCount(), 2);
        assert.equal(alice.getRoom(rooms[0]), null);
    },

    async "a wider range brings the others"() {
        sliding.setListRanges("all", [[0, 10]]);
        await until(() => alice.getRoom(rooms[0]) && alice.getRoom(rooms[1]), "all rooms");
    },

    async "messages, counts and invites arrive as they happen"() {
        await bob.sendMessage(rooms[0], text("news", { "m.mentions": { user_ids: [alice.getUserId()] } }));
        const room = alice.getRoom(rooms[0]);
        await until(() => texts(alice, rooms[0]).at(-1) === "news", "the news");
        await until(() => room.getUnreadNotificationCount("highlight") === 1, "a highlight");
        const { room_id: invited } = await bob.createRoom({ name: "Come in", invite: [alice.getUserId()] });
        await until(() => alice.getRoom(invited)?.getMyMembership() === "invite", "the invite");
        await alice.joinRoom(invited);
        await until(() => alice.getRoom(invited).getMyMembership() === "join", "the room");
        assert.equal(alice.getRoom(invited).name, "Come in");
    },

    async "a subscription shows more of a room"() {
        for (let i = 0; i < 6; i++) await bob.sendMessage(rooms[1], text(`more ${i}`));
        await until(() => texts(alice, rooms[1]).at(-1) === "more 5", "the messages");
        sliding.modifyRoomSubscriptions(new Set([rooms[1]]));
        await until(() => answers.at(-1).rooms[rooms[1]]?.required_state?.some((one) => one.type === "m.room.power_levels")
            || alice.getRoom(rooms[1]).currentState.getStateEvents("m.room.power_levels", ""), "its whole state");
    },

    async "account data, receipts and typing come along"() {
        const { event_id: id } = await session.sendMessage(rooms[2], text("read me"));
        await session.setAccountData("org.example.setting", { value: 1 });
        await until(() => alice.getAccountData("org.example.setting")?.getContent().value === 1, "account data");
        await session.setRoomTag(rooms[2], "m.lowpriority", { order: 1 });
        await until(() => alice.getRoom(rooms[2]).tags["m.lowpriority"], "the tag");
        const event = await until(() => alice.getRoom(rooms[2]).findEventById(id), "the message");
        await bob.setRoomReadMarkersHttpRequest(rooms[2], id, id);
        await until(() => alice.getRoom(rooms[2]).getUsersReadUpTo(event).includes(bob.getUserId()), "the receipt");
        await bob.sendTyping(rooms[2], true, 20_000);
        await until(() => alice.getRoom(rooms[2]).getMember(bob.getUserId()).typing, "typing");
    },

    async "leaving is told"() {
        await session.leave(rooms[3]);
        await until(() => alice.getRoom(rooms[3])?.getMyMembership() !== "join", "the leave");
        sliding.stop();
        alice.stopClient();
    },
});
