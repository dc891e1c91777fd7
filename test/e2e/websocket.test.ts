// WebSockets through the hub: a message per frame, refusals as HTTP answers, the status of the call as the close code.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { WebSocket } from "ws";
import { bytesAt } from "./support/files.js";
import { startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const behavior = await startService(scope, "behavior");
const files = await startService(scope, "files");
const upstreams = `
upstreams:
  behavior: { endpoints: [${behavior.address}] }
  files: { endpoints: [${files.address}] }
`;
const hub = await startHubWithConfig(
  scope,
  `${upstreams}
http: { webSocket: { origins: ["https://app.example"] } }
interceptors:
  auth: { apiKeys: { header: x-api-key, keys: [{ name: web, sha256: "85dbe15d75ef9308c7ae0f33c7a324cc6f4bf519a2ed2f3027bd33c140a4f9aa" }] } }
methods:
  test.v1.BehaviorService: { auth: none }
`,
);

const BIDI = "/test/v1/bidi-stream";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const frame = (payload: string, rest: object = {}): string =>
  JSON.stringify({ payload: base64(payload), ...rest });

interface Ended {
  readonly messages: unknown[];
  readonly code: number;
  readonly reason: string;
}

function open(path: string, headers: Record<string, string> = {}, address = hub.address): WebSocket {
  const socket = new WebSocket(`ws://${address}${path}`, { headers });
  socket.on("error", () => {});
  return socket;
}

/** Sends the frames, an empty one at the end, and reads until the close. */
async function converse(socket: WebSocket, frames: readonly (string | Buffer)[]): Promise<Ended> {
  const messages: unknown[] = [];
  socket.on("message", (data, isBinary) => messages.push(isBinary ? data : JSON.parse(String(data))));
  socket.on("open", () => {
    for (const data of frames) socket.send(data);
    socket.send("");
  });
  const [code, reason]: unknown[] = await once(socket, "close");
  return { messages, code: Number(code), reason: String(reason) };
}

/** The HTTP answer to a handshake that is refused. */
async function refused(socket: WebSocket): Promise<{ status: number; body: { message: string } }> {
  const [, response] = await once(socket, "unexpected-response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, body: JSON.parse(text) };
}

describe("WebSocket", () => {
  test("both ways: an answer to each frame, and an end without failure", async () => {
    const { messages, code } = await converse(open(BIDI), [frame("one"), frame("two")]);
    assert.deepEqual(
      messages.map((m) => Object(m).payload),
      [base64("one"), base64("two")],
    );
    assert.equal(code, 1000);
  });

  test("each answer comes before the next frame is sent", async () => {
    const socket = open(BIDI);
    let count = 0;
    socket.on("open", () => socket.send(frame("0")));
    socket.on("message", (data) => {
      assert.equal(Object(JSON.parse(String(data))).payload, base64(String(count)));
      count++;
      socket.send(count < 5 ? frame(String(count)) : "");
    });
    const [code] = await once(socket, "close");
    assert.deepEqual([code, count], [1000, 5]);
  });

  test("a stream of requests has one answer", async () => {
    const { messages, code } = await converse(open("/test/v1/client-stream"), [frame("one"), frame("two")]);
    assert.equal(code, 1000);
    assert.equal(messages.length, 1);
    assert.equal(Object(messages[0]).requestCount, "2");
  });

  test("a stream of answers, asked for by the first frame or by the query", async () => {
    const asked = { behavior: { responseCount: 3 } };
    const byFrame = await converse(open("/test/v1/server-stream"), [frame("x", asked)]);
    assert.deepEqual([byFrame.code, byFrame.messages.length], [1000, 3], byFrame.reason);
    const byQuery = await converse(open("/test/v1/server-stream?behavior.response_count=2"), []);
    assert.deepEqual([byQuery.code, byQuery.messages.length], [1000, 2], byQuery.reason);
    const withFields = await converse(open("/test/v1/server-stream?$fields=index"), [frame("x", asked)]);
    assert.deepEqual([withFields.code, withFields.messages], [1000, [{}, { index: 1 }, { index: 2 }]]);
  });

  test("what path and query say whole is answered without a frame", async () => {
    const socket = open("/test/v1/server-stream?behavior.response_count=2");
    let count = 0;
    socket.on("message", () => count++);
    const [code] = await once(socket, "close");
    assert.deepEqual([code, count], [1000, 2]);
  });

  const UNREAD: readonly [name: string, path: string, frames: number, message: RegExp][] = [
    [
      "a second message for a method that takes one",
      "/test/v1/server-stream",
      2,
      /^frame 2: .* takes one message$/,
    ],
    [
      "a message where the rule takes no body",
      "/test/v1/server-stream?behavior.interval=60s&behavior.response_count=2",
      1,
      /^frame 1: .* its rule takes no body/,
    ],
  ];
  for (const [name, path, frames, message] of UNREAD) {
    test(`${name} is refused, and not passed over`, async () => {
      const asked = { behavior: { interval: "60s", responseCount: 2 } };
      const ended = await converse(open(path), new Array(frames).fill(frame("x", asked)));
      assert.deepEqual([ended.code, message.test(ended.reason)], [4003, true], ended.reason);
    });
  }

  test("another version of the protocol is 426, with the one that there is", async () => {
    const socket = new WebSocket(`ws://${hub.address}${BIDI}`, {
      protocolVersion: 8,
      headers: { "x-api-key": "secret-key" },
    });
    socket.on("error", () => {});
    const [, response] = await once(socket, "unexpected-response");
    response.resume();
    assert.deepEqual([response.statusCode, response.headers["sec-websocket-version"]], [426, "13"]);
  });

  test("a query that is wrong is an answer to the handshake", async () => {
    for (const path of [BIDI, "/test/v1/server-stream"]) {
      const { status, body } = await refused(open(`${path}?nope=1`));
      assert.equal(status, 400);
      assert.match(body.message, /^query parameter 'nope': /);
    }
  });

  const bytes = bytesAt(0, 3_000);
  const sha256 = createHash("sha256").update(bytes).update(bytes).digest("hex");
  const UPLOADS: readonly [
    name: string,
    path: string,
    frames: readonly (string | Buffer)[],
    answer: object,
  ][] = [
    [
      "bytes into a field, with what the path says",
      "/test/v1/files/a",
      [bytes, bytes],
      { name: "a", messageCount: "2", byteCount: "6000", sha256 },
    ],
    ["bytes that are the message", "/test/v1/bodies", [bytes], { messageCount: "1", byteCount: "3000" }],
    ["text", "/test/v1/bodies", ["{", "plain"], { messageCount: "2", byteCount: "6" }],
    [
      "frames without a byte",
      "/test/v1/bodies",
      [Buffer.alloc(0), bytes, Buffer.alloc(0)],
      { messageCount: "3", byteCount: "3000" },
    ],
    ["nothing, which is one empty message", "/test/v1/bodies", [], { messageCount: "1" }],
  ];
  for (const [name, path, frames, answer] of UPLOADS) {
    test(`an upload, a message per frame: ${name}`, async () => {
      const socket = open(path, { "x-api-key": "secret-key", "content-type": "a/b" });
      const { code, reason, messages } = await converse(socket, frames);
      assert.deepEqual([code, reason], [1000, ""]);
      assert.deepEqual(messages, [{ contentType: "a/b", ...answer }]);
    });
  }

  test("methods without a rule of their own, at their gRPC path", async () => {
    const { messages, code } = await converse(open("/test.v1.BehaviorService/BidiStream"), [frame("one")]);
    assert.deepEqual([messages.length, code], [1, 1000]);
  });

  for (const type of ["application/octet-stream", "image/png", "application/json", "application/x-ndjson"]) {
    test(`a download is binary frames: ${type}`, async () => {
      const path = `/test/v1/files/x?bytes=100000&piece_bytes=30000&content_type=${type}`;
      const { messages, code } = await converse(open(path, { "x-api-key": "secret-key" }), []);
      assert.equal(code, 1000);
      const bytes = Buffer.concat(messages.map((m) => (Buffer.isBuffer(m) ? m : Buffer.alloc(0))));
      assert.ok(bytes.equals(bytesAt(0, 100_000)));
    });
  }

  const FAILURES: readonly [name: string, frames: readonly string[], code: number, reason: RegExp][] = [
    [
      "before the first answer",
      [frame("", { behavior: { refuse: { code: 7, message: "no: é" } } })],
      4007,
      /^no: é$/,
    ],
    ["after answers", [frame("", { behavior: { fail: { code: 5, message: "gone" } } })], 4005, /^gone$/],
    ["because a frame is no JSON", ["{"], 4003, /^frame 1: the body is not valid JSON/],
    ["because a frame does not fit", [frame("one"), '{"payload":1}'], 4003, /^frame 2: \$\.payload/],
    [
      "with a reason that is cut where characters end",
      [frame("", { behavior: { refuse: { code: 7, message: "é".repeat(100) } } })],
      4007,
      /^é{61}$/,
    ],
  ];
  for (const [name, frames, code, reason] of FAILURES) {
    test(`a call that fails ${name}: a last frame with the status, and its code`, async () => {
      const ended = await converse(open(BIDI), frames);
      assert.equal(ended.code, code, ended.reason);
      assert.match(ended.reason, reason);
      assert.equal(Object(ended.messages.at(-1)).error.code, code - 4000);
    });
  }

  test("a client that closes cancels the call at once", async () => {
    const socket = open(BIDI, { "x-call-id": "ws-leaves" });
    await once(socket, "open");
    socket.send(frame("one"));
    await behavior.program.stdout.waitFor(/^began bidiStream ws-leaves$/);
    socket.close();
    await behavior.program.stdout.waitFor(/^cancelled bidiStream ws-leaves$/);
  });

  test("a frame after the end of the request is refused", async () => {
    const socket = open(BIDI);
    await once(socket, "open");
    socket.send("");
    socket.send(frame("late"));
    const [code] = await once(socket, "close");
    assert.ok(code === 1008 || code === 1000, String(code));
  });

  test("a frame over the limit closes with 1009, and the next connection works", async () => {
    const socket = open(BIDI);
    await once(socket, "open");
    socket.send(`"${"x".repeat(9 * 1024 * 1024)}"`);
    const [code] = await once(socket, "close");
    assert.equal(code, 1009);
    assert.equal((await converse(open(BIDI), [])).code, 1000);
  });
});

describe("a WebSocket that is refused gets an HTTP answer", () => {
  const KEY = { "x-api-key": "secret-key" };
  const CASES: readonly [path: string, headers: Record<string, string>, status: number, message: RegExp][] = [
    ["/nowhere", KEY, 404, /no route/],
    ["/test/v1/unary", KEY, 400, /is not streaming/],
    [`${BIDI}?$alt=xml`, KEY, 400, /frames of a WebSocket are JSON/],
    ["/test/v1/files/x", {}, 401, /./],
    [
      BIDI,
      { ...KEY, origin: "https://evil.example" },
      403,
      /https:\/\/evil\.example .* http\.webSocket\.origins/,
    ],
    [BIDI, { ...KEY, origin: "null" }, 403, /null/],
  ];
  for (const [path, headers, status, message] of CASES) {
    test(`${path} ${JSON.stringify(headers)}: ${status}`, async () => {
      const answer = await refused(open(path, headers));
      assert.equal(answer.status, status);
      assert.match(answer.body.message, message);
    });
  }

  for (const origin of ["https://app.example", `http://${hub.address}`]) {
    test(`a page of ${origin} may`, async () => {
      const { code } = await converse(open(BIDI, { origin, ...KEY }), [frame("one")]);
      assert.equal(code, 1000);
    });
  }

  test("where they are switched off", async () => {
    const off = await startHubWithConfig(scope, `${upstreams}\nhttp: { webSocket: false }\n`);
    const answer = await refused(open(BIDI, {}, off.address));
    assert.equal(answer.status, 400);
    assert.match(answer.body.message, /switched off/);
  });
});
