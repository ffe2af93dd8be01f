// matrix-js-sdk as the scenarios use it: loaded from the folder that TRELLIS_JS_SDK names, quiet, and with few words.
import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.resolve(process.env.TRELLIS_JS_SDK, "node_modules");
const load = (file) => import(pathToFileURL(path.join(folder, file)).href);
(await load("matrix-js-sdk/lib/logger.js")).logger.setLevel("silent");

export const sdk = await load("matrix-js-sdk/lib/index.js");
export const { SlidingSync, SlidingSyncEvent } = await load("matrix-js-sdk/lib/sliding-sync.js");
export const { RoomHierarchy } = await load("matrix-js-sdk/lib/room-hierarchy.js");
export const baseUrl = process.argv[2];
export { assert };

const PASSWORD = "secret of the scenarios";
const DEADLINE_MS = 30_000;
const clients = [];
let names = 0;

/** A client of a new account, which syncs unless it is told not to. */
export async function newUser(options = {}) {
    const username = `js${process.pid}x${++names}`;
    const auth = { type: "m.login.dummy" };
    const made = await sdk.createClient({ baseUrl }).registerRequest({ username, password: PASSWORD, auth });
    return start(made, options);
}

/** Another device of a user, which knows nothing yet. */
export async function anotherDevice(client, options = {}) {
    const user = client.getUserId();
    const login = { type: "m.login.password", identifier: { type: "m.id.user", user }, password: PASSWORD };
    return start(await sdk.createClient({ baseUrl }).loginRequest(login), options);
}

async function start(session, { sync = true, ...options }) {
    const client = sdk.createClient({
        baseUrl,
        userId: session.user_id,
        accessToken: session.access_token,
        deviceId: session.device_id,
        timelineSupport: true,
    });
    clients.push(client);
    if (sync) {
        await client.startClient({ initialSyncLimit: 20, threadSupport: true, ...options });
        await until(() => client.isInitialSyncComplete(), "the first sync");
    }
    return client;
}

/** What `look` finds, as soon as it is something. */
export async function until(look, what) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
        const found = look();
        if (found) return found;
        if (Date.now() > deadline) assert.fail(`waited in vain for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 15));
    }
}

/** A room of some clients, the first of whom makes it. */
export async function roomOf(creator, ...others) {
    const { room_id: roomId } = await creator.createRoom({ preset: "public_chat" });
    for (const other of others) await other.joinRoom(roomId);
    for (const client of [creator, ...others]) await until(() => isJoined(client, roomId), "the room");
    return roomId;
}

export const isJoined = (client, roomId) => client.getRoom(roomId)?.getMyMembership() === "join";

/** The texts of a room's live timeline, as they stand now. */
export const texts = (client, roomId) =>
    client.getRoom(roomId).getLiveTimeline().getEvents()
        .filter((event) => event.getType() === "m.room.message")
        .map((event) => event.getContent().body);

/** An event that a client has of a room, once it has it. */
export const seen = (client, roomId, eventId) =>
    until(() => client.getRoom(roomId)?.findEventById(eventId), `event ${eventId}`);

export const text = (body, more = {}) => ({ msgtype: "m.text", body, ...more });

/** The error that a promise ends in. */
export async function refusal(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return assert.fail("nothing was refused");
}

/** Run scenarios one after another; the names of those that went well are printed. */
export async function run(scenarios) {
    try {
        for (const [name, scenario] of Object.entries(scenarios)) {
            try {
                await scenario();
            } catch (error) {
                error.message = `${name}: ${error.message}`;
                throw error;
            }
            console.log(`ok ${name}`);
        }
    } catch (error) {
        console.error(error);
        process.exitCode = 1;
    }
    for (const client of clients) client.stopClient();
    setTimeout(() => process.exit(), 50); // long-polls that are under way are not waited for
}
