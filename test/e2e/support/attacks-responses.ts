// Attacks by answers: a service whose small messages unpack to more than any may be, and clients who ask for pages that a
// large schema makes long. Each has a hub of its own, and an honest client of another service who must be answered.
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { largeProtoset } from "../../openapi/support/large.js";
import type { Attack } from "./attacks.js";
import { behaviorClient, callUnary } from "./grpc.js";
import { fileOf, type Hub, startHubWithConfig } from "./hub.js";
import { peakResidentBytes, residentBytes } from "./memory.js";
import { ROOT, type Scope } from "./program.js";
import { startService } from "./service.js";

const MIB = 1024 * 1024;
/** Each call of the bystander has this deadline. */
const DEADLINE_MS = 2000;
const CLIENTS = 10;
/** Far more than `limits.maxMessage`, 4 MiB. */
const BOMB = gzipSync(Buffer.alloc(256 * MIB));
/** Less than that, in 3 KiB: a field that the message does not have. */
const LARGE = gzipSync(
  new BinaryWriter()
    .uint32(1000 * 8 + 2)
    .bytes(Buffer.alloc(3 * MIB))
    .finish(),
);
const MESSAGES = 50;
/** What a page's schema is; its document has some 5 MB. */
const METHODS = 2000;

function packed(message: Buffer): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = 1;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

/** A library on node:http2: a bomb for each book, and a search finds many that are nearly one. */
async function startBomber(scope: Scope): Promise<string> {
  const server = createServer();
  server.on("sessionError", () => {});
  server.on("stream", (stream, requested) => {
    stream.on("error", () => {});
    stream.resume();
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const fields = { ":status": 200, "content-type": "application/grpc", "grpc-encoding": "gzip" };
    stream.respond(fields, { waitForTrailers: true });
    const isUnary = requested[":path"]?.endsWith("/SearchBooks") !== true;
    stream.end(isUnary ? packed(BOMB) : Buffer.concat(Array<Buffer>(MESSAGES).fill(packed(LARGE))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(async () => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Bytes of a body that is read and not kept. */
async function lengthOf(answer: Response): Promise<number> {
  let bytes = 0;
  for await (const chunk of answer.body ?? []) bytes += chunk.length;
  return bytes;
}

/**
 * Asks `CLIENTS` times at once while a bystander calls the honest service. Fails when a call of it does, or memory grows by
 * more than `maxGrowth` bytes. Returns what came.
 */
async function withBystander(scope: Scope, hub: Hub, path: string, maxGrowth: number): Promise<string> {
  const bystander = behaviorClient(scope, hub.address);
  await callUnary(bystander, {}, { options: { deadline: Date.now() + DEADLINE_MS } });
  const before = residentBytes(hub.program.pid);
  let asking = true;
  const answers = Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const answer = await fetch(`http://${hub.address}${path}`);
      return `${answer.status}, ${Math.round((await lengthOf(answer)) / MIB)} MiB`;
    }),
  ).finally(() => {
    asking = false;
  });
  let slowestMs = 0;
  let calls = 0;
  while (asking) {
    const from = performance.now();
    const { code, details } = await callUnary(
      bystander,
      {},
      { options: { deadline: Date.now() + DEADLINE_MS } },
    );
    if (code !== 0) throw new Error(`a call of a bystander ended with ${code}: ${details}`);
    slowestMs = Math.max(slowestMs, performance.now() - from);
    calls++;
  }
  const said = [...new Set(await answers)].join(" or ");
  const growth = peakResidentBytes(hub.program.pid) - before;
  if (growth > maxGrowth) throw new Error(`memory grew by ${Math.round(growth / MIB)} MiB`);
  return `${said}; ${calls} calls of a bystander meanwhile, the slowest ${Math.round(slowestMs)} ms; ${Math.round(growth / MIB)} MiB more`;
}

/** A hub with the honest service, and another upstream whose YAML this is. */
async function startHubBeside(scope: Scope, other: string): Promise<Hub> {
  const { address } = await startService(scope, "behavior");
  return startHubWithConfig(
    scope,
    `upstreams:\n  behavior: { endpoints: ["${address}"] }\n  other: ${other}\n`,
  );
}

async function bombed(scope: Scope, path: string): Promise<string> {
  const bomber = await startBomber(scope);
  const schema = `{ protoset: ${ROOT}generated/image.binpb }`;
  const hub = await startHubBeside(scope, `{ endpoints: ["${bomber}"], schema: ${schema} }`);
  // Answers of 256 MiB may wait to be translated.
  return withBystander(scope, hub, path, 320 * MIB);
}

async function paged(scope: Scope, path: string): Promise<string> {
  const protoset = await fileOf(scope, "large.binpb", largeProtoset(METHODS));
  const hub = await startHubBeside(
    scope,
    `{ endpoints: ["127.0.0.1:1"], schema: { protoset: ${protoset} } }`,
  );
  return withBystander(scope, hub, path, 512 * MIB);
}

async function scoped(run: (scope: Scope) => Promise<string>): Promise<string> {
  const endings: (() => Promise<void>)[] = [];
  try {
    return await run({ after: (ending) => void endings.push(ending) });
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}

const attack = (name: string, run: (scope: Scope) => Promise<string>): Attack => ({
  name,
  limits: [],
  run: () => scoped(run),
});

export const ANSWER_ATTACKS: readonly Attack[] = [
  attack("a service answers with a gzip bomb", (scope) => bombed(scope, "/v1/books/bomb")),
  attack("a service streams messages packed 1000:1", (scope) => bombed(scope, "/v1/books:search?query=bomb")),
  attack("ten requests for the OpenAPI page of a large schema at once", (scope) =>
    paged(scope, "/openapi.json"),
  ),
  attack("ten requests for it in YAML at once", (scope) => paged(scope, "/openapi.yaml")),
];
