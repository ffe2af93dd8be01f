// Two people talk: what each client shows of the other's messages, edits, reactions, receipts and typing.
import { anotherDevice, assert, baseUrl, newUser, refusal, roomOf, run, sdk, seen, text, texts, until } from "./sdk.mjs";

const [alice, bob] = [await newUser(), await newUser()];
const roomId = await roomOf(alice, bob);
const unread = (client, type) => client.getRoom(roomId).getUnreadNotificationCount(type);

await run({
    async "a wrong password is refused, a right one makes a device"() {
        const login = { type: "m.login.password", identifier: { type: "m.id.user", user: alice.getUserId() } };
        const error = await refusal(sdk.createClient({ baseUrl }).loginRequest({ ...login, password: "wrong" }));
        assert.equal(error.errcode, "M_FORBIDDEN");
        const again = await anotherDevice(alice, { sync: false });
        assert.notEqual((await again.whoami()).device_id, alice.getDeviceId());
        const { devices } = await alice.getDevices();
        assert.equal(devices.length, 2);
    },

    async "a message arrives, and is in its sender's timeline once"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("hello"));
        assert.equal((await seen(bob, roomId, id)).getContent().body, "hello");
        await seen(alice, roomId, id);
        assert.equal(texts(alice, roomId).filter((body) => body === "hello").length, 1);
        assert.equal(alice.getRoom(roomId).findEventById(id).getUnsigned().transaction_id !== undefined, true);
    },

    async "an edit replaces what is shown, also for who comes later"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("helo"));
        await alice.sendMessage(roomId, {
            ...text("* hello"),
            "m.new_content": text("hello, edited"),
            "m.relates_to": { rel_type: "m.replace", event_id: id },
        });
        const event = await seen(bob, roomId, id);
        await until(() => event.getContent().body === "hello, edited", "the edit");
        const later = await anotherDevice(bob, { initialSyncLimit: 50 });
        assert.equal((await seen(later, roomId, id)).getContent().body, "hello, edited");
        later.stopClient();
    },

    async "reactions are counted by key, and can be taken back"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("cake?"));
        await seen(bob, roomId, id);
        const annotate = (key) => ({ "m.relates_to": { rel_type: "m.annotation", event_id: id, key } });
        const { event_id: reaction } = await bob.sendEvent(roomId, "m.reaction", annotate("👍"));
        await alice.sendEvent(roomId, "m.reaction", annotate("👍"));
        const relations = await until(
            () => alice.getRoom(roomId).relations.getChildEventsForEvent(id, "m.annotation", "m.reaction"), "relations");
        const keys = () => relations.getSortedAnnotationsByKey().map(([key, events]) => [key, events.size]);
        await until(() => keys()[0]?.[1] === 2, "two reactions");
        const { events } = await alice.relations(roomId, id, "m.annotation", "m.reaction");
        assert.deepEqual(events.map((event) => event.getRelation().key), ["👍", "👍"]);
        assert.equal((await refusal(bob.sendEvent(roomId, "m.reaction", annotate("👍")))).errcode, "M_DUPLICATE_ANNOTATION");
        await bob.redactEvent(roomId, reaction);
        await until(() => keys()[0]?.[1] === 1, "one reaction");
    },

    async "a redacted message is shown as such"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("oops"));
        const event = await seen(bob, roomId, id);
        await alice.redactEvent(roomId, id, undefined, { reason: "typo" });
        await until(() => event.isRedacted(), "the redaction");
        assert.equal(event.getUnsigned().redacted_because.content.reason, "typo");
        assert.deepEqual(event.getContent(), {});
    },

    async "messages are unread until a receipt, which the others see"() {
        const { event_id: first } = await alice.sendMessage(roomId, text("one"));
        const mention = { "m.mentions": { user_ids: [bob.getUserId()] } };
        const { event_id: last } = await alice.sendMessage(roomId, text("two", mention));
        await until(() => unread(bob, "highlight") === 1 && unread(bob, "total") >= 2, "unread counts");
        assert.equal(bob.getRoom(roomId).hasUserReadEvent(bob.getUserId(), first), false);
        await bob.sendReadReceipt(await seen(bob, roomId, last));
        await until(() => unread(bob, "total") === 0 && unread(bob, "highlight") === 0, "nothing unread");
        const event = await seen(alice, roomId, last);
        await until(() => alice.getRoom(roomId).getUsersReadUpTo(event).includes(bob.getUserId()), "bob's receipt");
    },

    async "a private receipt reads, and nobody hears of it"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("psst"));
        await until(() => unread(bob, "total") === 1, "one unread");
        await bob.sendReadReceipt(await seen(bob, roomId, id), "m.read.private");
        await until(() => unread(bob, "total") === 0, "nothing unread");
        const { event_id: later } = await alice.sendMessage(roomId, text("still there?"));
        const event = await seen(alice, roomId, id);
        await seen(alice, roomId, later);
        assert.equal(alice.getRoom(roomId).getUsersReadUpTo(event).includes(bob.getUserId()), false);
    },

    async "the fully-read marker is kept for other devices"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("up to here"));
        await bob.setRoomReadMarkers(roomId, id, await seen(bob, roomId, id));
        await until(() => bob.getRoom(roomId).getAccountData("m.fully_read")?.getContent().event_id === id, "the marker");
    },

    async "typing is shown and ends"() {
        await bob.sendTyping(roomId, true, 20_000);
        const member = alice.getRoom(roomId).getMember(bob.getUserId());
        await until(() => member.typing, "typing");
        await bob.sendTyping(roomId, false, 0);
        await until(() => !member.typing, "no typing");
    },

    async "paging back reaches the beginning, each event once and in order"() {
        const long = await roomOf(alice);
        for (let i = 0; i < 45; i++) await alice.sendMessage(long, text(`m${i}`));
        const later = await anotherDevice(alice, { initialSyncLimit: 5 });
        const room = await until(() => later.getRoom(long), "the room");
        while (room.oldState.paginationToken !== null) await later.scrollback(room, 20);
        assert.deepEqual(texts(later, long), Array.from({ length: 45 }, (_, i) => `m${i}`));
        assert.equal(room.getLiveTimeline().getEvents()[0].getType(), "m.room.create");
        later.stopClient();
    },

    async "an event is found by time, and its surroundings from there"() {
        const { event_id: id } = await alice.sendMessage(roomId, text("when?"));
        const event = await seen(alice, roomId, id);
        const found = await alice.timestampToEvent(roomId, event.getTs(), "f");
        assert.equal(found.origin_server_ts >= event.getTs(), true);
        assert.equal(found.event_id, id);
        const timeline = await alice.getEventTimeline(alice.getRoom(roomId).getUnfilteredTimelineSet(), id);
        assert.ok(timeline.getEvents().some((one) => one.getId() === id));
    },
});
