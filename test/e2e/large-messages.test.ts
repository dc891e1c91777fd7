// Large JSON through the hub: while it is translated, nobody else's call waits for it; and a burst of it is bounded.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { dirname } from "node:path";
import { after, describe, test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { compileProtos } from "../transcoding/support/schema.js";
import { fileOf, type Hub, startHubWithConfig } from "./support/hub.js";
import { peakResidentBytes, residentBytes } from "./support/memory.js";

const MIB = 1024 * 1024;
const PROTO = `syntax = "proto3"; package forest.v1;
  message Leaf { string name = 1; int64 size = 2; map<string, string> labels = 3; }
  message Tree { string name = 1; repeated Leaf leaves = 2; }
  service Forest { rpc Echo(Tree) returns (Tree); rpc Plant(Tree) returns (Leaf); }
`;
const scope = { after };

/** Echo gives each message back in its bytes, Plant an empty one: nothing is decoded here. */
async function startEcho(): Promise<string> {
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  const same = (bytes: Buffer): Buffer => bytes;
  const definition = (name: string) => ({
    path: `/forest.v1.Forest/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  });
  type Answer = (error: null, bytes: Buffer) => void;
  server.addService(
    { Echo: definition("Echo"), Plant: definition("Plant") },
    {
      Echo: (call: { request: Buffer }, answer: Answer) => answer(null, call.request),
      Plant: (_call: unknown, answer: Answer) => answer(null, Buffer.alloc(0)),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  scope.after(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

const protos = await fileOf(scope, "forest.proto", PROTO);
const echo = await startEcho();
const hubOf = (): Promise<Hub> =>
  startHubWithConfig(
    scope,
    `
upstreams: { forest: { endpoints: ["${echo}"], schema: { protos: ["${dirname(protos)}"] } } }
http:
  rules: [{ selector: forest.v1.Forest.Echo, post: "/v1/trees/{name}", body: "*" }]
limits: { maxMessage: 8MiB }
`,
  );

const LEAF = { name: "a leaf “of” the tree", size: "12345678901", labels: { colour: "green" } };
const LEAVES = Array.from({ length: Math.floor((4 * MIB) / JSON.stringify(LEAF).length) }, () => LEAF);
/** As many small calls may wait for other reasons: collections of garbage, other programs. */
const LARGE_CALLS = 10;
/** The best of so many counts. */
const ROUNDS = 4;
/** Of a hundred bodies that arrive at the same time, the bodies themselves and half as much again. */
const MAX_BURST_GROWTH_BYTES = 600 * MIB;
const BODY = Buffer.from(JSON.stringify({ leaves: LEAVES }));

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

function post(hub: Hub, agent: Agent, path: string, body: Buffer | string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      // As long as a slow machine needs for all that come at once.
      "x-request-timeout": "200",
    };
    const sent = request(`http://${hub.address}${path}`, { method: "POST", agent, headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(pieces) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** What the hub's loop would stand still for, here and now: one body read with what its path says, one answer printed. */
function onLoopMs(): { readonly read: number; readonly print: number } {
  const registry = compileProtos({ "forest.proto": PROTO });
  const codec = new Codecs(registry).of(registry.getMessage("forest.v1.Tree") ?? assert.fail());
  const best = { read: Number.POSITIVE_INFINITY, print: Number.POSITIVE_INFINITY };
  for (let i = 0; i < 4; i++) {
    const t0 = performance.now();
    // As where the path's name stands beside it: the text is parsed, then encoded.
    const bytes = codec.encode({ ...JSON.parse(BODY.toString("utf8")), name: "oak" });
    const t1 = performance.now();
    if (!(bytes instanceof Uint8Array)) assert.fail(bytes.problem);
    codec.decode(bytes);
    best.read = Math.min(best.read, t1 - t0);
    best.print = Math.min(best.print, performance.now() - t1);
  }
  return best;
}

/** What small calls waited while large ones went, in ms, the longest first. */
async function waitsBesideLarge(hub: Hub, large: Agent, small: Agent): Promise<number[]> {
  let running = true;
  const posting = (async () => {
    for (let i = 0; i < LARGE_CALLS; i++)
      assert.equal((await post(hub, large, "/v1/trees/oak", BODY)).status, 200);
  })().finally(() => {
    running = false;
  });
  const waits: number[] = [];
  while (running) {
    const begun = performance.now();
    const { status } = await post(hub, small, "/v1/trees/oak", "{}");
    assert.equal(status, 200);
    waits.push(performance.now() - begun);
  }
  await posting;
  return waits.sort((a, b) => b - a);
}

/** Since the hub's start, which has stalls of its own. */
async function longestLagMs(hub: Hub): Promise<string> {
  const text = await (await fetch(`${hub.adminUrl}/metrics`)).text();
  const seconds = /^nodejs_eventloop_delay_max_seconds (\S+)$/m.exec(text)?.[1];
  return (Number(seconds) * 1000).toFixed(0);
}

describe("large messages in JSON", () => {
  test("4 MiB both ways in a row: small calls on another connection do not wait for them", async (t) => {
    const hub = await hubOf();
    const large = new Agent({ keepAlive: true });
    const small = new Agent({ keepAlive: true });
    const expected = `{"name":"oak","leaves":${JSON.stringify(LEAVES)}}`;
    for (let i = 0; i < 3; i++) {
      const { status, body } = await post(hub, large, "/v1/trees/oak", BODY);
      assert.equal(status, 200, body.toString("utf8", 0, 300));
      assert.ok(body.equals(Buffer.from(expected)), "the tree comes back");
      await post(hub, small, "/v1/trees/oak", "{}");
    }
    const onLoop = onLoopMs();
    // On the loop each large call holds a small one for its body, and one for its answer, however quiet the machine is;
    // a busy machine can hold up anything now and then.
    const bound = (onLoop.read + onLoop.print) / 2;
    t.diagnostic(
      `on the loop a body takes ${onLoop.read.toFixed(1)} ms, an answer ${onLoop.print.toFixed(1)} ms`,
    );
    let tenth = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && tenth >= bound; round++) {
      const waits = await waitsBesideLarge(hub, large, small);
      tenth = waits[LARGE_CALLS - 1] ?? 0;
      const [longest = 0, median = 0] = [waits[0], waits[waits.length >> 1]];
      t.diagnostic(
        `${waits.length} small calls: median ${median.toFixed(1)} ms, the longest ${longest.toFixed(1)} ms, ` +
          `the ${LARGE_CALLS}th longest ${tenth.toFixed(1)} ms; the hub's loop lagged ${await longestLagMs(hub)} ms at most`,
      );
    }
    large.destroy();
    small.destroy();
    assert.ok(
      tenth < bound,
      `in ${ROUNDS} rounds ${LARGE_CALLS} small calls waited for ${bound} ms and more`,
    );
  });

  test("a hundred at once: each is answered, or refused with 503 and when to try again", async (t) => {
    const hub = await hubOf();
    const agent = new Agent({ keepAlive: true });
    await post(hub, agent, "/forest.v1.Forest/Plant", BODY);
    const before = residentBytes(hub.program.pid);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => post(hub, agent, "/forest.v1.Forest/Plant", BODY)),
    );
    const growth = peakResidentBytes(hub.program.pid) - before;
    const good = answers.filter(({ status }) => status === 200);
    t.diagnostic(`${good.length} of 100 answered; the hub grew by ${(growth / MIB).toFixed(0)} MiB`);
    for (const { status, body } of answers) {
      if (status === 200) assert.equal(String(body), "{}");
      else {
        assert.equal(status, 503, body.toString("utf8", 0, 300));
        // The threads have too much before them, or the service is slower than they are.
        assert.match(body.toString(), /"reason":"(?:TRANSLATION|UPSTREAM)_OVERLOADED"/);
        assert.match(body.toString(), /"retryDelay":"\d+s"/);
      }
    }
    assert.ok(growth < MAX_BURST_GROWTH_BYTES, `the hub grew by ${growth / MIB} MiB`);
    assert.ok(good.length >= 20, `${good.length} answered`);
    assert.equal((await post(hub, agent, "/forest.v1.Forest/Plant", BODY)).status, 200);
    agent.destroy();
  });
});
