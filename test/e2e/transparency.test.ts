// Whatever a call is like, it ends through the hub as it ends without it: calls of random shapes, both ways.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Metadata, type MetadataValue } from "@grpc/grpc-js";
import fc from "fast-check";
import {
  behaviorClient,
  callBidiStream,
  callClientStream,
  callServerStream,
  callUnary,
  type Outcome,
} from "./support/grpc.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const RUNS = 150;

const scope = { after };
const service = await startService(scope, "behavior", { instance: "one" });
const hub = await startHub(scope, [`behavior=${service.address}`]);
const direct = behaviorClient(scope, service.address);
const through = behaviorClient(scope, hub.address);

const payload = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 16_000, max: 70_000 }).map((bytes) => new Uint8Array(bytes).fill(7)),
  },
);
const name = fc.stringMatching(/^x-(echo|trail)-[a-z0-9_.-]{1,12}$/).filter((key) => !key.endsWith("-bin"));
const entry: fc.Arbitrary<readonly [string, MetadataValue]> = fc.oneof(
  fc.tuple(name, fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/)),
  fc.tuple(
    name.map((key) => `${key}-bin`),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  ),
);
const failure = fc.option(
  fc.record({
    code: fc.integer({ min: 1, max: 16 }),
    message: fc.string({ unit: "grapheme", maxLength: 40 }),
  }),
  { nil: undefined, freq: 3 },
);
const shape = fc.record({
  kind: fc.constantFrom("unary", "serverStream", "clientStream", "bidiStream"),
  payloads: fc.array(payload, { minLength: 1, maxLength: 8 }),
  metadata: fc.array(entry, { maxLength: 6 }),
  responseBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40_000 })),
  responseCount: fc.integer({ min: 0, max: 12 }),
  refuse: failure,
  fail: failure,
  headersFirst: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

function call(
  client: typeof direct,
  { kind, payloads, metadata: entries, ...asked }: Shape,
): Promise<Outcome<unknown>> {
  const metadata = new Metadata();
  for (const [key, value] of entries) metadata.add(key, value);
  const init = { metadata };
  const { refuse, fail, ...rest } = asked;
  const behavior = { ...rest, ...(refuse && { refuse }), ...(fail && { fail }) };
  const requests = payloads.map((bytes, i) => ({
    payload: Buffer.from(bytes),
    ...(i === 0 && { behavior }),
  }));
  const [first = {}] = requests;
  switch (kind) {
    case "unary":
      return callUnary(client, first, init);
    case "serverStream":
      return callServerStream(client, first, init);
    case "clientStream":
      return callClientStream(client, requests, init);
    case "bidiStream":
      return callBidiStream(client, requests, init);
  }
}

/** What must be the same: not the date, and not what the hub says of itself and its client. */
function comparable({ code, details, messages, headers, trailers }: Outcome<unknown>): unknown {
  const own = (metadata: Metadata | undefined): unknown =>
    Object.entries(metadata?.toHttp2Headers() ?? {})
      .filter(([key]) => /^x-|^grpc-status-details/.test(key))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  const seen = messages.map((message) => {
    const { seen: said, ...rest } = Object(message);
    const entries: readonly { key: string }[] = said?.metadata ?? [];
    return {
      ...rest,
      seen: entries
        .filter(({ key }) => /^x-(?!forwarded-)/.test(key))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    };
  });
  return { code, details, messages: seen, headers: own(headers), trailers: own(trailers) };
}

test(`${RUNS} random calls end through the hub as they end without it`, async () => {
  await fc.assert(
    fc.asyncProperty(shape, async (asked) => {
      const [expected, actual] = await Promise.all([call(direct, asked), call(through, asked)]);
      assert.deepEqual(comparable(actual), comparable(expected));
    }),
    { numRuns: RUNS },
  );
});
