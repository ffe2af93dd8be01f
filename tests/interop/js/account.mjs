// What people set for themselves: push rules, tags, ignored users, presence, profiles, account data, and their files.
import { anotherDevice, assert, baseUrl, newUser, refusal, roomOf, run, seen, text, texts, until } from "./sdk.mjs";

const [alice, bob] = [await newUser(), await newUser()];
const roomId = await roomOf(alice, bob);

await run({
    async "push rules are made, changed, ordered and deleted, and other devices hear of it"() {
        const other = await anotherDevice(alice);
        const rule = () => other.pushRules?.global.content.find((one) => one.rule_id === "cake");
        await alice.addPushRule("global", "content", "cake", { pattern: "cake", actions: ["notify"] });
        assert.deepEqual((await until(rule, "the rule")).actions, ["notify"]);
        const tweak = { set_tweak: "highlight" };
        await alice.setPushRuleActions("global", "content", "cake", ["notify", tweak]);
        await until(() => rule().actions.length === 2, "new actions");
        await alice.sendMessage(roomId, text("nothing"));
        const { event_id: id } = await bob.sendMessage(roomId, text("there is cake"));
        const event = await seen(other, roomId, id);
        assert.equal(other.getPushActionsForEvent(event, true).tweaks.highlight, true);
        await until(() => other.getRoom(roomId).getUnreadNotificationCount("highlight") === 1, "a highlight");
        await alice.setPushRuleEnabled("global", "content", "cake", false);
        await until(() => rule().enabled === false, "the rule off");
        await alice.deletePushRule("global", "content", "cake");
        await until(() => !rule(), "no rule");
        assert.equal((await refusal(alice.deletePushRule("global", "content", "cake"))).errcode, "M_NOT_FOUND");
        other.stopClient();
    },

    async "a muted room is not unread"() {
        await alice.setRoomMutePushRule("global", roomId, true);
        await until(() => alice.getRoomPushRule("global", roomId), "the rule");
        const before = alice.getRoom(roomId).getUnreadNotificationCount("total");
        const { event_id: id } = await bob.sendMessage(roomId, text("anybody?"));
        await seen(alice, roomId, id);
        assert.equal(alice.getRoom(roomId).getUnreadNotificationCount("total"), before);
        await alice.setRoomMutePushRule("global", roomId, false);
    },

    async "tags come and go"() {
        const room = alice.getRoom(roomId);
        await alice.setRoomTag(roomId, "m.favourite", { order: 0.25 });
        await until(() => room.tags["m.favourite"]?.order === 0.25, "the tag");
        await alice.deleteRoomTag(roomId, "m.favourite");
        await until(() => !room.tags["m.favourite"], "no tag");
    },

    async "what an ignored user says is not told"() {
        await alice.setIgnoredUsers([bob.getUserId()]);
        await until(() => alice.isUserIgnored(bob.getUserId()), "ignoring");
        await bob.sendMessage(roomId, text("unheard"));
        const { event_id: id } = await alice.sendMessage(roomId, text("peace"));
        await seen(alice, roomId, id);
        assert.equal(texts(alice, roomId).includes("unheard"), false);
        await alice.setIgnoredUsers([]);
        await until(() => !alice.isUserIgnored(bob.getUserId()), "no ignoring");
        const later = await anotherDevice(alice);
        assert.equal(texts(later, roomId).includes("unheard"), true);
        later.stopClient();
    },

    async "presence is told"() {
        await bob.setPresence({ presence: "unavailable", status_msg: "at lunch" });
        const user = await until(() => alice.getUser(bob.getUserId()), "the user");
        await until(() => user.presence === "unavailable" && user.presenceStatusMsg === "at lunch", "presence");
    },

    async "a new name is shown in rooms and profiles"() {
        await bob.setDisplayName("Robert");
        const member = alice.getRoom(roomId).getMember(bob.getUserId());
        await until(() => member.name === "Robert", "the name");
        assert.equal((await alice.getProfileInfo(bob.getUserId())).displayname, "Robert");
    },

    async "account data is kept for all devices"() {
        await alice.setAccountData("org.example.setting", { value: [1, 2] });
        assert.deepEqual(await alice.getAccountDataFromServer("org.example.setting"), { value: [1, 2] });
        await alice.setRoomAccountData(roomId, "org.example.of_room", { value: 3 });
        const other = await anotherDevice(alice);
        assert.deepEqual(other.getAccountData("org.example.setting").getContent(), { value: [1, 2] });
        assert.deepEqual(other.getRoom(roomId).getAccountData("org.example.of_room").getContent(), { value: 3 });
        other.stopClient();
    },

    async "a file is had again as it was uploaded, by who is signed in"() {
        const bytes = new TextEncoder().encode("the contents of a file");
        const { content_uri: uri } = await alice.uploadContent(bytes, { name: "a.txt", type: "text/plain" });
        const url = bob.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true);
        assert.ok(url.startsWith(`${baseUrl}/_matrix/client/v1/media/download/`));
        const answer = await fetch(url, { headers: { Authorization: `Bearer ${bob.getAccessToken()}` } });
        assert.equal(answer.headers.get("content-type").split(";")[0], "text/plain");
        assert.equal(await answer.text(), "the contents of a file");
        assert.equal((await fetch(url)).status, 401);
        assert.ok((await alice.getMediaConfig(true))["m.upload.size"] > 1000);
    },

    async "people are found by name"() {
        const { results } = await alice.searchUserDirectory({ term: "rober" });
        assert.ok(results.some((one) => one.user_id === bob.getUserId() && one.display_name === "Robert"));
    },

    async "the rooms two people share are found"() {
        assert.deepEqual(await alice._unstable_getSharedRooms(bob.getUserId()), [roomId]);
    },
});
