// A whole hub, over real sockets: what clients say, changed and cut up; the same, unchanged, split at every offset; and
// HTTP requests of every kind against the JSON side. A service stands behind it.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { logVerbosity, setLogVerbosity, status } from "@grpc/grpc-js";
import { createHub, type Hub } from "#src/index.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { behaviorClient, callUnary } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import { serveBehavior } from "../e2e/support/service.js";
import { until } from "../support/until.js";
import { mutated, pieces } from "./mutate.js";
import { Random } from "./random.js";
import type { Running, Target } from "./target.js";
import { type Conversation, conversations } from "./traffic.js";

/** How long a hub may take to let go of a connection whose client has left. */
const CLOSE_MS = 10_000;

export interface HubUnderTest {
  readonly address: string;
  readonly traffic: readonly Conversation[];
  /** What the hub said was wrong with itself. */
  readonly faults: readonly string[];
  /** An honest call of each kind works, and nothing is left of those that came before. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

/** A hub in this process, in front of the behavior service. */
export async function startHubUnderTest(): Promise<HubUnderTest> {
  // The service's library tells of each field that is no metadata.
  setLogVerbosity(logVerbosity.NONE);
  const endings: (() => Promise<void>)[] = [];
  const scope = { after: (ending: () => Promise<void>) => void endings.push(ending) };
  const service = await serveBehavior(scope, behavior(""));
  const faults: string[] = [];
  const hub: Hub = await createHub({
    listen: "127.0.0.1:0",
    admin: "127.0.0.1:0",
    upstreams: { behavior: { endpoints: [service.address] } },
    // A call that was told to wait must not outlive its input by much.
    interceptors: { deadline: { default: "2s", max: "2s" } },
    log: { info() {}, warn() {}, error: (message) => void faults.push(message) },
  });
  endings.push(() => hub.close());
  const traffic = await conversations(hub.address);
  const client = behaviorClient(scope, hub.address);
  return {
    address: hub.address,
    traffic,
    faults,
    async check() {
      const outcome = await callUnary(client, { payload: Buffer.from("honest") });
      assert.equal(outcome.code, status.OK, outcome.details);
      const answer = await http("1.1", hub.address, "/test/v1/unary", { body: '{"payload": "aGVsbG8="}' });
      assert.equal(answer.status, 200);
      assert.deepEqual(faults, []);
    },
    async stop() {
      // Every call has come to an end, and every connection but the honest client's has been let go.
      const metrics = async (): Promise<string> => (await fetch(`${hub.adminUrl}/metrics`)).text();
      const limit = performance.now() + CLOSE_MS;
      let left = "?";
      while (left !== "" && performance.now() < limit) {
        left =
          (await metrics())
            .match(/^linchpin_(?:calls_active|http2_waiting_bytes)(?:\{.*\})? (?!0$).*$/gm)
            ?.join("; ") ?? "";
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      for (const ending of endings.reverse()) await ending();
      assert.equal(left, "", "calls that never ended");
    },
  };
}

/** Resolves once the hub has let go of the connection; rejects when it does not. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the hub did not close the connection")), CLOSE_MS);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function open(address: string): Socket {
  const [host = "", port = "0"] = address.split(":");
  const socket = connect({ port: Number(port), host, noDelay: true });
  socket.on("error", () => {});
  return socket;
}

const MAX_TURNS = 100;

export const listener: Target = {
  name: "hub's listener, traffic changed",
  parallel: 16,
  share: 3,
  async start(): Promise<Running> {
    const hub = await startHubUnderTest();
    const recordings = hub.traffic.map(({ client }) => client);
    return {
      async one(seed) {
        const random = new Random(seed);
        const socket = open(hub.address);
        const over = closed(socket);
        socket.resume();
        let left = MAX_TURNS;
        for (const piece of pieces(mutated(recordings, random), random)) {
          socket.write(piece);
          if (left-- > 0) await new Promise((resolve) => setImmediate(resolve));
        }
        // Some leave at once, some read a while.
        if (random.chance(50)) await new Promise((resolve) => setTimeout(resolve, 3));
        socket.end();
        await over;
      },
      check: () => hub.check(),
      stop: () => hub.stop(),
    };
  },
};

/** What a client is answered, as far as it does not depend on time: statuses, and how each stream ended. */
function summary(name: string, said: Buffer): string {
  if (/grpc|http2/.test(name)) {
    const streams = new Map<number, string>();
    for (let at = 0; at + 9 <= said.length; at += 9 + said.readUIntBE(at, 3)) {
      const [type = 0, flags = 0] = said.subarray(at + 3, at + 5);
      const id = said.readUInt32BE(at + 5);
      if (type === 3) streams.set(id, "reset");
      else if (type <= 1 && (flags & 1) !== 0) streams.set(id, "ended");
      else if (type === 7) streams.set(0, `GOAWAY ${said.readUInt32BE(at + 13)}`);
    }
    return JSON.stringify([...streams].sort(([a], [b]) => a - b));
  }
  return JSON.stringify(said.toString("latin1").match(/HTTP\/1\.1 \d+/g));
}

export const splits: Target = {
  name: "hub's listener, split at every offset",
  parallel: 16,
  share: 1,
  async start(): Promise<Running> {
    const hub = await startHubUnderTest();
    const talks = hub.traffic.map(({ name, client, hub: said }) => ({
      name,
      client,
      expected: summary(name, said),
    }));
    return {
      async one(seed) {
        const talk = talks[seed % talks.length];
        assert.ok(talk !== undefined);
        const at = Math.floor(seed / talks.length) % talk.client.length;
        const socket = open(hub.address);
        const over = closed(socket);
        const said: Buffer[] = [];
        socket.on("data", (chunk: Buffer) => said.push(chunk));
        socket.write(talk.client.subarray(0, at));
        await new Promise((resolve) => setTimeout(resolve, 1));
        socket.write(talk.client.subarray(at));
        const answer = (): string => summary(talk.name, Buffer.concat(said));
        await until(() => answer() === talk.expected || socket.destroyed, "the whole answer", CLOSE_MS).catch(
          () => {},
        );
        assert.equal(answer(), talk.expected, `${talk.name}, split at ${at}`);
        socket.end();
        await over;
      },
      check: () => hub.check(),
      stop: () => hub.stop(),
    };
  },
};

const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "get", "*"];
const SEGMENTS = [
  "test",
  "v1",
  "unary",
  "server-stream",
  "client-stream",
  "bidi-stream",
  "",
  ".",
  "..",
  "%2F",
  "%00",
  "%",
  "%zz",
  "ü",
  ":verb",
  "a:b",
  "*",
  "a b",
];
const KEYS = [
  "payload",
  "behavior.delay",
  "behavior.responseBytes",
  "behavior.response_count",
  "behavior.refuse.code",
  "behavior",
  "no_such",
  "",
  "a.b.c.d",
  "%70ayload",
  "x[]",
  "__proto__",
  "constructor",
];
const VALUES = [
  "",
  "aGVsbG8=",
  "!!!",
  "1",
  "-1",
  "1e9",
  "99999999999999999999",
  "0.001s",
  "x",
  "%",
  "%ff",
  "null",
  "true",
  "{}",
  "\u0000",
];
const TYPES = [
  "application/json",
  "application/json; charset=utf-8",
  "application/json; charset=latin1",
  "text/plain",
  "application/grpc+json",
  "multipart/form-data",
  "",
  "/",
  "application/x-ndjson",
  "application/xml",
  "application/xml",
];
const ACCEPTS = [
  "*/*",
  "application/json",
  "text/event-stream",
  "application/x-ndjson",
  "text/html",
  "",
  ";q=",
  "application/json;q=0",
  "application/xml",
  "text/xml;q=0.5",
];
const BODIES = [
  "{}",
  '{"payload": "aGVsbG8="}',
  '{"payload": 1}',
  '{"behavior": {"responseBytes": 10}}',
  '{"behavior": {"responseBytes": 1e99}}',
  '{"behavior": {"delay": "abc"}}',
  '{"behavior": {"delay": "0.001s", "responseCount": 3}}',
  '{"behavior": null, "payload": null}',
  '{"nope": 1}',
  '{"payload": "aGVsbG8=", "payload": "aGVsbG8="}',
  '{"__proto__": {"a": 1}}',
  `${"[".repeat(2000)}`,
  `${'{"behavior":'.repeat(300)}`,
  "null",
  "[]",
  '"text"',
  "",
  "\ufeff{}",
  '{"payload": "\\ud800"}',
  "{}\n{}\n",
  "<UnaryRequest><payload>aGVsbG8=</payload></UnaryRequest>",
  "<UnaryRequest><behavior><delay>0.001s</delay><responseBytes>10</responseBytes></behavior></UnaryRequest>",
  '<?xml version="1.0"?><UnaryRequest xmlns:a="b"><!-- c --><payload><![CDATA[aGVsbG8=]]>&#65;</payload></UnaryRequest>',
  '<!DOCTYPE x [<!ENTITY a "b">]><UnaryRequest><payload>&a;</payload></UnaryRequest>',
  "<a>".repeat(2000),
];

/** A request, most often one that has a route. */
function requestOf(random: Random): Buffer {
  const verb = random.chance(70) ? random.pick(["GET", "POST"]) : random.pick(VERBS);
  const path = random.chance(70)
    ? `/test/v1/${random.pick(["unary", "server-stream", "client-stream", "bidi-stream"])}`
    : `/${Array.from({ length: random.below(6) }, () => random.pick(SEGMENTS)).join("/")}`;
  const query = random.chance(50)
    ? `?${Array.from({ length: random.below(4) }, () => `${random.pick(KEYS)}=${random.pick(VALUES)}`).join("&")}`
    : "";
  const body = Buffer.from(random.pick(BODIES));
  const changed = random.chance(50) && body.length > 0 ? mutated([body], random) : body;
  const lines = [`${verb} ${path}${query} HTTP/1.1`, "host: fuzz", "connection: close"];
  if (random.chance(80)) lines.push(`content-type: ${random.pick(TYPES)}`);
  if (random.chance(50)) lines.push(`accept: ${random.pick(ACCEPTS)}`);
  if (random.chance(10)) lines.push(`x-request-timeout: ${random.pick(VALUES)}`);
  if (random.chance(10)) lines.push(`grpc-timeout: ${random.pick(VALUES)}`);
  if (random.chance(50)) {
    lines.push("transfer-encoding: chunked");
    const chunk = Buffer.concat([
      Buffer.from(`${changed.length.toString(16)}\r\n`),
      changed,
      Buffer.from("\r\n0\r\n\r\n"),
    ]);
    return Buffer.concat([
      Buffer.from(`${lines.join("\r\n")}\r\n\r\n`),
      changed.length === 0 ? Buffer.from("0\r\n\r\n") : chunk,
    ]);
  }
  lines.push(`content-length: ${changed.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), changed]);
}

/** The hub's own refusals name it; what the service was told to answer is the service's. */
function isHubs(answer: string): boolean {
  return /"domain":"linchpin"|<domain>linchpin</.test(answer) || !/"code":|<code>/.test(answer);
}

export const json: Target = {
  name: "HTTP requests to the JSON side",
  parallel: 16,
  share: 1,
  async start(): Promise<Running> {
    const hub = await startHubUnderTest();
    return {
      async one(seed) {
        const random = new Random(seed);
        const socket = open(hub.address);
        const over = closed(socket);
        let said = "";
        socket.on("data", (chunk: Buffer) => {
          said += chunk.toString("latin1");
        });
        const bytes = requestOf(random);
        let left = MAX_TURNS;
        for (const piece of pieces(bytes, random)) {
          socket.write(piece);
          if (left-- > 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await over;
        const code = Number(/^HTTP\/1\.1 (\d{3})/.exec(said.replace(/^HTTP\/1\.1 100.*\r\n\r\n/, ""))?.[1]);
        assert.ok(code >= 200, `no answer to ${JSON.stringify(bytes.toString("latin1"))}: ${said}`);
        // 501: a method of HTTP that the hub does not know. 504: the deadline that the request itself set.
        if (code >= 500 && code !== 501 && code !== 504 && isHubs(said))
          assert.fail(`${JSON.stringify(bytes.toString("latin1"))} was answered ${said}`);
      },
      check: () => hub.check(),
      stop: () => hub.stop(),
    };
  },
};

/** Recordings for targets that need no hub. */
export async function recordTraffic(): Promise<readonly Conversation[]> {
  const hub = await startHubUnderTest();
  await hub.stop();
  return hub.traffic;
}
