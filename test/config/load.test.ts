// A config file is read whole, or every error in it is told with its exact place.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: environment variables are written so in the file
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatError, formatErrors } from "#src/config/config-error.js";
import { CLIENT_LIMITS } from "#src/config/listener-limits.js";
import { JWT_ALGORITHMS } from "#src/interceptors/auth/section.js";
import { UserError } from "#src/kit/text/user-error.js";
import { defaultConfig, withOverrides } from "#src/settings/from-args.js";
import { loadConfig, type ParseOptions, parseConfig } from "#src/settings/load.js";
import type { Config } from "#src/settings/sections.js";
import { DEFAULT_RETRIES } from "#src/upstream/retry/policy/policy.js";
import { UPSTREAM_DEFAULTS } from "#src/upstream/upstream-keys.js";

const OPTIONS: ParseOptions = {
  file: "c.yaml",
  directory: "/etc/hub",
  env: { PORT: "8080", STREAMS: "10", EMPTY: "", YES: "true", SECRET: "hunter2", INJECT: "a:1]\nadmin: off" },
  checkPath: (path) => (path.includes("missing") ? `${path}: no such file or directory` : undefined),
};

function parse(text: string | Uint8Array, options: Partial<ParseOptions> = {}) {
  return parseConfig(typeof text === "string" ? Buffer.from(text) : text, { ...OPTIONS, ...options });
}

function errorsOf(text: string | Uint8Array): string[] {
  const result = parse(text);
  return result.ok ? [] : formatErrors(result.errors).split("\n");
}

function configOf(text: string): Config {
  const result = parse(text);
  if (result.ok) return result.config;
  throw new assert.AssertionError({ message: formatErrors(result.errors) });
}

const UP = "upstreams: { a: { endpoints: [h:1] } }\n";

describe("a file that is fine", () => {
  test("retries are read with what is left out by default, those of a method as its upstream has it", () => {
    const { upstreams, methods } = configOf(`
upstreams:
  plain: { endpoints: [a:1] }
  off: { endpoints: [b:1], retries: false }
  usual: { endpoints: [c:1], retries: {} }
  full:
    endpoints: [d:1]
    retries: { attempts: 2, on: [ABORTED, UNAVAILABLE], budget: { share: 5%, perSecond: 1 }, backoff: { max: 200ms }, replay: 1MiB, hedge: { delay: 50ms } }
methods:
  a.B/C: { retries: { attempts: 4, budget: none } }
  a.B/D: { retries: { dangerouslyRepeatAnyCall: true, budget: 12.5% } }
  a.B/E: { retries: false }
`);
    assert.deepEqual(
      upstreams.map(({ retries }) => retries),
      [
        undefined,
        undefined,
        DEFAULT_RETRIES,
        {
          attempts: 2,
          on: [10, 14],
          budget: { share: 0.05, perSecond: 1 },
          backoff: { baseMs: 25, maxMs: 200, multiplier: 2 },
          replayBytes: 1024 ** 2,
          hedgeDelayMs: 50,
          throttling: undefined,
        },
      ],
    );
    assert.deepEqual(
      methods.map(({ retries }) => retries),
      [
        { attempts: 4, budget: undefined, anyCall: false },
        { budget: { share: 0.125, perSecond: 10 }, anyCall: true },
        false,
      ],
    );
  });

  test("gets every default, the same as targets on the command line", () => {
    assert.deepEqual(configOf(UP), {
      ...withOverrides(defaultConfig(), { targets: ["a=h:1"] }),
    });
  });

  test("is taken whole", () => {
    const config = configOf(`
listen: { address: 0.0.0.0:8081, tls: { cert: a.crt, key: a.key, clientCa: ca.crt } }
admin: off
upstreams:
  library:
    endpoints: [127.0.0.1:50051, "[::1]:50052"]
    connections: { max: 3, total: 7, idle: 90s }
    pending: { max: 5, wait: 0s }
    outliers: { consecutive: none, successRate: { hosts: 3 }, codes: [UNKNOWN], ejection: 10m, maxShare: 0.5 }
    panic: 0
    health: { service: library.v1.Books }
    breakers: { calls: 10 }
    balancer: { least_request: { choices: 3 } }
    slowStart: { window: 30s, aggression: 2 }
    schema: reflection
  other:
    endpoints: [127.0.0.1:50051]
    schema: { protoset: other.binpb }
  third:
    endpoints: [h:1]
    schema: { protos: [proto, /abs] }
  fourth: { endpoints: [h:2], schema: none, services: [a.B] }
  fifth: { endpoints: [h:3], schema: none }
interceptors:
  metrics: { enabled: false, exporter: otlp, interval: 10s }
  tracing: { exporter: otlp, endpoint: "http://127.0.0.1:4318", sample: 1, trustedPeers: [10.0.0.0/8] }
  accessLog: { destination: access.log, sample: 0.5 }
  deadline: { default: none, max: 1m }
  addressLimit: { rate: 50/s, concurrent: 20 }
  auth:
    required: false
    apiKeys: { header: X-Key, keys: [{ name: web, sha256: ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB, roles: [reader] }], file: keys.yaml }
    jwt:
      - { issuer: "https://a.example", audiences: [library] }
      - { issuer: b, audiences: [x, y], jwks: b.json, rolesClaim: realm_access.roles, algorithms: [ES256] }
      - { issuer: c, audiences: [x], jwks: "https://c.example/keys" }
    mtls: { roles: { "spiffe://a/b": [reader] } }
    forward: { identity: X-Who, authorization: false }
  quota:
    - { name: per-consumer, key: [identity, "header:X-Tenant"], rate: 100/s, burst: 200 }
    - { name: everyone, key: [], rate: 60000/min, cost: 2, methods: [a.B, a.C/D], shadow: true, headers: false }
methods:
  library.v1.LibraryService/GetBook:
    { deadline: 2s, idempotent: true, auth: none, quota: none, forms: true, http: { success: 201, location: "/v1/{name}" } }
  library.v1.LibraryService: { deadline: none, auth: required, roles: [reader, "book:write"], quota: { cost: 5 } }
http:
  prefix: /api
  rules:
    - selector: a.B.C
      get: /v1/{name=books/*}
      additional_bindings: [{ custom: { kind: HEAD, path: /v1/x } }]
  unknownQuery: ignore
  ignoredQuery: [utm_source]
  unknownFields: ignore
  print: { emitDefaults: true, emitNulls: true, protoNames: true, enumsAsNumbers: true, int64AsNumbers: true }
  read: { anyContentType: true, anyAccept: true, extraBody: ignore, looseValues: true, anyEnumCase: true, plusAsSpace: false, keptEscapes: none, fillUpdateMask: false }
  bareSystemParameters: true
  webSocket: { origins: ["https://app.example"] }
  methodOverride: true
  openapi: /api/spec
  docs: false
  health: /live
  cors: { origins: ["https://app.example"], exposeHeaders: [etag], maxAge: 1h, credentials: true }
  compression: { minBytes: 2KiB }
  etag: false
  emptyAs204: true
  allowActiveContent: true
  metadata: { requestPrefix: Grpc-Metadata-, trailerPrefix: t-, prefixTrailers: true }
  statusHeaders: true
  errorForm: problem
  streamFormat: ndjson
  wrongMethodStatus: 404
reflection: false
schemaCache: schemas
limits: { maxMessage: 8MiB, maxConcurrentStreams: 7, connectionsPerAddress: 9 }
trustedProxies: [10.0.0.0/8, 192.0.2.1, "fd00::/8"]
errors: { hints: never }
readiness: { wait: none }
drain: { delay: 5s, grace: 20s }
`);
    assert.deepEqual(config, {
      listen: [
        {
          address: { host: "0.0.0.0", port: 8081 },
          tls: {
            cert: "/etc/hub/a.crt",
            key: "/etc/hub/a.key",
            clientCa: "/etc/hub/ca.crt",
            clientAuth: "require",
          },
        },
      ],
      admin: undefined,
      zone: undefined,
      upstreams: [
        {
          ...UPSTREAM_DEFAULTS,
          name: "library",
          endpoints: [
            { host: "127.0.0.1", port: 50_051 },
            { host: "::1", port: 50_052 },
          ],
          outliers: {
            consecutive: undefined,
            successRate: { hosts: 3, requests: 100, deviations: 1.9 },
            codes: ["UNKNOWN"],
            intervalMs: 10_000,
            ejectionMs: 600_000,
            maxEjectionMs: 600_000,
            maxShare: 0.5,
          },
          panicShare: 0,
          health: { service: "library.v1.Books", timeoutMs: 2000 },
          breakers: { calls: 10, streams: undefined },
          schema: { kind: "reflection" },
          pool: { maxPerEndpoint: 3, maxConnections: 7, idleMs: 90_000, maxPending: 5, lostWaitMs: 0 },
          balancer: {
            name: "least_request",
            options: { choices: 3 },
            slowStart: { windowMs: 30_000, aggression: 2, min: 0.1 },
          },
        },
        {
          name: "other",
          endpoints: [{ host: "127.0.0.1", port: 50_051 }],
          schema: { kind: "protoset", file: "/etc/hub/other.binpb" },
          ...UPSTREAM_DEFAULTS,
        },
        {
          name: "third",
          endpoints: [{ host: "h", port: 1 }],
          schema: { kind: "protos", dirs: ["/etc/hub/proto", "/abs"] },
          ...UPSTREAM_DEFAULTS,
        },
        {
          name: "fourth",
          endpoints: [{ host: "h", port: 2 }],
          schema: { kind: "none", services: ["a.B"] },
          ...UPSTREAM_DEFAULTS,
        },
        {
          name: "fifth",
          endpoints: [{ host: "h", port: 3 }],
          schema: { kind: "none", services: undefined },
          ...UPSTREAM_DEFAULTS,
        },
      ],
      metrics: {
        enabled: false,
        exporter: "otlp",
        endpoint: undefined,
        protocol: undefined,
        intervalMs: 10_000,
      },
      tracing: {
        exporter: "otlp",
        endpoint: "http://127.0.0.1:4318",
        protocol: undefined,
        sample: 1,
        trustedPeers: [{ address: "10.0.0.0", prefix: 8 }],
      },
      accessLog: { destination: { file: "/etc/hub/access.log" }, sample: 0.5 },
      deadline: { defaultMs: undefined, maxMs: 60_000 },
      addressLimit: { rate: { count: 50, perMs: 1_000 }, concurrent: 20 },
      quota: [
        {
          name: "per-consumer",
          key: [{ by: "identity" }, { by: "header", name: "x-tenant" }],
          rate: { count: 100, perMs: 1_000 },
          burst: 200,
          cost: 1,
          methods: [],
          shadow: false,
          headers: true,
        },
        {
          name: "everyone",
          key: [],
          rate: { count: 60_000, perMs: 60_000 },
          burst: 60_000,
          cost: 2,
          methods: ["a.B", "a.C/D"],
          shadow: true,
          headers: false,
        },
      ],
      methods: [
        {
          selector: "library.v1.LibraryService/GetBook",
          deadlineMs: 2_000,
          idempotent: true,
          auth: "none",
          roles: undefined,
          quota: "none",
          forms: true,
          http: { success: 201, location: "/v1/{name}" },
        },
        {
          selector: "library.v1.LibraryService",
          deadlineMs: "none",
          idempotent: undefined,
          auth: "required",
          roles: ["reader", "book:write"],
          quota: { cost: 5 },
          forms: undefined,
        },
      ],
      auth: {
        required: false,
        apiKeys: {
          header: "x-key",
          keys: [{ name: "web", sha256: "ab".repeat(32), roles: ["reader"] }],
          file: "/etc/hub/keys.yaml",
        },
        jwt: [
          {
            issuer: "https://a.example",
            audiences: ["library"],
            jwks: { kind: "discovery" },
            rolesClaim: "roles",
            algorithms: JWT_ALGORITHMS,
          },
          {
            issuer: "b",
            audiences: ["x", "y"],
            jwks: { kind: "file", file: "/etc/hub/b.json" },
            rolesClaim: "realm_access.roles",
            algorithms: ["ES256"],
          },
          {
            issuer: "c",
            audiences: ["x"],
            jwks: { kind: "url", url: "https://c.example/keys" },
            rolesClaim: "roles",
            algorithms: JWT_ALGORITHMS,
          },
        ],
        mtls: { roles: { "spiffe://a/b": ["reader"] } },
        forward: { identity: "x-who", roles: undefined, authorization: false },
      },
      http: {
        prefix: "/api",
        rules: [
          {
            selector: "a.B.C",
            rule: {
              get: "/v1/{name=books/*}",
              additional_bindings: [{ custom: { kind: "HEAD", path: "/v1/x" } }],
            },
          },
        ],
        unknownQuery: "ignore",
        ignoredQuery: ["utm_source"],
        unknownFields: "ignore",
        print: {
          emitDefaults: true,
          emitNulls: true,
          protoNames: true,
          enumsAsNumbers: true,
          int64AsNumbers: true,
        },
        read: {
          anyContentType: true,
          anyAccept: true,
          extraBody: "ignore",
          looseValues: true,
          anyEnumCase: true,
          plusAsSpace: false,
          keptEscapes: "none",
          fillUpdateMask: false,
        },
        bareSystemParameters: true,
        webSocketOrigins: ["https://app.example"],
        methodOverride: true,
        openapi: "/api/spec",
        docs: false,
        health: "/live",
        cors: {
          origins: ["https://app.example"],
          headers: undefined,
          exposeHeaders: ["etag"],
          maxAgeSeconds: 3600,
          credentials: true,
        },
        compression: { minBytes: 2048 },
        etag: false,
        emptyAs204: true,
        allowActiveContent: true,
        metadata: {
          requestPrefix: "grpc-metadata-",
          standardPrefix: "",
          responsePrefix: "",
          trailerPrefix: "t-",
          prefixTrailers: true,
        },
        statusHeaders: true,
        errorForm: "problem",
        streamFormat: "ndjson",
        wrongMethodStatus: 404,
      },
      limits: {
        ...defaultConfig().limits,
        maxMessageBytes: 8_388_608,
        maxConcurrentStreams: 7,
        connectionsPerAddress: 9,
      },
      trustedProxies: [
        { address: "10.0.0.0", prefix: 8 },
        { address: "192.0.2.1", prefix: 32 },
        { address: "fd00::", prefix: 8 },
      ],
      hints: "never",
      reflection: false,
      use: [],
      schemaCache: "/etc/hub/schemas",
      readinessWaitMs: undefined,
      drain: { delayMs: 5_000, graceMs: 20_000 },
    });
  });

  test("may cap deadlines below the built-in default", () => {
    const config = configOf(`${UP}interceptors: { deadline: { max: 2s } }`);
    assert.deepEqual(config.deadline, { defaultMs: 2_000, maxMs: 2_000 });
  });

  test("cannot be changed afterwards", () => {
    const config = configOf(UP);
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.upstreams[0]?.endpoints));
  });

  test("may leave sections empty, use anchors, a BOM, CRLF and JSON", () => {
    const plain = configOf(UP);
    assert.deepEqual(configOf(`${UP}limits:\nhttp:\n`), plain);
    assert.deepEqual(configOf(`\uFEFF${UP}`), plain);
    assert.deepEqual(configOf(UP.replace("\n", "\r\n")), plain);
    assert.deepEqual(configOf(`--- # one\n${UP}...\n`), plain);
    assert.deepEqual(configOf('{"upstreams": {"a": {"endpoints": ["h:1"]}}}'), plain);
    const anchored = configOf("upstreams: { a: &x { endpoints: [h:1] }, b: *x }");
    assert.deepEqual(
      anchored.upstreams.map((u) => [u.name, u.endpoints]),
      [
        ["a", [{ host: "h", port: 1 }]],
        ["b", [{ host: "h", port: 1 }]],
      ],
    );
  });
});

describe("environment variables", () => {
  const listen = (value: string): number | undefined => {
    const address = configOf(`${UP}listen: ${value}\n`).listen[0]?.address;
    return address !== undefined && "port" in address ? address.port : undefined;
  };
  test("replace text in values", () => {
    assert.equal(listen("127.0.0.1:${PORT}"), 8080);
    assert.equal(listen('"127.0.0.1:${PORT}"'), 8080);
    assert.equal(listen("127.0.0.1:${NOPE:-81}"), 81);
    assert.equal(listen("127.0.0.1:${EMPTY:-82}"), 82);
  });
  test("unquoted make numbers and booleans, quoted make text", () => {
    const config = configOf(`${UP}limits:\n  maxConcurrentStreams: \${STREAMS}\nreflection: \${YES}\n`);
    assert.equal(config.limits.maxConcurrentStreams, 10);
    assert.equal(config.reflection, true);
    assert.match(errorsOf(`${UP}reflection: "\${YES}"\n`).join(), /reflection: must be true or false/);
  });
  test("cannot add keys or items to the file", () => {
    const errors = errorsOf("upstreams:\n  a:\n    endpoints:\n      - ${INJECT}\n");
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? "", /^c\.yaml:4:9: upstreams\.a\.endpoints\[0\]: must be HOST:PORT/);
  });
  test("never show their values in an error", () => {
    const errors = errorsOf(`${UP}listen: \${SECRET}\n`);
    assert.deepEqual(errors, ["c.yaml:2:9: listen: must be HOST:PORT, as in 127.0.0.1:50051, not ${SECRET}"]);
  });
  test("are not looked for in keys and comments", () => {
    assert.deepEqual(configOf(`# \${NOPE}\n${UP}`), configOf(UP));
    assert.match(errorsOf(`${UP}\${PORT}: 1\n`).join(), /c\.yaml:2:1: \["\$\{PORT\}"\]: unknown key/);
  });
  test("$${ stands for itself", () => {
    assert.match(errorsOf(`${UP}listen: a$\${PORT}:1\n`).join(), /host name before the port/);
  });
});

/** Text of a file, and every error it has; `^` of the place is in the expectation. */
const ERRORS: readonly (readonly [what: string, text: string | Uint8Array, errors: readonly string[]])[] = [
  [
    "services of an upstream that has a schema",
    "upstreams: { a: { endpoints: [h:1], services: [b.C] } }\n",
    ["1:47: upstreams.a.services: needs schema: none; else the schema says which services there are"],
  ],
  [
    "outlier detection and breakers that make no sense",
    "upstreams:\n  a:\n    endpoints: [h:1]\n    outliers: { consecutive: 0, successRate: { deviations: 0 }, codes: [OK], maxShare: 2 }\n    panic: 50%\n    breakers: { calls: 0, stream: 3 }\n",
    [
      "4:30: upstreams.a.outliers.consecutive: must be a whole number from 1 to 1000, or none, not 0",
      "4:60: upstreams.a.outliers.successRate.deviations: must be a number from 0.1 to 10, not 0",
      "4:73: upstreams.a.outliers.codes[0]: must be one of UNAVAILABLE, INTERNAL, DATA_LOSS, DEADLINE_EXCEEDED, UNKNOWN, RESOURCE_EXHAUSTED, UNIMPLEMENTED, not OK",
      "4:88: upstreams.a.outliers.maxShare: must be a number from 0 to 1, not 2",
      "5:12: upstreams.a.panic: must be a number from 0 to 1, not 50%",
      "6:24: upstreams.a.breakers.calls: must be a whole number from 1 to 10000000, or none, not 0",
      "6:27: upstreams.a.breakers.stream: unknown key (did you mean streams?); allowed: calls, streams",
    ],
  ],
  [
    "names that no service has, and services of the hub",
    "upstreams:\n  a:\n    endpoints: [h:1]\n    schema: none\n    services: [b.C/D, b.*, '', grpc.health.v1.Health, linchpin.Pages, a.B]\n",
    [
      "5:16: upstreams.a.services[0]: must be the full name of a service, as in library.v1.LibraryService, not b.C/D",
      "5:23: upstreams.a.services[1]: must be the full name of a service, as in library.v1.LibraryService, not b.*",
      "5:28: upstreams.a.services[2]: must be the full name of a service, as in library.v1.LibraryService, not ''",
      "5:32: upstreams.a.services[3]: is a service of the hub: it answers it itself, not grpc.health.v1.Health",
      "5:55: upstreams.a.services[4]: is a service of the hub: it answers it itself, not linchpin.Pages",
    ],
  ],
  [
    "no services, in a list",
    "upstreams: { a: { endpoints: [h:1], schema: none, services: [] } }\n",
    ["1:61: upstreams.a.services: must name at least one service"],
  ],
  [
    "a service that stands twice, and one of another upstream",
    "upstreams:\n  a: { endpoints: [h:1], schema: none, services: [b.C, b.C] }\n  b: { endpoints: [h:2], schema: none, services: [b.D, b.C] }\n",
    [
      "2:56: upstreams.a.services[1]: stands twice",
      "3:56: upstreams.b.services[1]: is a service of the upstream a already",
    ],
  ],
  [
    "two upstreams that take all others",
    "upstreams:\n  a: { endpoints: [h:1], schema: none }\n  b: { endpoints: [h:2], schema: none, services: [b.D] }\n  c: { endpoints: [h:3], schema: none }\n",
    ["4:34: upstreams.c.schema: none needs services here: a takes all others already"],
  ],
  ["an empty file", "", ["1:1: the file is empty: a config needs at least upstreams"]],
  ["only a comment", "# nothing\n", ["1:1: the file is empty: a config needs at least upstreams"]],
  ["a list", "- a\n", ["1:1: must be a mapping, not a list"]],
  ["a word", "hello", ["1:1: must be a mapping, not hello"]],
  ["no upstreams", "reflection: true\n", ["1:1: upstreams: is missing: must be a mapping"]],
  ["empty upstreams", "upstreams: {}\n", ["1:12: upstreams: must have at least one upstream"]],
  ["upstreams without a value", "upstreams:\n", ["1:1: upstreams: is missing: must be a mapping"]],
  [
    "an unknown key",
    `${UP}lissen: a:1\n`,
    [
      "2:1: lissen: unknown key (did you mean listen?); allowed: listen, admin, trustedProxies, zone, upstreams, interceptors, use, methods, http, reflection, schemaCache, limits, errors, readiness, drain",
    ],
  ],
  [
    "an unknown key without a value",
    `${UP}redis:\n`,
    [
      "2:1: redis: unknown key; allowed: listen, admin, trustedProxies, zone, upstreams, interceptors, use, methods, http, reflection, schemaCache, limits, errors, readiness, drain",
    ],
  ],
  [
    "balancers that are none, or are not all there",
    `upstreams:
  a: { endpoints: [h:1], balancer: fastest }
  b: { endpoints: [h:1], balancer: ring_hash }
  c: { endpoints: [h:1], balancer: { ring_hash: {}, maglev: { identity: true } } }
  d: { endpoints: [h:1], balancer: { maglev: { header: "X User", size: 65536 } } }
  e: { endpoints: [h:1], balancer: { ring_hash: { header: x-user, min: 9, max: 8 } }, slowStart: { min: 0 } }
`,
    [
      "2:36: upstreams.a.balancer: must be peak_ewma, round_robin, least_request, random, weighted_round_robin, or one of these and ring_hash, maglev with options, as in { ring_hash: { header: x-user } }, not fastest",
      "3:36: upstreams.b.balancer: must be peak_ewma, round_robin, least_request, random, weighted_round_robin, or one of these and ring_hash, maglev with options, as in { ring_hash: { header: x-user } }, not ring_hash",
      "4:36: upstreams.c.balancer: must have exactly one key: the balancer",
      "4:49: upstreams.c.balancer.ring_hash: must have exactly one of header, identity and field: what calls go together by",
      '5:56: upstreams.d.balancer.maglev.header: must be the name of a header, not "X User"',
      "5:72: upstreams.d.balancer.maglev.size: must be a prime number, as 65537 is, not 65536",
      "6:72: upstreams.e.balancer.ring_hash.min: must not be more than max, not 9",
      "6:105: upstreams.e.slowStart.min: must be a number from 0.01 to 1, not 0",
    ],
  ],
  [
    "an unknown key inside",
    `${UP}limits:\n  maxMesage: 1MiB\n`,
    [
      `3:3: limits.maxMesage: unknown key (did you mean maxMessage?); allowed: ${["maxMessage", ...Object.values(CLIENT_LIMITS).flatMap(({ key }) => key ?? [])].join(", ")}`,
    ],
  ],
  [
    "a policy of a later version",
    `${UP}interceptors:\n  cache: []\n`,
    [
      "3:3: interceptors.cache: unknown key; allowed: metrics, tracing, accessLog, deadline, addressLimit, auth, quota",
    ],
  ],
  [
    "telemetry that cannot be",
    `${UP}interceptors:
  metrics: { enabled: maybe, interval: 10ms, protocol: thrift }
  tracing:
    exporter: zipkin
    endpoint: collector:4317
    sample: 2
    trustedPeers: [::1, 10.0.0.0/33, localhost]
  accessLog: { destination: "", sample: many }
`,
    [
      "3:23: interceptors.metrics.enabled: must be true or false, not maybe",
      "3:40: interceptors.metrics.interval: must be from 1s to 576h, not 10ms",
      "3:56: interceptors.metrics.protocol: must be grpc or http/protobuf, not thrift",
      "5:15: interceptors.tracing.exporter: must be otlp or none, not zipkin",
      "6:15: interceptors.tracing.endpoint: must be a URL such as http://127.0.0.1:4317, not collector:4317",
      "7:13: interceptors.tracing.sample: must be a number from 0 to 1, not 2",
      "8:25: interceptors.tracing.trustedPeers[1]: must have a prefix from 0 to 32 after the slash, not 10.0.0.0/33",
      "8:38: interceptors.tracing.trustedPeers[2]: must be an IP address or a range of them, as in 10.0.0.0/8 or fd00::/8, not localhost",
      '9:29: interceptors.accessLog.destination: must be off, stdout, stderr or a file, not ""',
      "9:41: interceptors.accessLog.sample: must be a number from 0 to 1, not many",
    ],
  ],
  [
    "a collector's credentials in the file",
    `${UP}interceptors: { tracing: { endpoint: "http://u:p@h:4317" } }`,
    [
      "2:28: interceptors.tracing.endpoint: must have no user and password: put credentials into OTEL_EXPORTER_OTLP_HEADERS",
    ],
  ],
  [
    "quotas that cannot be",
    `${UP}interceptors:\n  quota:\n    - { name: a b, key: [who], rate: 100/m, burst: 0 }\n    - { name: x, key: [], rate: 1/s, cost: 2 }\n    - { name: x, key: ["header:a b"], rate: 1/s, scope: global }\n`,
    [
      "4:15: interceptors.quota[0].name: must be a name of 1 to 63 letters, digits, dots, dashes and underscores, not a b",
      "4:26: interceptors.quota[0].key[0]: must be identity, apiKey, ip, method or header:NAME, not who",
      "4:38: interceptors.quota[0].rate: must be a rate such as 100/s, 60000/min or 5/h, not 100/m",
      "4:52: interceptors.quota[0].burst: must be a whole number from 1 to 1000000000, not 0",
      "5:44: interceptors.quota[1].cost: must not be more than the quota's burst: no call could ever pass, not 2",
      "6:15: interceptors.quota[2].name: must not be the name of a quota before it, not x",
      '6:24: interceptors.quota[2].key[0]: must be identity, apiKey, ip, method or header:NAME, not "header:a b"',
      "6:57: interceptors.quota[2].scope: must be local: each hub counts for itself, and one count for several hubs is not there yet, not global",
    ],
  ],
  [
    "proxies that are none, and limits of nothing",
    `${UP}trustedProxies: [10.0.0.0/33, proxy.example, "::/129", 10.0.0.1/8/8]\ninterceptors:\n  addressLimit: { rate: 5, concurrent: 0 }\nerrors: { hints: maybe }\n`,
    [
      "2:18: trustedProxies[0]: must have a prefix from 0 to 32 after the slash, not 10.0.0.0/33",
      "2:31: trustedProxies[1]: must be an IP address or a range of them, as in 10.0.0.0/8 or fd00::/8, not proxy.example",
      '2:46: trustedProxies[2]: must have a prefix from 0 to 128 after the slash, not "::/129"',
      "2:56: trustedProxies[3]: must be an IP address or a range of them, as in 10.0.0.0/8 or fd00::/8, not 10.0.0.1/8/8",
      "4:25: interceptors.addressLimit.rate: must be a rate such as 100/s, 60000/min or 5/h, or none, not 5",
      "4:40: interceptors.addressLimit.concurrent: must be a whole number from 1 to 1000000000, not 0",
      "5:18: errors.hints: must be auto, always or never, not maybe",
    ],
  ],
  [
    "a method's quota of another kind",
    `${UP}methods: { a.B: { quota: some }, a.C: { quota: { cost: 0 } } }\n`,
    [
      '2:26: methods["a.B"].quota: must be none or { cost: N }, not some',
      '2:56: methods["a.C"].quota.cost: must be a whole number from 1 to 1000000, not 0',
    ],
  ],
  ["a key twice", `${UP}admin: off\nadmin: off\n`, ["3:1: admin: stands twice, first in line 2"]],
  [
    "an upstream twice",
    "upstreams:\n  a: { endpoints: [h:1] }\n  a: { endpoints: [h:2] }\n",
    ["3:3: upstreams.a: stands twice, first in line 2"],
  ],
  ["a tab as indent", "upstreams:\n\ta: {}\n", ["2:1: a tab cannot indent YAML; use spaces"]],
  ["two documents", `${UP}---\n${UP}`, ["2:1: the file has more than one YAML document; a config is one"]],
  ["a tag", `${UP}listen: !secret x\n`, ["2:9: tags (!name) are not supported"]],
  ["an alias to nothing", `${UP}listen: *here\n`, ["2:9: listen: there is no &here before this alias"]],
  [
    "an IPv6 address without quotes",
    `${UP}listen: [::1]:8080\n`,
    ['2:14: an IPv6 address needs quotes, as in "[::1]:8080"'],
  ],
  [
    "bytes that are no UTF-8",
    Buffer.concat([Buffer.from("# ä\n# b"), Buffer.from([0xff, 0x0a])]),
    ["2:4: the file is not UTF-8 text from here on"],
  ],
  [
    "a UTF-8 character cut at the end",
    Buffer.from([0x23, 0xc3]),
    ["1:2: the file is not UTF-8 text from here on"],
  ],
  ["UTF-16", Buffer.from("\uFEFFupstreams: {}", "utf16le"), ["1:1: the file is not UTF-8 text from here on"]],
  [
    "too large a file",
    new Uint8Array(1_048_577).fill(0x23),
    ["1:1: the file has 1048577 bytes; a config file has at most 1048576"],
  ],
  [
    "a key that is no text",
    "? [a]\n: b\n",
    ["1:1: upstreams: is missing: must be a mapping", "1:3: a key must be plain text"],
  ],
  ["__proto__", `${UP}__proto__: { admin: off }\n`, ["2:1: a key must be plain text"]],

  [
    "listen without a host",
    `${UP}listen: :8080\n`,
    [
      "2:9: listen: must name the host as well: 127.0.0.1:8080 for this machine only, 0.0.0.0:8080 for every interface, not :8080",
    ],
  ],
  [
    "listen as a number",
    `${UP}listen: 8080\n`,
    [
      "2:9: listen: must be HOST:PORT, unix:/PATH, { address, tls: { cert, key } }, or a list of those, not 8080",
    ],
  ],
  [
    "admin as true",
    `${UP}admin: true\n`,
    ["2:8: admin: must be HOST:PORT, { address, token, tls }, or off, not true"],
  ],
  [
    "admin with a bad port",
    `${UP}admin: "h:99999"\n`,
    ['2:8: admin: must have a port from 0 to 65535, or off, not "h:99999"'],
  ],
  [
    "an upstream without endpoints",
    "upstreams:\n  a: {}\n",
    [
      "2:3: upstreams.a.endpoints: is missing: must be a list, as in [127.0.0.1:50051], or a source, as in dns:///library:50051",
    ],
  ],
  ["an upstream without a value", "upstreams:\n  a:\n", ["2:3: upstreams.a: is missing: must be a mapping"]],
  [
    "no endpoints in the list",
    "upstreams:\n  a: { endpoints: [] }\n",
    ["2:19: upstreams.a.endpoints: must have at least one endpoint"],
  ],
  [
    "endpoints that are no list",
    "upstreams:\n  a: { endpoints: h:1 }\n",
    [
      "2:19: upstreams.a.endpoints: must be a list, as in [127.0.0.1:50051], or a source, as in dns:///library:50051",
    ],
  ],
  [
    "an endpoint with TLS",
    "upstreams:\n  a: { endpoints: [https://h:1] }\n",
    [
      "2:20: upstreams.a.endpoints[0]: must be HOST:PORT; the upstream's own key tls: true asks for TLS, not https://h:1",
    ],
  ],
  [
    "an empty endpoint",
    "upstreams:\n  a:\n    endpoints:\n      -\n",
    [
      "4:8: upstreams.a.endpoints[0]: is missing: must be HOST:PORT, unix:/PATH or { address, weight, zone, priority }",
    ],
  ],
  [
    "an upstream's name",
    "upstreams:\n  a b: { endpoints: [h:1] }\n",
    [
      '2:3: upstreams["a b"]: must be a name of 1 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit, and is not hub',
    ],
  ],
  [
    "the hub's own name",
    "upstreams:\n  hub: { endpoints: [h:1] }\n",
    [
      "2:3: upstreams.hub: must be a name of 1 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit, and is not hub",
    ],
  ],
  [
    "a schema of neither kind",
    "upstreams:\n  a: { endpoints: [h:1], schema: reflect }\n",
    [
      "2:34: upstreams.a.schema: must be reflection, none, { protoset: FILE } or { protos: [DIR] }, not reflect",
    ],
  ],
  [
    "a schema of both kinds",
    "upstreams:\n  a: { endpoints: [h:1], schema: { protoset: x, protos: [y] } }\n",
    ["2:34: upstreams.a.schema: must have exactly one of protoset and protos"],
  ],
  [
    "a schema with a wrong key",
    "upstreams:\n  a: { endpoints: [h:1], schema: { protset: x } }\n",
    [
      "2:34: upstreams.a.schema: must have exactly one of protoset and protos",
      "2:36: upstreams.a.schema.protset: unknown key (did you mean protoset?); allowed: protoset, protos",
    ],
  ],
  [
    "a protoset that is not there",
    "upstreams:\n  a: { endpoints: [h:1], schema: { protoset: missing } }\n",
    ["2:46: upstreams.a.schema.protoset: /etc/hub/missing: no such file or directory"],
  ],
  [
    "a duration without a unit",
    `${UP}interceptors: { deadline: { default: 15 } }\n`,
    ["2:38: interceptors.deadline.default: must be a duration such as 250ms, 15s, 2m or 1h, or none, not 15"],
  ],
  [
    "a deadline of nothing",
    `${UP}interceptors: { deadline: { default: 0s } }\n`,
    ["2:38: interceptors.deadline.default: must be from 1ms to 576h, or none, not 0s"],
  ],
  [
    "a default beyond the cap",
    `${UP}interceptors:\n  deadline:\n    max: 2s\n    default: 3s\n`,
    ["5:14: interceptors.deadline.default: must not be longer than deadline.max, not 3s"],
  ],
  [
    "a delay of the drain that is longer than all of it",
    `${UP}drain: { delay: 30s }\n`,
    ["2:17: drain.delay: must not be longer than drain.grace, which includes it, not 30s"],
  ],
  [
    "a selector with a slash too much",
    `${UP}methods:\n  /a.B/C: {}\n`,
    [
      '3:3: methods["/a.B/C"]: must be pkg.Service/Method, pkg.Service for all its methods, or pkg.* for all services below pkg',
    ],
  ],
  [
    "a method's wrong value and wrong selector",
    `${UP}methods:\n  a..B: { idempotent: 1 }\n`,
    [
      '3:3: methods["a..B"]: must be pkg.Service/Method, pkg.Service for all its methods, or pkg.* for all services below pkg',
      '3:23: methods["a..B"].idempotent: must be true or false, not 1',
    ],
  ],
  [
    "retries that cannot be",
    "upstreams: { a: { endpoints: [a:1], retries: { attempts: 11, on: [OK, UNAVAILABLE], budget: 120%, backoff: { base: 0s }, replay: 5MiB, hedge: {} } } }\n",
    [
      "1:58: upstreams.a.retries.attempts: must be a whole number from 1 to 10, not 11",
      "1:67: upstreams.a.retries.on[0]: must be one of CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED, not OK",
      "1:93: upstreams.a.retries.budget: must be a share such as 20%, none, or { share: 20%, perSecond: 10 }, not 120%",
      "1:116: upstreams.a.retries.backoff.base: must be from 1ms to 576h, not 0s",
      "1:130: upstreams.a.retries.replay: must be from 1KiB to 4MiB, not 5MiB",
      "1:136: upstreams.a.retries.hedge.delay: is missing: must be a duration such as 250ms, 15s, 2m or 1h",
    ],
  ],
  [
    "a prefix without its slash",
    `${UP}http: { prefix: api }\n`,
    ["2:17: http.prefix: must be a path such as /api, without a slash at its end, not api"],
  ],
  [
    "pages of all sites with the user's credentials",
    `${UP}http: { cors: { origins: "*", credentials: true } }\n`,
    [
      '2:44: http.cors.credentials: must not be true with origins: "*": every page could act for the user; name the origins, not true',
    ],
  ],
  [
    "origins and headers that are none",
    `${UP}http: { cors: { origins: [https://a.example/x], exposeHeaders: ["a b"], maxAge: 48h } }\n`,
    [
      "2:27: http.cors.origins[0]: must be an origin such as https://app.example.com, without a path, not https://a.example/x",
      '2:65: http.cors.exposeHeaders[0]: must be the name of a header, not "a b"',
      "2:81: http.cors.maxAge: must be at most 24h: no browser remembers for longer, not 48h",
    ],
  ],
  [
    "forms of answers that there are not",
    `${UP}http: { preset: kong, compression: { minBytes: many }, errorForm: xml, wrongMethodStatus: 500 }\nmethods: { a.B/C: { http: { success: 302, location: "https://x" } } }\n`,
    [
      "2:17: http.preset: must be strict, envoy, grpc-gateway, not kong",
      "2:48: http.compression.minBytes: must be a size such as 512KiB or 4MiB, or a number of bytes, not many",
      "2:67: http.errorForm: must be status, problem or empty, not xml",
      "2:91: http.wrongMethodStatus: must be 404, 405 or 501, not 500",
      '3:38: methods["a.B/C"].http.success: must be 200, 201, 202, 203 or 204, not 302',
      '3:53: methods["a.B/C"].http.location: must be a path with fields of the answer, as in /v1/{name}, not "https://x"',
    ],
  ],
  [
    "escapes that are kept by no known rule",
    `${UP}http: { read: { keptEscapes: all, extraBody: drop } }\n`,
    [
      "2:30: http.read.keptEscapes: must be slash, reserved or none, not all",
      "2:46: http.read.extraBody: must be reject or ignore, not drop",
    ],
  ],
  [
    "what is neither rejected nor ignored, and an unnamed parameter",
    `${UP}http: { unknownQuery: drop, ignoredQuery: [""], print: { emitDefault: true } }\n`,
    [
      "2:23: http.unknownQuery: must be reject or ignore, not drop",
      '2:44: http.ignoredQuery[0]: must be the name of a query parameter, not ""',
      "2:58: http.print.emitDefault: unknown key (did you mean emitDefaults?); allowed: emitDefaults, emitNulls, protoNames, enumsAsNumbers, int64AsNumbers",
    ],
  ],
  [
    "pages that have no path",
    `${UP}http: { openapi: docs, docs: true, health: /a/ }\n`,
    [
      "2:18: http.openapi: must be a path such as /docs, or false, not docs",
      "2:30: http.docs: must be a path such as /docs, or false, not true",
      "2:44: http.health: must be a path such as /docs, or false, not /a/",
    ],
  ],
  [
    "two pages at one path",
    `${UP}http: { docs: /x, health: /x }\n`,
    ["2:27: http.health: must not be the path of http.docs, not /x"],
  ],
  [
    "a rule without a verb",
    `${UP}http:\n  rules:\n    - selector: a.B.C\n`,
    ["4:7: http.rules[0]: must have exactly one of get, put, post, delete, patch, custom"],
  ],
  [
    "a rule with two verbs",
    `${UP}http:\n  rules:\n    - { selector: a.B.C, get: /a, put: /b }\n`,
    ["4:7: http.rules[0]: must have exactly one of get, put, post, delete, patch, custom"],
  ],
  [
    "a rule with a gRPC path as selector",
    `${UP}http:\n  rules:\n    - { selector: a.B/C, get: /a }\n`,
    ["4:19: http.rules[0].selector: must be pkg.Service.Method, with dots only, not a.B/C"],
  ],
  [
    "rules whose paths are no templates",
    `${UP}http:
  rules:
    - selector: a.B.C
      get: /v1/{name=**}/**
      additional_bindings:
        - post: /v1/{name
        - custom: { kind: PURGE, path: "/v1/%zz" }
        - put: v1
`,
    [
      "5:12: http.rules[0].get: is no path template: character 15: a path template may have at most one '**', not /v1/{name=**}/**",
      "7:17: http.rules[0].additional_bindings[0].post: is no path template: character 10: expected '}' at the end of the variable, not /v1/{name",
      `8:40: http.rules[0].additional_bindings[1].custom.path: is no path template: character 5: expected a segment: a literal, '*', '**' or '{field}', not "/v1/%zz"`,
      "9:16: http.rules[0].additional_bindings[2].put: must be a path template that starts with /, as in /v1/{name=books/*}, not v1",
    ],
  ],
  [
    "bodies of rules that are no names of fields",
    `${UP}http:
  rules:
    - selector: a.B.C
      post: /v1/a
      body: book.title
      response_body: "the book"
      additional_bindings:
        - { post: /v1/b, body: "{book}" }
        - { post: /v1/c, body: 7, responseBody: book/title }
`,
    [
      "6:13: http.rules[0].body: must be the name of a field of the request itself, or *, not book.title",
      '7:22: http.rules[0].response_body: must be the name of a field of the response itself, or *, not "the book"',
      '9:32: http.rules[0].additional_bindings[0].body: must be the name of a field of the request itself, or *, not "{book}"',
      "10:32: http.rules[0].additional_bindings[1].body: must be the name of a field of the request itself, or *, not 7",
      "10:49: http.rules[0].additional_bindings[1].responseBody: must be the name of a field of the response itself, or *, not book/title",
    ],
  ],
  [
    "a rule that is nothing",
    `${UP}http:\n  rules: [~]\n`,
    ["3:11: http.rules[0]: is missing: must be a mapping"],
  ],
  [
    "an additional binding inside another",
    `${UP}http:\n  rules:\n    - { selector: a.B.C, get: /a, additional_bindings: [{ get: /b, additional_bindings: [] }] }\n`,
    [
      "4:68: http.rules[0].additional_bindings[0].additional_bindings: unknown key here (it belongs under http.rules); allowed: get, put, post, delete, patch, custom, body, response_body, responseBody",
    ],
  ],
  [
    "two spellings of one key",
    `${UP}http:\n  rules:\n    - { selector: a.B.C, get: /a, response_body: x, responseBody: y }\n`,
    ["4:7: http.rules[0]: must not have both response_body and responseBody"],
  ],
  [
    "a size in another unit",
    `${UP}limits: { maxMessage: 4MB }\n`,
    ["2:23: limits.maxMessage: must be a size such as 512KiB or 4MiB, or a number of bytes, not 4MB"],
  ],
  [
    "no streams",
    `${UP}limits: { maxConcurrentStreams: 0 }\n`,
    ["2:33: limits.maxConcurrentStreams: must be a whole number from 1 to 100000, not 0"],
  ],
  [
    "half a stream",
    `${UP}limits: { maxConcurrentStreams: 1.5 }\n`,
    ["2:33: limits.maxConcurrentStreams: must be a whole number from 1 to 100000, not 1.5"],
  ],
  [
    "a boolean as YAML 1.1 wrote it",
    `${UP}reflection: yes\n`,
    ["2:13: reflection: must be true or false, not yes"],
  ],
  [
    "a variable that is not set",
    `${UP}listen: 127.0.0.1:\${NOPE}\n`,
    ["2:19: listen: the environment variable NOPE is not set; ${NOPE:-default} gives it a default"],
  ],
  [
    "two variables that are not set",
    `${UP}listen: "\${NO}:\${NOPE}"\n`,
    [
      "2:10: listen: the environment variable NO is not set; ${NO:-default} gives it a default",
      "2:16: listen: the environment variable NOPE is not set; ${NOPE:-default} gives it a default",
    ],
  ],
  [
    "an unfinished variable",
    `${UP}listen: "h:\${PORT"\n`,
    ["2:12: listen: has a ${ that is no ${NAME} or ${NAME:-default}; write $${ for a plain ${"],
  ],
  [
    "keys that belong elsewhere",
    `${UP}auth: {}\ncors: {}\ntls: {}\n`,
    [
      "auth (it belongs under interceptors or methods.NAME)",
      "cors (it belongs under http)",
      "tls (it belongs under listen or admin or upstreams.NAME or upstreams.NAME.discovery)",
    ].map((text, i) => {
      const [key = "", ...hint] = text.split(" ");
      return `${i + 2}:1: ${key}: unknown key here ${hint.join(" ")}; allowed: listen, admin, trustedProxies, zone, upstreams, interceptors, use, methods, http, reflection, schemaCache, limits, errors, readiness, drain`;
    }),
  ],
  [
    "a variable in quotes where no text may stand",
    `${UP}reflection: "\${YES}"\n`,
    ['2:13: reflection: must be true or false, not "${YES}"; leave out the quotes'],
  ],
  [
    "mistakes of several kinds",
    "upstreams:\n  a: { endpoints: [h:1], schema: { protoset: missing } }\nreflection: yes\nlisten: ${NOPE}\nmethods: { a.B: { deadlin: 1s } }\n",
    [
      "2:46: upstreams.a.schema.protoset: /etc/hub/missing: no such file or directory",
      "3:13: reflection: must be true or false, not yes",
      "4:9: listen: the environment variable NOPE is not set; ${NOPE:-default} gives it a default",
      '5:19: methods["a.B"].deadlin: unknown key (did you mean deadline?); allowed: deadline, auth, roles, quota, idempotent, retries, forms, http',
    ],
  ],
  [
    "a mistake that hides others of its section",
    `${UP}admin: { address: 0.0.0.0:1, token: short }\ninterceptors: { auth: { apiKeys: {} } }\nmethods: { a.B: { roles: [r] } }\n`,
    [
      "2:37: admin.token: must be 16 to 1024 visible ASCII characters; openssl rand -hex 32 makes one",
      "3:34: interceptors.auth.apiKeys: must have keys or a file",
    ],
  ],
  [
    "the admin's address among those of clients",
    `${UP}listen: [127.0.0.1:1, 0.0.0.0:2]\nadmin: 127.0.0.1:2\n`,
    ["3:8: admin: must not be an address of listen"],
  ],
  [
    "an access log in a folder that is not there",
    `${UP}interceptors: { accessLog: { destination: missing/access.log } }\n`,
    ["2:43: interceptors.accessLog.destination: /etc/hub/missing: no such file or directory"],
  ],
  [
    "a long value",
    `${UP}listen: ${"x".repeat(100)}\n`,
    [`2:9: listen: must be HOST:PORT, as in 127.0.0.1:50051, not ${"x".repeat(60)}…`],
  ],
];

describe("an error has its position and what is allowed", () => {
  for (const [what, text, errors] of ERRORS) {
    test(what, () => {
      assert.deepEqual(
        errorsOf(text),
        errors.map((error) => `c.yaml:${error}`),
      );
    });
  }

  test("a file with many errors reports them all, in order", () => {
    const text = `lissen: x
listen: nowhere
admin: 1
upstreams:
  a: { endpoints: [] }
interceptors:
  deadline: { default: 1 }
methods:
  "a.": { idempotent: maybe }
http: { prefix: x }
limits: { maxMessage: -1 }
`;
    const places = errorsOf(text).map((line) => /:(\d+):(\d+): ([^ ]+?):/.exec(line)?.slice(1).join(" "));
    assert.deepEqual(places, [
      "1 1 lissen",
      "2 9 listen",
      "3 8 admin",
      "5 19 upstreams.a.endpoints",
      "7 24 interceptors.deadline.default",
      '9 3 methods["a."]',
      '9 23 methods["a."].idempotent',
      "10 17 http.prefix",
      "11 23 limits.maxMessage",
    ]);
  });

  test("syntax errors stand where YAML breaks", () => {
    for (const [text, place] of [
      ["upstreams: [a\n", "c.yaml:2:1: "],
      ["a: b: c\n", "c.yaml:1:4: "],
      ['a: "x\n', "c.yaml:2:1: "],
    ] as const) {
      const [first = ""] = errorsOf(text);
      assert.ok(first.startsWith(place) && first.includes("not valid YAML"), first);
    }
  });
});

test("the hub's zone is known to the balancers of upstreams that prefer it", () => {
  const zonesOf = (text: string) => configOf(text).upstreams.map(({ balancer }) => balancer.zone);
  const upstreams =
    "upstreams: { a: { endpoints: [h:1] }, b: { endpoints: [h:1], zones: { prefer: false } } }";
  assert.deepEqual(zonesOf(`zone: eu-1a\n${upstreams}\n`), ["eu-1a", undefined]);
  assert.deepEqual(zonesOf(`zone: ""\n${upstreams}\n`), [undefined, undefined]);
});

/** Text of a file that is fine, and the warnings of it. */
const WITHOUT_EFFECT: readonly (readonly [text: string, warnings: readonly string[]])[] = [
  [
    "upstreams: { a: { endpoints: [h:1], schema: none, services: [b.C] } }\nmethods: { b.C: { forms: true }, b.C/D: { deadline: 5s, http: { success: 201 } } }\n",
    [
      '2:19: methods["b.C"].forms: has no effect: the upstream a has schema: none, which is for gRPC alone',
      '2:57: methods["b.C/D"].http: has no effect: the upstream a has schema: none, which is for gRPC alone',
    ],
  ],
  [UP, []],
  [
    "upstreams: { a: { endpoints: [h:1, i:1, H:1], connections: { max: 1, idle: 1m } } }\n",
    [
      "1:41: upstreams.a.endpoints[2]: stands twice: it gets two shares of the calls",
      "1:70: upstreams.a.connections.idle: has no effect: connections.max is 1, and the first one is kept",
    ],
  ],
  [
    "upstreams: { a: { endpoints: [h:1], connections: { max: 9, total: 5 } } }\n",
    ["1:52: upstreams.a.connections.max: has no effect: connections.total is less"],
  ],
  [
    `upstreams:
  a: { endpoints: [h:1], balancer: { maglev: { identity: true } }, slowStart: { window: 9s } }
  b: { endpoints: [h:1], slowStart: { aggression: 2 }, zones: { prefer: true } }
`,
    [
      "2:68: upstreams.a.slowStart: has no effect: maglev would move keys at every step",
      "3:39: upstreams.b.slowStart.aggression: has no effect: slowStart.window is none",
      "3:65: upstreams.b.zones.prefer: has no effect: the hub has no zone",
    ],
  ],
  ["upstreams: { a: { endpoints: [h:1], connections: { total: 2 } } }\n", []],
  [
    "upstreams: { a: { endpoints: [h:1], outliers: { consecutive: none, successRate: false } } }\n",
    ["1:37: upstreams.a.outliers: ejects nothing: consecutive is none, and successRate false"],
  ],
  [
    "upstreams: { a: { endpoints: [h:1], outliers: { ejection: 2m, maxEjection: 1m } } }\n",
    ["1:63: upstreams.a.outliers.maxEjection: has no effect: outliers.ejection is longer, and counts"],
  ],
  [
    `${UP}interceptors: { tracing: { endpoint: "http://h:1", protocol: grpc } }\n`,
    [
      "2:28: interceptors.tracing.endpoint: has no effect: tracing.exporter is none",
      "2:52: interceptors.tracing.protocol: has no effect: tracing.exporter is none",
    ],
  ],
  [
    `${UP}interceptors: { metrics: { enabled: false, exporter: otlp, interval: 10s } }\n`,
    ["2:44: interceptors.metrics.exporter: has no effect: metrics.enabled is false"],
  ],
  [
    `${UP}interceptors: { metrics: { interval: 10s }, accessLog: { sample: 0.5 } }\n`,
    [
      "2:28: interceptors.metrics.interval: has no effect: metrics.exporter is none",
      "2:58: interceptors.accessLog.sample: has no effect: accessLog.destination is off",
    ],
  ],
  [
    `${UP}interceptors: { deadline: { max: 5s } }\nmethods: { a.B/C: { deadline: 9s, idempotent: true }, a.B.C: { deadline: 5s } }\n`,
    [
      '3:21: methods["a.B/C"].deadline: has no effect: deadline.max caps it at 5s',
      '3:35: methods["a.B/C"].idempotent: has no effect: no upstream has retries, which are off until they are configured',
      '3:55: methods["a.B.C"]: is read as the name of a service; a method is a.B/C',
    ],
  ],
  ["upstreams: { a: { endpoints: [a:1], retries: {} } }\nmethods: { a.B/C: { idempotent: true } }\n", []],
  [`${UP}methods: { a.B/C: { idempotent: true, retries: {} }, a.B/D: { idempotent: false } }\n`, []],
  [
    `${UP}methods: { a.B/C: { idempotent: true, retries: false }, a.B/D: { idempotent: false, retries: { attempts: 2 } } }\n`,
    [
      '2:21: methods["a.B/C"].idempotent: has no effect: retries is false',
      '2:85: methods["a.B/D"].retries: has no effect: idempotent is false',
    ],
  ],
  [`${UP}http: { openapi: false }\n`, []],
  [`${UP}http: { openapi: false, docs: /d }\n`, ["2:25: http.docs: has no effect: http.openapi is false"]],
  [
    `${UP}http: { unknownQuery: ignore, ignoredQuery: [a], print: { emitNulls: true } }\n`,
    [
      "2:31: http.ignoredQuery: has no effect: http.unknownQuery is ignore",
      "2:59: http.print.emitNulls: has no effect: print.emitDefaults is false",
    ],
  ],
  [`${UP}http: { preset: grpc-gateway, print: { emitNulls: true } }\n`, []],
  [
    `${UP}http: { preset: envoy, ignoredQuery: [a], print: { emitNulls: true } }\n`,
    ["2:52: http.print.emitNulls: has no effect: print.emitDefaults is false"],
  ],
  [
    `${UP}http: { preset: grpc-gateway, ignoredQuery: [a] }\n`,
    ["2:31: http.ignoredQuery: has no effect: http.unknownQuery is ignore"],
  ],
  [
    `${UP}http: { webSocket: { origins: ["*", "https://a.example", "https://a.example:443"] }, cors: { origins: ["https://A.example", "http://a.example:80", "null", "app://x"] } }\n`,
    [
      "2:58: http.webSocket.origins[2]: never matches: browsers send https://a.example",
      "2:104: http.cors.origins[0]: never matches: browsers send https://a.example",
      "2:125: http.cors.origins[1]: never matches: browsers send http://a.example",
    ],
  ],
  [`${UP}limits: { maxAgeGrace: 5s }\n`, ["2:11: limits.maxAgeGrace: has no effect: limits.maxAge is none"]],
  [`${UP}limits: { maxAge: 5m, maxAgeGrace: 5s }\n`, []],
  [
    "upstreams: { a: { endpoints: [h:1], schema: { protoset: x } } }\nreadiness: { wait: 1s }\nschemaCache: /x\n",
    [
      "2:14: readiness.wait: has no effect: no upstream is learned by reflection",
      "3:1: schemaCache: has no effect: no upstream is learned by reflection",
    ],
  ],
];

describe("keys without effect are warned of", () => {
  for (const [text, expected] of WITHOUT_EFFECT)
    test(text.replace(UP, "").trim(), () => {
      const result = parse(text);
      assert.ok(result.ok, result.ok ? "" : formatErrors(result.errors));
      assert.deepEqual(
        result.warnings.map(formatError),
        expected.map((warning) => `c.yaml:${warning}`),
      );
    });
});

describe("a hostile file", () => {
  test("of aliases to aliases ends at the bound", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 12; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    const errors = errorsOf(lines.join("\n"));
    assert.ok(errors.some((line) => line.includes("more than 100000 values")));
  });
  test("of an alias inside its own anchor is refused", () => {
    assert.match(
      errorsOf("a: &a [*a, *a]\n").join("\n"),
      /c\.yaml:1:8: a\[0\]: this alias stands inside its own anchor &a/,
    );
  });
  test("of deep nesting ends with few errors", () => {
    for (const [open, close] of [
      ["[", "]"],
      ["{a: ", "}"],
      ["- ", ""],
      ["? ", ""],
    ] as const) {
      for (const depth of [100, 10_000, 200_000]) {
        const errors = errorsOf(`${open.repeat(depth)}${close.repeat(depth)}`);
        assert.ok(errors.length > 0 && errors.length < 5, errors.join("\n"));
        assert.match(errors.join("\n"), /^c\.yaml:1:\d+: .*nested more than 32 levels deep/m);
      }
    }
  });
  // 100 KB each: a scan per error, or per sign, takes minutes.
  for (const part of [
    "&a ",
    "!a ",
    '"',
    "${A:-",
    "$",
    "<<: *a\n",
    "---\n",
    "%YAML 1.2\n",
    "*a, ",
    "\n",
    "\t",
  ]) {
    test(`of nothing but ${JSON.stringify(part)} ends soon`, () => {
      for (const start of ["", "a: ", 'a: "', "a: ["]) {
        assert.ok(errorsOf(start + part.repeat(100_000 / part.length)).length > 0);
      }
    });
  }
  test("with many errors reports a hundred, and the number of the others", () => {
    const text = Array.from({ length: 150 }, (_, i) => `k${i}: 1`).join("\n");
    const errors = errorsOf(`${UP}${text}`);
    assert.equal(errors.length, 101);
    assert.equal(errors.at(-1), "and 50 more errors");
  });
});

describe("whatever the file is", () => {
  const directory = "/";
  const holds = (bytes: Uint8Array): void => {
    const result = parse(bytes, { directory });
    if (result.ok) return;
    assert.ok(result.errors.length > 0);
    const lines = Buffer.from(bytes).toString("utf8").split("\n").length;
    for (const e of result.errors) {
      assert.ok(e.line >= 1 && e.column >= 1 && e.line <= lines + 1, JSON.stringify(e));
      assert.ok(e.message !== "" && !e.message.includes("\n"), JSON.stringify(e));
    }
  };

  test("bytes never make it throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), holds));
  });
  test("text made of YAML's own signs never makes it throw", () => {
    const bits = fc.constantFrom(
      "upstreams",
      ":",
      " ",
      "\n",
      "  ",
      "-",
      "{",
      "}",
      "[",
      "]",
      ",",
      "&a",
      "*a",
      "!t",
      "|",
      ">",
      '"',
      "'",
      "#",
      "1:93: upstreams.a.retries.budget: must be a share such as 20%, none, or { share: 20%, perSecond: 10 }, not 120%",
      "1:116: upstreams.a.retries.backoff.base: must be from 1ms to 576h, not 0s",
      "1:130: upstreams.a.retries.replay: must be from 1KiB to 4MiB, not 5MiB",
      "1:136: upstreams.a.retries.hedge.delay: is missing: must be a duration such as 250ms, 15s, 2m or 1h",
      "\t",
      "<<",
      "${PORT}",
      "${",
      "null",
      "endpoints",
      "h:1",
      "listen",
      "methods",
      "http",
      "rules",
      "---",
      "...",
      "\r",
      "%",
    );
    fc.assert(
      fc.property(
        fc.array(bits, { maxLength: 40 }).map((parts) => Buffer.from(parts.join(""))),
        holds,
      ),
      {
        numRuns: 2_000,
      },
    );
  });
  test("any JSON in the place of any key never makes it throw", () => {
    const keys = [
      "listen",
      "admin",
      "upstreams",
      "interceptors",
      "methods",
      "http",
      "reflection",
      "limits",
      "drain",
    ];
    const shape = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 4 }));
    fc.assert(fc.property(shape, (value) => holds(Buffer.from(JSON.stringify(value)))));
  });
});

describe("loadConfig", () => {
  test("reads a file, and files that it names beside it", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "linchpin-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "c.yaml");
    writeFileSync(join(folder, "x.binpb"), "");
    writeFileSync(file, "upstreams: { a: { endpoints: [h:1], schema: { protoset: x.binpb } } }");
    assert.deepEqual(loadConfig(file, {}).upstreams[0]?.schema, {
      kind: "protoset",
      file: join(folder, "x.binpb"),
    });
    writeFileSync(file, "upstreams: { a: { endpoints: [h:1], schema: { protos: [x.binpb] } } }");
    assert.throws(() => loadConfig(file, {}), /c\.yaml:1:56: .*x\.binpb is no directory/);
  });
  test("reads a gRPC service config, and says what is wrong in it", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "linchpin-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "c.yaml");
    const json = join(folder, "s.json");
    writeFileSync(file, "upstreams: { a: { endpoints: [h:1], serviceConfig: s.json } }");
    assert.throws(() => loadConfig(file, {}), /c\.yaml:1:52: .*s\.json: no such file/);
    writeFileSync(json, `{ "methodConfig": [{ "name": [{ "service": "a.B" }], "timeout": "1s" }] }`);
    assert.deepEqual(
      [...(loadConfig(file, {}).upstreams[0]?.serviceConfig ?? [])],
      [["a.B", { retries: undefined, timeoutMs: 1000 }]],
    );
    writeFileSync(json, `{ "methodConfig": [{ "name": [7], "timeout": 1 }] }`);
    assert.throws(
      () => loadConfig(file, {}),
      /c\.yaml:1:52: upstreams\.a\.serviceConfig: .*s\.json: methodConfig\[0\]\.timeout: must be a duration in seconds/,
    );
  });
  test("says in one sentence that there is no such file", () => {
    assert.throws(
      () => loadConfig("/nowhere/c.yaml", {}),
      (error) => error instanceof UserError && error.message === "/nowhere/c.yaml: no such file or directory",
    );
    assert.throws(() => loadConfig("/", {}), /is a directory, not a config file/);
  });
});
