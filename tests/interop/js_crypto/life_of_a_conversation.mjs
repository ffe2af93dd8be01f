// An encrypted conversation through everything that happens to one: new devices, verification, restarts of the server,
// logouts, and a recovery from the key backup. Arguments: the server's address, two user ids, their password.

import { Device, ask, compareEmoji, listen, until } from "./people.mjs";

const [base, aliceId, bobId, password] = process.argv.slice(2);
const recovery = {};
const first = listen(await Device.signIn(base, aliceId, password, recovery));
const bob = listen(await Device.signIn(base, bobId, password));
await first.setUpEverything();
await bob.setUpEverything();

const { room_id: roomId } = await first.client.createRoom({
    invite: [bobId],
    preset: "private_chat",
    initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
});
await until("the invite", () => bob.client.getRoom(roomId)?.getMyMembership() === "invite");
await bob.client.joinRoom(roomId);
await until("the join", () => first.client.getRoom(roomId)?.getMember(bobId)?.membership === "join");
await first.send(roomId, "one lump or two?");
await bob.reads(roomId, "one lump or two?");
await bob.send(roomId, "two, please");
await first.reads(roomId, "two, please");

// A new device, verified by the first.
const second = listen(await Device.signIn(base, aliceId, password, recovery));
await until("the devices know of each other", async () => {
    const devices = await first.crypto.getUserDeviceInfo([aliceId], true);
    return devices.get(aliceId)?.has(second.id);
});
await compareEmoji(second, first, await second.crypto.requestOwnUserVerification());
await until("the new device is signed", () => bob.isVerified(aliceId, second.id).then(() => first.isVerified(aliceId, second.id)));
await until("the new device trusts the first", () => second.isVerified(aliceId, first.id));
await until("the new device has the secrets", () => second.crypto.isCrossSigningReady());
await until("the new device has the backup", () => second.crypto.getActiveSessionBackupVersion());
await bob.send(roomId, "is that a new telephone?");
await second.reads(roomId, "is that a new telephone?");
await first.reads(roomId, "is that a new telephone?");

// Two people verify each other.
await compareEmoji(first, bob, await first.crypto.requestVerificationDM(bobId, roomId));
await until("bob is verified", async () => (await first.crypto.getUserVerificationStatus(bobId)).isCrossSigningVerified());
await until("on the new device, too", async () => {
    const status = await second.crypto.getUserVerificationStatus(bobId);
    return status.isCrossSigningVerified();
});

await ask("restart");
await second.send(roomId, "it is");
await bob.reads(roomId, "it is");
await first.reads(roomId, "it is");
await bob.send(roomId, "mine is old");
await second.reads(roomId, "mine is old");
await ask("kill");
await first.send(roomId, "never mind");
await bob.reads(roomId, "never mind");
await second.reads(roomId, "never mind");

// Everything is lost but the recovery key.
await until("all keys are in the backup", async () => (await first.backedUp()) >= 3);
await first.logOut();
await second.logOut();
await bob.send(roomId, "anybody there?");
const third = listen(await Device.signIn(base, aliceId, password, recovery));
const restored = await third.recover();
if (restored.imported < 3) throw new Error(`only ${restored.imported} of ${restored.total} keys came back`);
await until("the third device is signed", () => bob.isVerified(aliceId, third.id));
for (const text of ["one lump or two?", "two, please", "is that a new telephone?", "it is", "mine is old", "never mind"]) {
    await third.reads(roomId, text);
}
await third.send(roomId, "I lost my telephones");
await bob.reads(roomId, "I lost my telephones");
await bob.send(roomId, "again?");
await third.reads(roomId, "again?");
if (bob.unreadable(roomId).length) throw new Error(`bob cannot read ${bob.unreadable(roomId)}`);
// What bob said while alice had no device at all was encrypted for nobody of hers.
if (third.unreadable(roomId).length > 1) throw new Error(`alice cannot read ${third.unreadable(roomId)}`);
third.stop();
bob.stop();
console.log("understood");
process.exit(0);
