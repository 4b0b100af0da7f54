/*
 * Everything that the official server SDK can do, in one flow, which can be run again on the state that it left.
 * usage: node flow.js BASE_URL SANDBOX_URL
 *   BASE_URL     what the SDK talks to: a sandbox, or a gateway in front of it
 *   SANDBOX_URL  the sandbox itself, where peers join and time passes
 * HMS_ACCESS_KEY and HMS_SECRET: the credentials. Exits with 0 when all of it went well.
 */
"use strict";

const assert = require("node:assert/strict");
const { SDK } = require("@100mslive/server-sdk");

const [baseUrl, sandboxUrl] = process.argv.slice(2);
const sdk = new SDK();

/* The SDK knows two base URLs, both of 100ms; this is the one thing that is changed about it. */
sdk.api.axios.defaults.baseURL = baseUrl;

const wrappers = ["activeRooms", "analytics", "externalStreams", "liveStreams", "recordingAssets",
    "recordings", "roomCodes", "rooms", "sessions"];
const unused = new Set();

/* Notes which methods were called, so that none is forgotten. */
function watch(name) {
    const wrapper = sdk[name];
    for (const method of Object.getOwnPropertyNames(Object.getPrototypeOf(wrapper))) {
        if (method === "constructor")
            continue;
        const original = wrapper[method];
        unused.add(`${name}.${method}`);
        wrapper[method] = (...args) => {
            unused.delete(`${name}.${method}`);
            return original.apply(wrapper, args);
        };
    }
}

async function sandbox(method, path, body) {
    const answer = await fetch(`${sandboxUrl}/sandbox${path}`, {
        method,
        headers: { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
}

const join = (room, role, more) => sandbox("POST", `/rooms/${room.id}/peers`, { role, ...more });
const pass = (seconds) => sandbox("POST", "/clock", { advance_ms: seconds * 1000 });

async function all(iterable) {
    const items = [];
    for await (const item of iterable)
        items.push(item);
    return items;
}

/* The call must fail as the SDK reports failures. */
async function fails(code, call) {
    const error = await call().then(() => null, (reason) => reason);
    assert.equal(error && error.code, code, JSON.stringify(error));
    assert.ok(error.message);
}

async function rooms() {
    const room = await sdk.rooms.create({ name: "lesson-1", description: "first" });
    assert.ok(room.id && room.enabled && room.created_at instanceof Date);
    assert.equal((await sdk.rooms.create({ name: "lesson-1" })).id, room.id);
    for (let n = 2; n <= 24; n++)
        await sdk.rooms.create({ name: `lesson-${n}` });
    assert.equal((await all(sdk.rooms.list())).length, 24);
    assert.equal((await all(sdk.rooms.list({ limit: 12 }))).length, 24);
    assert.equal((await sdk.rooms.retrieveById(room.id)).name, "lesson-1");
    assert.equal((await sdk.rooms.retrieveByName("lesson-7")).name, "lesson-7");
    await assert.rejects(sdk.rooms.retrieveByName("lesson-99"));
    const changed = await sdk.rooms.update(room.id, { description: "changed", region: "eu" });
    assert.equal(changed.description, "changed");
    assert.equal((await sdk.rooms.enableOrDisable(room.id, false)).enabled, false);
    assert.equal((await all(sdk.rooms.list({ enabled: false }))).length, 1);
    assert.equal((await sdk.rooms.enableOrDisable(room.id, true)).enabled, true);
    await fails(404, () => sdk.rooms.retrieveById("66f1c0a2b4d93e5a7c118e99"));
    await fails(400, () => sdk.rooms.update(room.id, { region: "moon" }));
    return room;
}

async function roomCodes(room) {
    const codes = await sdk.roomCodes.create(room.id);
    assert.deepEqual([...new Set(codes.map((one) => one.role))].sort(), ["guest", "host"]);
    assert.deepEqual((await sdk.roomCodes.create(room.id)).map((one) => one.code), codes.map((one) => one.code));
    for (const listed of await all(sdk.roomCodes.list(room.id)))
        assert.ok(codes.some((made) => made.code === listed.code), "a list shows what was created");
    assert.equal((await sdk.roomCodes.createForRole(room.id, "guest")).role, "guest");
    const off = await sdk.roomCodes.enableOrDisable(codes[0].code, false);
    assert.equal(off.enabled, false);
    const listed = await all(sdk.roomCodes.list(room.id));
    assert.equal(listed.find((one) => one.code === codes[0].code).enabled, false);
    assert.ok((await all(sdk.roomCodes.list(room.id, { role: "guest" }))).every((one) => one.role === "guest"));
    await sdk.roomCodes.enableOrDisable(codes[0].code, true);
}

async function activeRooms(room) {
    await fails(404, () => sdk.activeRooms.retrieve(room.id));
    const { token } = await sdk.auth.getAuthToken({ roomId: room.id, role: "host", userId: "ada" });
    const ada = await join(room, undefined, { token, name: "Ada" });
    const bob = await join(room, "guest", { name: "Bob" });
    assert.equal((await sdk.activeRooms.retrieve(room.id)).session.peers.length, 2);
    assert.equal(Object.keys(await sdk.activeRooms.retrieveActivePeers(room.id)).length, 2);
    assert.equal((await sdk.activeRooms.retrievePeerDetails(room.id, ada.id)).user_id, "ada");
    await sdk.activeRooms.updatePeer(room.id, bob.id, { name: "Bobby", role: "host" });
    assert.equal((await sdk.activeRooms.retrievePeerDetails(room.id, bob.id)).name, "Bobby");
    await sdk.activeRooms.sendMessage(room.id, { message: "hello", role: "host" });
    await sdk.activeRooms.removePeer(room.id, { peer_id: bob.id, reason: "late" });
    assert.equal(Object.keys(await sdk.activeRooms.retrieveActivePeers(room.id)).length, 1);
}

async function recordings(room) {
    const before = (await all(sdk.recordings.list({ room_id: room.id }))).length;
    await fails(404, () => sdk.recordings.stopAll(room.id));
    const one = await sdk.recordings.start(room.id, { resolution: { width: 1280, height: 720 } });
    assert.equal(one.status, "starting");
    await pass(5);
    assert.equal((await sdk.recordings.retrieve(one.id)).status, "running");
    await fails(409, () => sdk.recordings.start(room.id, {}));
    assert.equal((await sdk.recordings.stop(one.id)).status, "stopping");
    const two = await sdk.recordings.start(room.id, {});
    await pass(5);
    const stopped = await sdk.recordings.stopAll(room.id);
    assert.deepEqual(stopped.map((job) => job.id), [two.id]);
    await pass(10);
    const listed = await all(sdk.recordings.list({ room_id: room.id, status: "completed" }));
    assert.deepEqual(listed.slice(0, 2).map((job) => job.id), [two.id, one.id], "the newest comes first");
    assert.equal(listed.length, before + 2);
    const done = await sdk.recordings.retrieve(one.id);
    assert.ok(done.recording_assets.length > 0);

    const assets = await all(sdk.recordingAssets.list({ room_id: room.id }));
    const video = assets.find((asset) => asset.job_id === one.id && asset.type === "room-composite");
    assert.equal((await sdk.recordingAssets.retrieve(video.id)).status, "completed");
    const { url } = await sdk.recordingAssets.generatePreSignedURL(video.id, 600);
    const file = await fetch(url);
    assert.equal(file.status, 200);
    assert.ok((await file.arrayBuffer()).byteLength > 0);
}

async function externalStreams(room) {
    const params = { rtmp_urls: ["rtmp://live.example.org/app/key"], recording: false };
    const before = (await all(sdk.externalStreams.list({ room_id: room.id }))).length;
    const one = await sdk.externalStreams.start(room.id, params);
    await pass(5);
    assert.equal((await sdk.externalStreams.retrieve(one.id)).status, "running");
    assert.equal((await sdk.externalStreams.stop(one.id)).status, "stopping");
    const two = await sdk.externalStreams.start(room.id, params);
    assert.deepEqual((await sdk.externalStreams.stopAll(room.id)).map((job) => job.id), [two.id]);
    assert.equal((await all(sdk.externalStreams.list({ room_id: room.id }))).length, before + 2);
    await fails(400, () => sdk.externalStreams.start(room.id, { rtmp_urls: [] }));
}

async function liveStreams(room) {
    const before = (await all(sdk.liveStreams.list({ room_id: room.id }))).length;
    const one = await sdk.liveStreams.start(room.id, { recording: { hls_vod: true, single_file_per_layer: false } });
    await pass(5);
    const running = await sdk.liveStreams.retrieve(one.id);
    assert.equal(running.status, "running");
    assert.match(running.playback.url, /m3u8/);
    await sdk.liveStreams.sendTimedMetadata(one.id, { payload: "poll now", duration: 5 });
    await sdk.liveStreams.pauseRecording(one.id);
    await sdk.liveStreams.resumeRecording(one.id);
    assert.equal((await sdk.liveStreams.stop(one.id)).status, "stopping");
    const two = await sdk.liveStreams.start(room.id, {});
    await pass(5);
    assert.deepEqual((await sdk.liveStreams.stopAll(room.id)).map((job) => job.id), [two.id]);
    await pass(10);
    assert.equal((await all(sdk.liveStreams.list({ room_id: room.id, status: "completed" }))).length, before + 2);
}

async function sessions(room) {
    const active = await sdk.sessions.retrieveActiveByRoom(room.id);
    assert.equal(active.active, true);
    const whole = await sdk.sessions.retrieveById(active.id);
    assert.ok(Object.values(whole.peers).some((peer) => peer.user_id === "ada"));
    await sdk.activeRooms.end(room.id, { reason: "over", lock: false });
    await assert.rejects(sdk.sessions.retrieveActiveByRoom(room.id));
    const listed = await all(sdk.sessions.list({ room_id: room.id }));
    assert.deepEqual([listed[0].id, listed[0].active], [active.id, false], "the newest comes first");
    assert.ok(listed.every((session) => !session.active));
    return active;
}

async function analytics(room, session) {
    const events = await all(sdk.analytics.listRecordingEvents({
        type: "beam.recording.success", room_id: room.id,
    }));
    assert.ok(events.length >= 1, "the recordings left events");
    assert.ok(events.some((event) => event.data.session_id === session.id));
    const tracks = await all(sdk.analytics.listTrackEvents({
        type: ["track.add.success", "track.remove.success", "track.update.success"], room_id: room.id,
    }));
    assert.ok(Array.isArray(tracks));
}

async function main() {
    sdk.setLogLevel("silent");
    wrappers.forEach(watch);
    const room = await rooms();
    await roomCodes(room);
    await activeRooms(room);
    await recordings(room);
    await externalStreams(room);
    await liveStreams(room);
    await analytics(room, await sessions(room));
    assert.deepEqual([...unused], [], "every method of the SDK has been called");
    console.log("all went well");
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
