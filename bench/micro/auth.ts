// What does it cost a call to say who makes it? `node build/bench/micro/auth.js`
// Per call: the identity-headers, auth and authorization steps, over a header block as a gRPC client sends it.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { Call, type Method } from "#src/call/call.js";
import type { Interceptor, Step } from "#src/call/interceptor.js";
import type { Status } from "#src/call/status/status.js";
import { auth } from "#src/interceptors/auth/auth.js";
import { identityHeaders } from "#src/interceptors/auth/identity-headers.js";
import { type AuthConfig, JWT_ALGORITHMS } from "#src/interceptors/auth/section.js";
import { systemClock } from "#src/kit/clock.js";
import { type Field, field, Headers } from "#src/kit/headers.js";
import { NO_METERS } from "#src/kit/meters.js";
import { Retained } from "#src/kit/retained.js";

const ROUNDS = 9;
const CALLS_PER_ROUND = 200_000;
const FRESH_CALLS = 2_000;

const METHOD: Method = {
  service: "library.v1.LibraryService",
  name: "GetBook",
  path: "/library.v1.LibraryService/GetBook",
  kind: "unary",
  idempotent: true,
  descriptor: undefined,
};
const PEER = { address: "127.0.0.1:50000", protocol: "grpc" } as const;
const RULES = [
  {
    selector: "library.v1.LibraryService",
    deadlineMs: undefined,
    idempotent: undefined,
    auth: undefined,
    roles: ["reader"],
    quota: undefined,
  },
];

/** As grpc-go sends it; the values of a repeated block are the same strings, as HPACK hands them out. */
function block(...own: readonly Field[]): readonly Field[] {
  return [
    field("content-type", "application/grpc"),
    field("user-agent", "grpc-go/1.70.0"),
    field("te", "trailers"),
    field("grpc-timeout", "1S"),
    field("x-request-id", "6f1c7d5e-5d6e-4a56-9c1d-8a1f6a3c9c11"),
    field("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ...own,
  ];
}

/** The same block as a connection that does not remember blocks has it: new strings each time. */
function copied(fields: readonly Field[]): readonly Field[] {
  return fields.map(({ name, value }) => field(name, Buffer.from(value, "latin1").toString("latin1")));
}

function start(
  steps: readonly Step[],
  fields: readonly Field[],
): Status | undefined | Promise<Status | undefined> {
  const call = new Call(METHOD, METHOD.path, "localhost", PEER, new Headers(fields), 0);
  for (const step of steps) {
    const verdict = step.start?.(call);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

function nanoseconds(run: (i: number) => unknown, calls: number): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) run(i);
    rounds.push(Number(process.hrtime.bigint() - begin) / calls);
  }
  return median(rounds);
}

const { publicKey, privateKey } = await generateKeyPair("ES256");
const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] });
const server = createServer((_, response) => response.end(jwks)).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const KEY = "8f4e1c0b7a6d4b5e9c3f2a1d0e9b8c7a";
const others = Array.from({ length: 5_000 }, (_, i) => `other key ${i}`);
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const config: AuthConfig = {
  required: true,
  apiKeys: {
    header: "x-api-key",
    keys: [KEY, ...others].map((key, i) => ({ name: `caller-${i}`, sha256: sha256(key), roles: ["reader"] })),
    file: undefined,
  },
  jwt: [
    {
      issuer,
      audiences: ["library"],
      jwks: { kind: "url", url: issuer },
      rolesClaim: "roles",
      algorithms: JWT_ALGORITHMS,
    },
  ],
  mtls: undefined,
  forward: { identity: "x-linchpin-identity", roles: "x-linchpin-roles", authorization: true },
};

const retained = new Retained();
const log = { info: () => {}, warn: console.warn, error: console.error };
retained.begin();
const steps = (list: readonly Interceptor[]): Step[] => list.flatMap((i) => i.plan(METHOD) ?? []);
const stripping = steps([identityHeaders(config)]);
const all = [
  ...stripping,
  ...steps(
    auth(config, RULES, { clock: systemClock, log, retained, meters: NO_METERS }, { standardPrefix: "" }),
  ),
];
retained.commit();

const token = (jti: number): Promise<string> =>
  new SignJWT({
    scope: "reader writer",
    jti: String(jti),
    name: "A name of some length",
    email: "alice@example.org",
  })
    .setProtectedHeader({ alg: "ES256", kid: "one", typ: "JWT" })
    .setIssuer(issuer)
    .setAudience("library")
    .setSubject("alice")
    .setExpirationTime("1h")
    .sign(privateKey);

const none = block();
const withKey = block(field("x-api-key", KEY, true));
const withToken = block(field("authorization", `Bearer ${await token(0)}`, true));
const wrongKey = block(field("x-api-key", "guess", true));
for (const fields of [withKey, withToken]) {
  const verdict = await start(all, fields);
  if (verdict !== undefined) throw new Error(verdict.message);
}

const bare = nanoseconds(
  () => new Call(METHOD, METHOD.path, "", PEER, new Headers(none), 0),
  CALLS_PER_ROUND,
);
const rows: [string, number][] = [
  ["identity headers taken out, none there", nanoseconds(() => start(stripping, none), CALLS_PER_ROUND)],
  ["API key, presented before", nanoseconds(() => start(all, withKey), CALLS_PER_ROUND)],
  ["token, verified before", nanoseconds(() => start(all, withToken), CALLS_PER_ROUND)],
  ["no credential: refused", nanoseconds(() => start(all, none), CALLS_PER_ROUND)],
  ["wrong API key: refused", nanoseconds(() => start(all, wrongKey), CALLS_PER_ROUND)],
];
const copies = nanoseconds(() => copied(withToken), CALLS_PER_ROUND);
const keyCopies = nanoseconds(() => copied(withKey), CALLS_PER_ROUND);
rows.push([
  "API key, presented before, in a new string",
  nanoseconds(() => start(all, copied(withKey)), CALLS_PER_ROUND) - keyCopies + bare,
]);
rows.push([
  "token, verified before, in a new string",
  nanoseconds(() => start(all, copied(withToken)), CALLS_PER_ROUND) - copies + bare,
]);
for (const [name, ns] of rows) console.log(`${name.padEnd(46)}${(ns - bare).toFixed(0).padStart(8)} ns`);

const fresh = await Promise.all(Array.from({ length: FRESH_CALLS }, (_, i) => token(i + 1)));
const before = process.cpuUsage();
for (const text of fresh) {
  const verdict = await start(all, block(field("authorization", `Bearer ${text}`, true)));
  if (verdict !== undefined) throw new Error(verdict.message);
}
const { user, system } = process.cpuUsage(before);
const each = (1000 * (user + system)) / FRESH_CALLS;
console.log(`${"token, new (ES256; CPU of all threads)".padEnd(46)}${each.toFixed(0).padStart(8)} ns`);
retained.close();
server.close();
