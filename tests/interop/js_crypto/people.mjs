// People who talk through matrix-js-sdk and its Rust crypto, both as npm installs them.
//
// Node looks for packages beside the script, and these are elsewhere: TRELLIS_JS_SDK names the folder that holds node_modules.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.TRELLIS_JS_SDK, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));

export const sdk = await load("matrix-js-sdk");
export const cryptoApi = await load("matrix-js-sdk/lib/crypto-api/index.js");
const { logger } = await load("matrix-js-sdk/lib/logger.js");
logger.setLevel?.("silent");
globalThis.console.debug = () => {};

const WAIT_MS = 30_000;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Ask the test that drives this script for something, and wait until it is done. */
export async function ask(what) {
    process.stdout.write(`${what}\n`);
    await lines.next();
}

/** The first true value of `look`, which is asked again until there is one. */
export async function until(what, look) {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
        const found = await look();
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** One device of a person, signed in, with encryption running. */
export class Device {
    static async signIn(base, userId, password, recovery = {}) {
        const anonymous = sdk.createClient({ baseUrl: base });
        const login = await anonymous.loginRequest({
            type: "m.login.password",
            identifier: { type: "m.id.user", user: userId },
            password,
            initial_device_display_name: "js",
        });
        const device = new Device();
        device.password = password;
        device.recovery = recovery;
        device.client = sdk.createClient({
            baseUrl: base,
            userId: login.user_id,
            accessToken: login.access_token,
            deviceId: login.device_id,
            cryptoCallbacks: {
                getSecretStorageKey: async ({ keys }) => {
                    const id = Object.keys(keys)[0];
                    return recovery.key ? [id, recovery.key.privateKey] : null;
                },
            },
        });
        await device.client.initRustCrypto({ useIndexedDB: false });
        await device.client.startClient({ initialSyncLimit: 50, pollTimeout: 5_000 });
        await until("the first sync", () => device.client.isInitialSyncComplete());
        return device;
    }

    get id() {
        return this.client.getDeviceId();
    }

    get crypto() {
        return this.client.getCrypto();
    }

    /** Cross-signing keys, secret storage and a key backup, all new; keeps the recovery key. */
    async setUpEverything() {
        await this.crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (upload) => upload(null) });
        this.recovery.key = await this.crypto.createRecoveryKeyFromPassphrase();
        await this.crypto.bootstrapSecretStorage({
            createSecretStorageKey: async () => this.recovery.key,
            setupNewSecretStorage: true,
            setupNewKeyBackup: true,
        });
        await until("cross-signing", () => this.crypto.isCrossSigningReady());
        await until("secret storage", () => this.crypto.isSecretStorageReady());
        await until("the backup", () => this.crypto.getActiveSessionBackupVersion());
    }

    /** What somebody does on a new device who has nothing left but the recovery key. */
    async recover() {
        await this.crypto.bootstrapCrossSigning({});
        await this.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
        await this.crypto.checkKeyBackupAndEnable();
        return this.crypto.restoreKeyBackup();
    }

    send(roomId, text) {
        return this.client.sendTextMessage(roomId, text);
    }

    /** Wait until this device shows `text` in a room, decrypted. */
    async reads(roomId, text) {
        await until(`${this.client.getUserId()} ${this.id} reads "${text}"`, () =>
            this.events(roomId).some((event) => event.isEncrypted() && event.getContent().body === text),
        );
    }

    /** The events of a room that cannot be read. */
    unreadable(roomId) {
        return this.events(roomId).filter((event) => event.isDecryptionFailure()).map((event) => event.getId());
    }

    events(roomId) {
        return this.client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
    }

    /** How many keys the server has in the backup; what the library says of it is as old as its last check. */
    async backedUp() {
        const prefix = sdk.ClientPrefix.V3;
        return (await this.client.http.authedRequest("GET", "/room_keys/version", undefined, undefined, { prefix })).count;
    }

    async isVerified(userId, deviceId) {
        const status = await this.crypto.getDeviceVerificationStatus(userId, deviceId);
        return status?.crossSigningVerified ?? false;
    }

    async logOut() {
        await this.client.logout(true);
    }

    stop() {
        this.client.stopClient();
    }
}

/** Compare emoji: `asking` has a verification request that it made of `asked`. */
export async function compareEmoji(asking, asked, request) {
    const received = await until("the request", () =>
        asked.requests.find((one) => one.otherUserId === asking.client.getUserId() && one.pending),
    );
    await received.accept();
    await until("both are ready", () => request.phase === cryptoApi.VerificationPhase.Ready);
    const verifier = await request.startVerification("m.sas.v1");
    const shown = [confirming(verifier)];
    await until("the other has begun", () => received.verifier);
    shown.push(confirming(received.verifier));
    const [ours, theirs] = await Promise.all(shown);
    if (ours !== theirs) throw new Error(`${ours} is not ${theirs}`);
}

/** Run a verifier to its end; the emoji it showed. */
async function confirming(verifier) {
    let emoji = "";
    const confirm = (sas) => {
        emoji = sas.sas.emoji.map(([picture]) => picture).join("");
        return sas.confirm();
    };
    verifier.on(cryptoApi.VerifierEvent.ShowSas, confirm);
    const early = verifier.getShowSasCallbacks();
    if (early) await confirm(early);
    await verifier.verify();
    return emoji;
}

/** Note the verification requests that arrive at a device. */
export function listen(device) {
    device.requests = [];
    device.client.on(cryptoApi.CryptoEvent.VerificationRequestReceived, (request) => device.requests.push(request));
    return device;
}
