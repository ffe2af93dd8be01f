// Uploads a picture with matrix-js-sdk, and gets it, its thumbnail and a part of it back by the URLs the SDK makes.
// Arguments: base URL, user id, token, picture.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.TRELLIS_JS_SDK + "/");
const sdk = require("matrix-js-sdk");
const [baseUrl, userId, accessToken, path] = process.argv.slice(2);
const client = sdk.createClient({ baseUrl, userId, accessToken });
const picture = readFileSync(path);
const config = await client.getMediaConfig(true);
assert(config["m.upload.size"] > picture.length);
const blob = new Blob([picture], { type: "image/png" });
const { content_uri: uri } = await client.uploadContent(blob, { name: "ein Bild.png", type: "image/png" });

async function get(url, headers = {}) {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${accessToken}`, ...headers } });
    return [answer, Buffer.from(await answer.arrayBuffer())];
}

const whole = client.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true);
const [answer, content] = await get(whole);
assert(content.equals(picture));
assert.match(answer.headers.get("content-disposition"), /ein%20Bild\.png/);
const [small, thumbnail] = await get(client.mxcUrlToHttp(uri, 32, 32, "crop", false, true, true));
assert.equal(small.status, 200);
assert(thumbnail.length < picture.length);
const [part, bytes] = await get(whole, { Range: "bytes=100-199" });
assert.equal(part.status, 206);
assert(bytes.equals(picture.subarray(100, 200)));
console.log("shown");
process.exit(0);
