// An interceptor that sees messages, in a hub with real clients: gRPC of every kind, packed and not, JSON, WebSocket.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import {
  BehaviorServiceService,
  BidiStreamRequest,
  BidiStreamResponse,
  ClientStreamRequest,
  ClientStreamResponse,
  ServerStreamRequest,
  ServerStreamResponse,
  UnaryRequest,
  UnaryResponse,
} from "#generated/test/v1/behavior.js";
import { CallKey, Code, createHub, type Interceptor, Status } from "#src/index.js";
import { behavior } from "#src/samples/echo/behavior.js";
import {
  behaviorClient,
  callBidiStream,
  callClientStream,
  callServerStream,
  callUnary,
} from "./support/grpc.js";
import { http } from "./support/http.js";

const scope = { after };
const IMAGE = readFileSync(fileURLToPath(new URL("../../../generated/image.binpb", import.meta.url)));
const MAX_MESSAGE = 512 * 1024;

const TYPES = {
  Unary: [UnaryRequest, UnaryResponse],
  ServerStream: [ServerStreamRequest, ServerStreamResponse],
  ClientStream: [ClientStreamRequest, ClientStreamResponse],
  BidiStream: [BidiStreamRequest, BidiStreamResponse],
} as const;

const isKnown = (name: string): name is keyof typeof TYPES => Object.hasOwn(TYPES, name);

/** Bytes of the payloads of one call, and where a request ended. */
const SEEN = new CallKey<string[]>("seen");
let last: string[] = [];

const textOf = (payload: Buffer): string =>
  payload.length > 20 ? String(payload.length) : payload.toString("latin1");

/** Takes down every payload, and refuses some; waits for those that say so. */
const rules: Interceptor = {
  name: "rules",
  plan(method) {
    if (!isKnown(method.name)) return undefined;
    const [Request, Response] = TYPES[method.name];
    return {
      name: "rules",
      start(call) {
        last = [];
        SEEN.set(call, last);
        return undefined;
      },
      messages: {
        request(call, message) {
          const text = textOf(Request.decode(message).payload);
          SEEN.get(call)?.push(`> ${text}`);
          const verdict = text === "bad" ? new Status(Code.FAILED_PRECONDITION, "a bad word") : undefined;
          return text === "wait" ? new Promise((resolve) => setImmediate(resolve, verdict)) : verdict;
        },
        requestEnd: (call, count) => void SEEN.get(call)?.push(`> ${count} in all`),
        async response(call, message) {
          const text = textOf(Response.decode(message).payload);
          SEEN.get(call)?.push(`< ${text}`);
          return text === "secret" ? new Status(Code.PERMISSION_DENIED, "not for you") : undefined;
        },
      },
    };
  },
};

const hub = await createHub({
  listen: "127.0.0.1:0",
  log: false,
  limits: { maxMessage: "512KiB" },
  services: [
    { definition: BehaviorServiceService, implementation: behavior("embedded"), descriptors: IMAGE },
  ],
  use: [rules],
});
after(() => hub.close());

const payload = (text: string): { payload: Buffer } => ({ payload: Buffer.from(text) });
const large = Buffer.alloc(400_000, "a");

for (const packed of [false, true]) {
  describe(`gRPC${packed ? ", packed" : ""}`, () => {
    const client = behaviorClient(scope, hub.address, {
      ...(packed ? { "grpc.default_compression_algorithm": 2 } : {}),
    });

    test("every kind of method", async () => {
      const unary = await callUnary(client, payload("hi"));
      assert.equal(unary.code, 0, unary.details);
      assert.deepEqual(last, ["> hi", "> 1 in all", "< hi"]);
      const server = await callServerStream(client, { ...payload("wait"), behavior: { responseCount: 2 } });
      assert.equal(server.messages.length, 2, server.details);
      assert.deepEqual(last, ["> wait", "> 1 in all", "< wait", "< wait"]);
      const many = await callClientStream(client, ["a", "wait", "c"].map(payload));
      assert.equal(many.messages[0]?.requestCount, 3n, many.details);
      assert.deepEqual(last.slice(0, 4), ["> a", "> wait", "> c", "> 3 in all"]);
      const both = await callBidiStream(client, ["a", "wait"].map(payload));
      assert.deepEqual(
        both.messages.map((m) => String(m.payload)),
        ["a", "wait"],
        both.details,
      );
    });

    test("messages larger than a window", async () => {
      const unary = await callUnary(client, { payload: large });
      assert.equal(unary.messages[0]?.payload.length, large.length, unary.details);
      const both = await callBidiStream(client, [{ payload: large }, { payload: large }, payload("x")]);
      assert.deepEqual(
        both.messages.map((m) => m.payload.length),
        [large.length, large.length, 1],
      );
    });

    test("a message over limits.maxMessage", async () => {
      const sent = await callUnary(client, { payload: Buffer.alloc(MAX_MESSAGE + 1) });
      assert.equal(sent.code, Code.RESOURCE_EXHAUSTED, sent.details);
      assert.match(sent.details, /larger than the limit of 524288 bytes/);
      const got = await callUnary(client, { behavior: { responseBytes: MAX_MESSAGE + 1 } });
      assert.equal(got.code, Code.RESOURCE_EXHAUSTED, got.details);
      assert.match(got.details, /larger than the limit of 524288 bytes/);
    });

    test("refusals at the beginning and in mid-stream, of either side", async () => {
      const unary = await callUnary(client, payload("bad"));
      assert.deepEqual([unary.code, unary.details], [Code.FAILED_PRECONDITION, "a bad word"]);
      const answer = await callUnary(client, payload("secret"));
      assert.deepEqual([answer.code, answer.details], [Code.PERMISSION_DENIED, "not for you"]);
      const both = await callBidiStream(client, ["a", "bad", "c"].map(payload));
      assert.deepEqual([both.code, both.details], [Code.FAILED_PRECONDITION, "a bad word"]);
      const second = await callBidiStream(client, ["a", "secret"].map(payload));
      assert.deepEqual(
        second.messages.map((m) => String(m.payload)),
        ["a"],
      );
      assert.deepEqual([second.code, second.details], [Code.PERMISSION_DENIED, "not for you"]);
      // The connection and the service are as good as before.
      assert.equal((await callUnary(client, payload("hi"))).code, 0);
    });
  });
}

const json = (text: string): string => JSON.stringify({ payload: Buffer.from(text).toString("base64") });

for (const version of ["1.1", "2"] as const) {
  test(`JSON over HTTP/${version}`, async () => {
    const good = await http(version, hub.address, "/test/v1/unary", { body: json("hi") });
    assert.equal(good.status, 200, good.text);
    assert.deepEqual(last, ["> hi", "> 1 in all", "< hi"]);
    const bad = await http(version, hub.address, "/test/v1/unary", { body: json("bad") });
    assert.equal(bad.status, 400, bad.text);
    assert.match(bad.text, /a bad word/);
    const secret = await http(version, hub.address, "/test/v1/unary", { body: json("secret") });
    assert.equal(secret.status, 403, secret.text);
    const stream = await http(version, hub.address, "/test/v1/bidi-stream", {
      body: `${json("a")}\n${json("wait")}\n`,
      headers: { "content-type": "application/x-ndjson", accept: "application/x-ndjson" },
    });
    assert.equal(stream.status, 200, stream.text);
    assert.equal(stream.text.trim().split("\n").length, 2, stream.text);
  });
}

test("WebSocket", async () => {
  const socket = new WebSocket(`ws://${hub.address}/test/v1/bidi-stream`);
  const got: string[] = [];
  socket.on("message", (data) => {
    const { payload } = JSON.parse(String(data));
    if (payload === undefined) return; // the status, before the close
    got.push(String(payload));
    socket.send(json("bad"));
  });
  socket.on("open", () => socket.send(json("a")));
  const [, reason]: unknown[] = await once(socket, "close");
  assert.deepEqual(got, [Buffer.from("a").toString("base64")]);
  assert.match(String(reason), /a bad word/);
});

test("invalid steps and verdicts", async () => {
  const step = (messages: object): Interceptor => ({
    name: "odd",
    plan: () => Object.assign({ name: "odd" }, { messages }),
  });
  const options = { listen: "127.0.0.1:0", log: false } as const;
  const services = [
    { definition: BehaviorServiceService, implementation: behavior("embedded"), descriptors: IMAGE },
  ];
  for (const [messages, says] of [
    [
      { requests() {} },
      /messages of a step must have some of request, requestEnd, response \(did you mean request/,
    ],
    [{ request: true }, /messages of a step have request, which must be a function, not a boolean$/],
  ] as const) {
    await assert.rejects(createHub({ ...options, services, use: [step(messages)] }), says);
  }
  for (const verdict of [false, new Status(Code.OK, "fine"), Promise.resolve("yes")]) {
    const odd = await createHub({ ...options, services, use: [step({ request: () => verdict })] });
    const outcome = await callUnary(behaviorClient({ after }, odd.address), payload("hi"));
    await odd.close();
    assert.deepEqual([outcome.code, /interceptor "odd" failed/.test(outcome.details)], [Code.INTERNAL, true]);
  }
});
