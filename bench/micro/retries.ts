// What does a policy cost a call that is answered at once, and what a retry? Microseconds of CPU for each call, the service
// in the same process included, so that differences count: `node build/bench/micro/retries.js`
import { Call } from "#src/call/call.js";
import { frameMessage } from "#src/call/messages.js";
import type { Handler, Sink } from "#src/call/sink.js";
import { Connection } from "#src/http2/connection.js";
import type { Stream } from "#src/http2/stream.js";
import { type Clock, systemClock } from "#src/kit/clock.js";
import { Headers } from "#src/kit/headers.js";
import { duplexPair } from "#src/kit/net/duplex-pair.js";
import { Cluster } from "#src/upstream/cluster.js";
import { DEFAULT_RETRIES, type RetryPolicy } from "#src/upstream/retry/policy/policy.js";
import { retrying } from "#src/upstream/retry/retrying.js";
import { UpstreamRetries } from "#src/upstream/retry/upstream-retries.js";

const ROUNDS = 15;
const CALLS_PER_ROUND = 4_000;
const CALLS_AT_ONCE = 16;

function answer(stream: Stream, fails: boolean): void {
  if (!stream.beginHeaders()) return;
  stream.header(":status", "200", false);
  stream.header("content-type", "application/grpc", false);
  if (fails) {
    stream.header("grpc-status", "14", false);
    stream.endHeaders(true);
    return;
  }
  stream.endHeaders(false);
  stream.sendData(REPLY, 0, REPLY.length, false);
  stream.sendTrailers([{ name: "grpc-status", value: "0", sensitive: false }]);
}

const REPLY = frameMessage(Buffer.from("reply"));
const REQUEST = frameMessage(Buffer.from("request"));
/** Every first attempt does. */
let failing = false;

function dial() {
  const [near, far] = duplexPair();
  new Connection(
    far,
    { role: "server" },
    {
      onStream(stream, block) {
        const fails = failing && !block.fields.some(({ name }) => name === "grpc-previous-rpc-attempts");
        stream.handler = {
          onHeaders() {},
          onTrailers() {},
          onReset() {},
          onSent() {},
          onData: (_stream, _chunk, start, end, last) => {
            stream.consumed(end - start);
            if (last) answer(stream, fails);
          },
        };
      },
      onReady() {},
      onClose() {},
    },
  );
  return near;
}

/** No backoff is waited for: what it costs is asked, not how long it takes. */
const clock: Clock = {
  ...systemClock,
  setTimeout(callback, ms) {
    if (ms > 2000 || ms < 1) return systemClock.setTimeout(callback, ms);
    const timer = setImmediate(callback);
    return { cancel: () => clearImmediate(timer) };
  },
};

const method = {
  service: "bench.v1.EchoService",
  name: "Echo",
  path: "/bench.v1.EchoService/Echo",
  kind: "unary",
  idempotent: true,
  descriptor: undefined,
} as const;
const headers = Headers.of(["content-type", "application/grpc"]);
const peer = { address: "127.0.0.1:1", protocol: "grpc" } as const;

function call(handler: Handler): Promise<void> {
  return new Promise((resolve, reject) => {
    const response: Sink = {
      open() {},
      headers(_headers, end) {
        if (end) reject(new Error("the service failed"));
      },
      data() {},
      trailers: () => resolve(),
      abort: ({ status }) => reject(new Error(status.message)),
    };
    const made = new Call(method, method.path, "bench", peer, new Headers(headers.fields), clock.now());
    const request = handler(made, response);
    request.data(REQUEST, 0, REQUEST.length, true);
  });
}

async function round(handler: Handler): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < CALLS_PER_ROUND; i += CALLS_AT_ONCE)
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, () => call(handler)));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS_PER_ROUND;
}

const cluster = new Cluster({ name: "bench", endpoints: [{ address: "in-memory", dial }], clock });
cluster.connect();
while (cluster.endpoints[0]?.state !== "ready") await new Promise((resolve) => setImmediate(resolve));
const retries = new UpstreamRetries("bench", clock);
const by = (changes: Partial<RetryPolicy>) =>
  retrying({ cluster, retries, policy: { ...DEFAULT_RETRIES, budget: undefined, ...changes } });
const rows: readonly (readonly [what: string, handler: Handler, fails: boolean])[] = [
  ["without a policy", cluster.handler, false],
  ["retries, answered at once", by({ budget: DEFAULT_RETRIES.budget }), false],
  ["hedging, answered before the delay", by({ hedgeDelayMs: 5000 }), false],
  ["retries, the first attempt fails", by({}), true],
];
const best = new Map<string, number>();
// In turns, so that what else the machine does meets all of them.
for (let i = 0; i < ROUNDS; i++)
  for (const [what, handler, fails] of rows) {
    failing = fails;
    const us = await round(handler);
    best.set(what, Math.min(best.get(what) ?? Number.POSITIVE_INFINITY, us));
  }
for (const [what, us] of best) console.log(`${us.toFixed(1).padStart(6)} µs  ${what}`);
cluster.close();
