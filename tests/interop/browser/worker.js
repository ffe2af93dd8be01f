// Adds the access token to what a page loads from the homeserver's media repository, and tells the test what was asked for.
const token = new URL(self.location).searchParams.get("token");

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (!url.pathname.startsWith("/_matrix/client/v1/media/download/")) return;
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  const range = event.request.headers.get("Range");
  if (range) headers.set("Range", range);
  event.respondWith(fetch(url, { headers, signal: event.request.signal }).then(async (answer) => {
    await fetch("range", { method: "POST", body: JSON.stringify({ range, status: answer.status }) });
    return answer;
  }));
});
