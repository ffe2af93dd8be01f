// Threads, with thread support on: summaries, unread counts, receipts by thread, and the list of threads.
import { anotherDevice, assert, newUser, roomOf, run, seen, text, until } from "./sdk.mjs";

const [alice, bob] = [await newUser(), await newUser()];
const roomId = await roomOf(alice, bob);
const reply = (root, body, more = {}) => text(body, {
    "m.relates_to": { rel_type: "m.thread", event_id: root, is_falling_back: true, "m.in_reply_to": { event_id: root } },
    ...more,
});
const { event_id: root } = await alice.sendMessage(roomId, text("a thread begins"));
await seen(bob, roomId, root);
const threadOf = (client) => client.getRoom(roomId).getThread(root);
/** Open a thread as its first reply is written; the SDK loses an echo that comes before it knows of the thread. */
const open = (id, client = alice) => {
    const room = client.getRoom(roomId);
    return room.createThread(id, room.findEventById(id), [], true);
};
const unread = (client, type = "total") => client.getRoom(roomId).getThreadUnreadNotificationCount(root, type);

await run({
    async "replies make a thread whose summary grows"() {
        open(root);
        for (const body of ["one", "two", "three"]) await alice.sendMessage(roomId, root, reply(root, body));
        const thread = await until(() => threadOf(bob), "the thread");
        await until(() => thread.length === 3, "three replies");
        await until(() => thread.replyToEvent?.getContent().body === "three", "the latest reply");
        assert.equal(thread.hasCurrentUserParticipated, false);
    },

    async "a thread is unread on its own"() {
        await until(() => unread(bob) === 3, "three unread");
        const mention = { "m.mentions": { user_ids: [bob.getUserId()] } };
        await alice.sendMessage(roomId, root, reply(root, "bob?", mention));
        await until(() => unread(bob, "highlight") === 1, "a highlight");
        assert.equal(bob.getRoom(roomId).getRoomUnreadNotificationCount("highlight"), 0);
    },

    async "a receipt in the thread reads the thread alone"() {
        const { event_id: main } = await alice.sendMessage(roomId, text("in the room"));
        await seen(bob, roomId, main);
        const thread = threadOf(bob);
        await until(() => thread.replyToEvent?.getContent().body === "bob?", "the latest reply");
        await bob.sendReadReceipt(thread.replyToEvent);
        await until(() => unread(bob) === 0 && unread(bob, "highlight") === 0, "nothing unread in the thread");
        assert.ok(bob.getRoom(roomId).getRoomUnreadNotificationCount("total") > 0);
        const event = (await until(() => threadOf(alice), "the own thread")).replyToEvent;
        await until(() => threadOf(alice).getUsersReadUpTo(event).includes(bob.getUserId()), "bob's receipt");
    },

    async "who replies takes part"() {
        await bob.sendMessage(roomId, root, reply(root, "here"));
        await until(() => threadOf(alice).length === 5, "five replies");
        const later = await anotherDevice(bob, { initialSyncLimit: 50 });
        await until(() => threadOf(later)?.hasCurrentUserParticipated, "taking part");
        later.stopClient();
    },

    async "an edited reply is shown edited in the summary of who comes later"() {
        const { event_id: id } = await alice.sendMessage(roomId, root, reply(root, "lst"));
        await alice.sendMessage(roomId, {
            ...text("* last"),
            "m.new_content": text("last"),
            "m.relates_to": { rel_type: "m.replace", event_id: id },
        });
        const later = await anotherDevice(bob, { initialSyncLimit: 50 });
        const thread = await until(() => threadOf(later), "the thread");
        await until(() => thread.replyToEvent?.getContent().body === "last", "the edited reply");
        await until(() => thread.length === 6, "six replies");
        await until(() => thread.initialEventsFetched, "the thread's events");
        assert.deepEqual(
            thread.events.filter((one) => !one.isState()).map((one) => one.getContent().body).slice(0, 3),
            ["a thread begins", "one", "two"],
        );
        later.stopClient();
    },

    async "the list of threads has them, latest first"() {
        const { event_id: other } = await bob.sendMessage(roomId, text("another"));
        await seen(bob, roomId, other);
        open(other, bob);
        await bob.sendMessage(roomId, other, reply(other, "in another"));
        const later = await anotherDevice(alice, { initialSyncLimit: 1 });
        const room = await until(() => later.getRoom(roomId), "the room");
        await room.createThreadsTimelineSets();
        await room.fetchRoomThreads();
        const listed = (set) => set.getLiveTimeline().getEvents().map((event) => event.getId());
        assert.deepEqual(listed(room.threadsTimelineSets[0]), [root, other]);
        assert.deepEqual(listed(room.threadsTimelineSets[1]), [root]);
        later.stopClient();
    },
});
