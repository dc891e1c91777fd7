// A hub in a program: its own services by every protocol, its own interceptors, and what it says of mistakes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, type ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { LibraryServiceClient, LibraryServiceService } from "#generated/library/v1/library.js";
import { BehaviorServiceService } from "#generated/test/v1/behavior.js";
import {
  type AdminPage,
  type BalancerEndpoint,
  type BalancerMaker,
  type Call,
  Code,
  createHub,
  type EndpointWatcher,
  errorInfo,
  Headers,
  type Hub,
  type HubFileOptions,
  type HubOptions,
  type Interceptor,
  type InterceptorContext,
  type InterceptorMaker,
  type Log,
  type Place,
  type SourceMaker,
  Status,
  type Step,
  UserError,
} from "#src/index.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { Store } from "#src/samples/library/store.js";
import { libraryV1 } from "#src/samples/library/v1.js";
import { behaviorClient, callServerStream, callUnary, metadataOf, type Outcome } from "./e2e/support/grpc.js";
import { HealthClient } from "./e2e/support/health.js";
import { http } from "./e2e/support/http.js";
import { fileOf } from "./e2e/support/hub.js";
import { startNode } from "./e2e/support/program.js";
import { serveBehavior } from "./e2e/support/service.js";
import { until } from "./support/until.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const IMAGE = readFileSync(join(ROOT, "generated/image.binpb"));

const BEHAVIOR = {
  definition: BehaviorServiceService,
  implementation: behavior("embedded"),
  descriptors: IMAGE,
};

/** Takes down what the hub says. */
class Said implements Log {
  readonly lines: string[] = [];
  info(): void {}
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

async function start(t: TestContext, options: Partial<HubOptions>): Promise<Hub> {
  const hub = await createHub({ listen: "127.0.0.1:0", log: false, ...options });
  t.after(() => hub.close());
  return hub;
}

/** A hub with the behavior service in it, and interceptors. */
function withInterceptors(
  t: TestContext,
  use: HubOptions["use"],
  options: Partial<HubOptions> = {},
): Promise<Hub> {
  return start(t, { services: [BEHAVIOR], use, ...options });
}

/** An interceptor for every method. */
function everywhere(name: string, step: Omit<Step, "name">): Interceptor {
  return { name, plan: () => ({ name, ...step }) };
}

/** The value that the service saw. */
function seen(
  outcome: Outcome<{ seen?: { metadata: { key: string; value: string }[] } | undefined }>,
  key: string,
) {
  return outcome.messages[0]?.seen?.metadata.find((entry) => entry.key === key)?.value;
}

/** Names that a module exports, types too, as its source lists them. */
function exportsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), "utf8");
  const lists = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = ""]) =>
    list.split(",").map((name) => name.replace(/^\s*type /, "").trim()),
  );
  const own = [...source.matchAll(/^export (?:async )?(?:function|interface|type|const|class) (\w+)/gm)];
  return [...lists, ...own.map(([, name = ""]) => name)].filter((name) => name !== "").sort();
}

test("docs/embedding.md lists what is exported, and nothing else", () => {
  const [, section = ""] =
    /\n## What is exported\n(.*?)\n## /s.exec(readFileSync(join(ROOT, "docs/embedding.md"), "utf8")) ?? [];
  const listed = (beginning: string): string[] =>
    section
      .split("\n")
      .filter((line) => line.startsWith(beginning))
      .flatMap((line) => [...line.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name))
      .sort();
  assert.deepEqual(listed("| "), exportsOf("src/index.ts"));
  assert.deepEqual(listed("`linchpin-hub/testing` has "), exportsOf("src/testing.ts"));
});

test("a program's hub has the documented members, and no more", async (t) => {
  const hub = await start(t, { services: [BEHAVIOR] });
  const documented = ["address", "url", "urls", "adminUrl", "ready", "interceptors", "routes", "upstreams"];
  assert.deepEqual(Object.keys(hub), [...documented, "reload", "drain", "close"]);
  const { upstreams, routes, reload } = hub;
  assert.deepEqual([upstreams().length, routes().length > 0], [0, true]);
  await assert.rejects(reload(), /there is no config file to reload/);
});

test("a service of one's own answers gRPC and JSON, and is in reflection, health and routes", async (t) => {
  const hub = await start(t, { services: [BEHAVIOR] });
  const client = behaviorClient(t, hub.address);
  const unary = await callUnary(client, { payload: Buffer.from("hi") });
  assert.equal(unary.code, 0, unary.details);
  assert.equal(unary.messages[0]?.seen?.instance, "embedded");
  const streamed = await callServerStream(client, { behavior: { responseCount: 3 } });
  assert.equal(streamed.messages.length, 3);

  for (const version of ["1.1", "2"] as const) {
    const json = await http(version, hub.address, "/test/v1/unary", { body: '{"payload":"aGk="}' });
    assert.equal(json.status, 200, json.text);
    assert.match(json.text, /"instance":"embedded"/);
  }
  assert.deepEqual(await new HealthClient(t, hub.address).check("test.v1.BehaviorService"), {
    serving: "SERVING",
  });
  const rows = hub.routes().map(({ verb, path }) => `${verb} ${path}`);
  assert.ok(rows.includes("POST /test/v1/unary"), rows.join("\n"));
  assert.ok(rows.includes("gRPC /test.v1.BehaviorService/Unary"), rows.join("\n"));
});

test("a hub before this one learns the service by reflection, rules included", async (t) => {
  const inner = await start(t, { services: [BEHAVIOR] });
  const outer = await start(t, { upstreams: { inner: { endpoints: [inner.address] } } });
  const json = await http("1.1", outer.address, "/test/v1/unary", { body: "{}" });
  assert.equal(json.status, 200, json.text);
});

test("definitions of proto-loader bring their own descriptors, HTTP rules included", async (t) => {
  const require = createRequire(import.meta.url);
  const loaded = loadPackageDefinition(
    loadSync("library/v1/library.proto", {
      includeDirs: [join(ROOT, "proto"), join(require.resolve("google-proto-files/package.json"), "..")],
      longs: String,
      enums: String,
      defaults: true,
    }),
  );
  const definition = serviceAt(loaded, ["library", "v1", "LibraryService", "service"]);
  const said = new Said();
  const hub = await start(t, {
    services: [
      {
        definition,
        implementation: {
          getBook: (
            call: { request: { name: string } },
            answer: (error: null, book: { name: string; title: string }) => void,
          ) => answer(null, { name: call.request.name, title: "Emma" }),
        },
      },
    ],
    log: said,
  });
  assert.deepEqual(said.lines, []);
  const book = await http("1.1", hub.address, "/v1/books/emma");
  assert.deepEqual(book.json(), { name: "books/emma", title: "Emma" });
  const additional = await http("1.1", hub.address, "/v1/shelves/a/books/emma");
  assert.equal(additional.status, 200, additional.text);
  const missing = await http("1.1", hub.address, "/v1/books");
  assert.equal(missing.status, 501, missing.text);
});

function serviceAt(root: unknown, path: readonly string[]): ServiceDefinition {
  let value: unknown = root;
  for (const key of path) value = value === undefined ? undefined : Reflect.get(Object(value), key);
  if (typeof value !== "object" || value === null) throw new Error(`no ${path.join(".")}`);
  return { ...value };
}

test("without descriptors a service is for gRPC alone, and the log says what to give", async (t) => {
  const said = new Said();
  const { descriptors: _, ...bare } = BEHAVIOR;
  const hub = await start(t, { services: [bare], log: said });
  const unary = await callUnary(behaviorClient(t, hub.address), {});
  assert.equal(unary.code, 0, unary.details);
  assert.equal((await http("1.1", hub.address, "/test/v1/unary", { body: "{}" })).status, 404);
  assert.equal(said.lines.length, 1, said.lines.join("\n"));
  assert.match(said.lines[0] ?? "", /test\.v1\.BehaviorService .*`descriptors`/);
  assert.deepEqual(await new HealthClient(t, hub.address).check("test.v1.BehaviorService"), {
    serving: "SERVING",
  });
});

test("policies hold for services of one's own as for others: deadlines", async (t) => {
  const hub = await start(t, {
    services: [BEHAVIOR],
    methods: { "test.v1.BehaviorService/Unary": { deadline: "50ms" } },
  });
  const slow = { behavior: { delay: { seconds: 10n, nanos: 0 } } };
  const unary = await callUnary(behaviorClient(t, hub.address), slow);
  assert.equal(unary.code, Code.DEADLINE_EXCEEDED, unary.details);
  const json = await http("1.1", hub.address, "/test/v1/unary", { body: '{"behavior":{"delay":"10s"}}' });
  assert.equal(json.status, 504, json.text);
});

test("a service of one's own comes before an upstream's of the same name; other upstreams stay", async (t) => {
  const upstream = await serveBehavior(t, behavior("upstream"));
  const said = new Said();
  const hub = await start(t, {
    services: [BEHAVIOR],
    upstreams: { other: { endpoints: [upstream.address] } },
    log: said,
  });
  const unary = await callUnary(behaviorClient(t, hub.address), {});
  assert.equal(unary.messages[0]?.seen?.instance, "embedded");
  assert.match(said.lines.join("\n"), /test\.v1\.BehaviorService of upstream "other" is hidden/);
});

test("a client that ts-proto generated calls a service of one's own", async (t) => {
  const hub = await start(t, {
    services: [
      {
        definition: LibraryServiceService,
        implementation: libraryV1(new Store()),
        descriptors: IMAGE,
      },
    ],
  });
  const client = new LibraryServiceClient(hub.address, credentials.createInsecure());
  t.after(() => client.close());
  const title = await new Promise((resolve, reject) =>
    client.getBook({ name: "books/the-hobbit" }, (error, book) =>
      error === null ? resolve(book.title) : reject(error),
    ),
  );
  assert.equal(title, "The Hobbit");
});

test("an interceptor refuses: code, message, details and header fields reach both kinds of clients", async (t) => {
  const hub = await withInterceptors(t, [
    everywhere("closed", {
      start: () =>
        new Status(Code.PERMISSION_DENIED, "closed on Sundays", {
          details: [errorInfo("CLOSED", "example.org")],
          metadata: Headers.of(["x-opens", "monday"]),
        }),
    }),
  ]);
  const unary = await callUnary(behaviorClient(t, hub.address), {});
  assert.equal(unary.code, Code.PERMISSION_DENIED);
  assert.equal(unary.details, "closed on Sundays");
  assert.deepEqual(unary.trailers.get("x-opens"), ["monday"]);
  const json = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
  assert.equal(json.status, 403);
  assert.equal(json.headers["x-opens"], "monday");
  assert.match(json.text, /"reason":"CLOSED"/);
});

test("an interceptor sets the identity, and those after it see it", async (t) => {
  const identities: unknown[] = [];
  const hub = await withInterceptors(t, [
    {
      interceptor: everywhere("watch", {
        start(call) {
          identities.push(call.identity);
          return undefined;
        },
      }),
      before: "quota",
    },
    everywhere("who", {
      start(call) {
        const name = call.headers.get("x-user");
        if (name === undefined) return new Status(Code.UNAUTHENTICATED, "x-user is missing");
        call.identity = { name, kind: "custom", roles: ["reader"] };
        return undefined;
      },
    }),
  ]);
  const client = behaviorClient(t, hub.address);
  assert.equal((await callUnary(client, {})).code, Code.UNAUTHENTICATED);
  assert.equal((await callUnary(client, {}, { metadata: metadataOf([["x-user", "ada"]]) })).code, 0);
  const json = await http("2", hub.address, "/test/v1/unary", { body: "{}", headers: { "x-user": "ada" } });
  assert.equal(json.status, 200);
  const ada = { name: "ada", kind: "custom", roles: ["reader"] };
  assert.deepEqual(identities, [ada, ada]);
});

test("an interceptor edits what the service sees, and adds to the answer", async (t) => {
  const hub = await withInterceptors(t, [
    everywhere("edit", {
      start(call) {
        call.headers.set("x-tenant", "blue");
        call.headers.delete("x-drop");
        call.addResponseHeader("x-hub", "yes");
        return undefined;
      },
    }),
  ]);
  const metadata = metadataOf([
    ["x-tenant", "forged"],
    ["x-drop", "1"],
  ]);
  const unary = await callUnary(behaviorClient(t, hub.address), {}, { metadata });
  assert.equal(seen(unary, "x-tenant"), "blue");
  assert.equal(seen(unary, "x-drop"), undefined);
  assert.deepEqual(unary.headers?.get("x-hub"), ["yes"]);
  const json = await http("1.1", hub.address, "/test/v1/unary", {
    body: "{}",
    headers: { "x-tenant": "forged", "x-drop": "1" },
  });
  assert.match(json.text, /\{"key":"x-tenant","value":"blue"\}/);
  assert.doesNotMatch(json.text, /x-drop/);
  assert.equal(json.headers["x-hub"], "yes");
});

test("an interceptor sees preflights where it says that it is for them", async (t) => {
  const seenBy: string[] = [];
  const look = (name: string): Interceptor =>
    everywhere(name, { end: (call) => seenBy.push(`${name} ${call.http?.method} ${call.http?.status}`) });
  const use = [look("plain"), { ...look("open"), preflights: true }];
  const hub = await withInterceptors(t, use, { http: { cors: { origins: "*" } } });
  const headers = { origin: "https://app.example", "access-control-request-method": "POST" };
  for (const version of ["1.1", "2"] as const)
    assert.equal(
      (await http(version, hub.address, "/test/v1/unary", { method: "OPTIONS", headers })).status,
      204,
    );
  assert.deepEqual(seenBy, ["open OPTIONS 204", "open OPTIONS 204"]);
  await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
  assert.deepEqual(seenBy.slice(2), ["open POST 200", "plain POST 200"]);
});

/** A promise of another library, which is no instance of Promise. */
function thenable<T>(value: T): Promise<T> {
  const promise = new Promise<T>((resolve) => setImmediate(() => resolve(value)));
  // biome-ignore lint/suspicious/noThenProperty: to be one is what it is for
  const foreign: Promise<T> = Object.create(null, { then: { value: promise.then.bind(promise) } });
  return foreign;
}

test("an interceptor waits by a promise; what it resolves with decides", async (t) => {
  for (const promise of [thenable, async <T>(value: T) => value]) {
    const hub = await withInterceptors(t, [
      everywhere("ask", {
        start: (call) =>
          promise(
            call.headers.get("x-pass") === undefined
              ? new Status(Code.RESOURCE_EXHAUSTED, "not today")
              : undefined,
          ),
      }),
    ]);
    const client = behaviorClient(t, hub.address);
    assert.equal((await callUnary(client, {})).code, Code.RESOURCE_EXHAUSTED);
    assert.equal((await callUnary(client, {}, { metadata: metadataOf([["x-pass", "1"]]) })).code, 0);
    const refused = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
    assert.equal(refused.status, 429);
  }
});

const never = new Promise<undefined>(() => {});

test("an interceptor that waits too long is cut by the deadline, which names it", async (t) => {
  const hub = await withInterceptors(t, [everywhere("slow-check", { start: () => never })]);
  const json = await http("1.1", hub.address, "/test/v1/unary", {
    body: "{}",
    headers: { "x-request-timeout": "0.05" },
  });
  assert.equal(json.status, 504, json.text);
  assert.match(json.text, /slow-check/);
});

// What no compiler lets pass comes from programs in JavaScript.
const BROKEN: readonly (readonly [string, NonNullable<Step["start"]>, RegExp])[] = [
  ["throws", () => assert.fail("secret of the program"), /secret of the program/],
  ["rejects", () => Promise.reject(new Error("secret of the program")), /secret of the program/],
  ["answers true", () => JSON.parse("true"), /nothing or a Status, not a boolean/],
  ["resolves with text", async () => JSON.parse('"no"'), /nothing or a Status, not a string/],
  ["refuses with an object", () => JSON.parse('{"code":7}'), /nothing or a Status, not an object/],
  [
    "refuses with OK",
    () => new Status(Code.OK, "fine"),
    /Status of code OK: to admit a call, return nothing/,
  ],
  [
    "refuses with OK and no message",
    () => Reflect.construct(Status, [Code.OK]),
    /takes a number of Code and a text for the client, not the message undefined; what admits a call/,
  ],
  [
    "refuses by the code's name",
    () => Reflect.construct(Status, ["NOT_FOUND", "no"]),
    /takes a number of Code and a text for the client, not the code a string/,
  ],
  [
    "refuses with a number that is no code",
    () => new Status(404, "no"),
    /Status of code 404: codes are 1 to 16/,
  ],
  [
    "refuses with a status that HTTP does not have",
    () => new Status(Code.NOT_FOUND, "no", { http: 101 }),
    /Status of http 101: an answer has 200 to 599/,
  ],
];
for (const [i, [what, broken, logged]] of BROKEN.entries()) {
  test(`an interceptor that ${what} fails the call alone: INTERNAL, the reason in the log only`, async (t) => {
    const said = new Said();
    let calls = 0;
    const hub = await withInterceptors(
      t,
      [
        everywhere(`bad-${i}`, {
          start: (call) => (calls++ === 0 ? broken(call) : undefined),
        }),
      ],
      { log: said },
    );
    const client = behaviorClient(t, hub.address);
    const first = await callUnary(client, {});
    assert.equal(first.code, Code.INTERNAL);
    assert.match(first.details, /"bad-\d"/);
    assert.doesNotMatch(first.details, /secret/);
    assert.equal(said.lines.length, 1);
    assert.match(said.lines[0] ?? "", logged);
    assert.match(said.lines[0] ?? "", /interceptor "bad-\d" failed on \/test\.v1\.BehaviorService\/Unary/);
    assert.equal((await callUnary(client, {})).code, 0);
  });
}

test("a handler that aborts with OK fails the call: a client that got OK would continue with nothing", async (t) => {
  const said = new Said();
  const hub = await withInterceptors(
    t,
    [
      everywhere("bad", {
        around: () => (_, response) => {
          const status = new Status(Code.OK, "");
          response.abort({ status, by: "hub", sent: "never" });
          return { open() {}, headers() {}, data() {}, trailers() {}, abort() {} };
        },
      }),
    ],
    { log: said },
  );
  const client = behaviorClient(t, hub.address);
  assert.equal((await callUnary(client, {})).code, Code.INTERNAL);
  assert.equal((await callServerStream(client, {})).code, Code.INTERNAL);
  assert.equal((await http("1.1", hub.address, "/test/v1/unary", { body: "{}" })).status, 500);
  assert.match(said.lines[0] ?? "", /needs a Status of another code than OK/);
});

test("a header that no message can carry is such a mistake", async (t) => {
  const said = new Said();
  const hub = await withInterceptors(
    t,
    [
      everywhere("bad", {
        start(call) {
          call.headers.set("X-Tenant", "blue\r\nx-admin: 1");
          return undefined;
        },
      }),
    ],
    { log: said },
  );
  assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, Code.INTERNAL);
  assert.match(said.lines[0] ?? "", /X-Tenant/);
});

test("every started interceptor gets the end, with the code; one that throws there harms nothing", async (t) => {
  const said = new Said();
  const ends: string[] = [];
  const end = (name: string): Interceptor =>
    everywhere(name, {
      end: (_: Call, outcome) => {
        ends.push(`${name} ${outcome.code} ${outcome.by}`);
        if (name === "inner") throw new Error("at the end");
      },
    });
  const hub = await withInterceptors(t, [end("outer"), end("inner")], { log: said });
  const client = behaviorClient(t, hub.address);
  const outcome = await callUnary(client, { behavior: { refuse: { code: 5, message: "no", details: [] } } });
  assert.equal(outcome.code, Code.NOT_FOUND);
  assert.deepEqual(ends, ["inner 5 upstream", "outer 5 upstream"]);
  assert.match(said.lines[0] ?? "", /"inner" failed at the end of .*at the end/s);
});

test("an interceptor is on the path of the methods that it plans for, and of no other", async (t) => {
  const planned: string[] = [];
  const calls: string[] = [];
  const hub = await withInterceptors(t, [
    {
      name: "unary-only",
      plan(method) {
        planned.push(`${method.service}/${method.name}`);
        if (method.kind !== "unary") return undefined;
        return {
          name: "unary-only",
          start(call) {
            calls.push(call.method.path);
            return undefined;
          },
        };
      },
    },
  ]);
  const client = behaviorClient(t, hub.address);
  await callUnary(client, {});
  await callServerStream(client, { behavior: { responseCount: 1 } });
  assert.deepEqual(calls, ["/test.v1.BehaviorService/Unary"]);
  assert.ok(planned.includes("test.v1.BehaviorService/ServerStream"));
  // The hub's own services have a plan for each service.
  assert.ok(planned.includes("grpc.health.v1.Health/_OTHER"), planned.join("\n"));
});

test("the order is shown: after auth by default, else where it is asked for", async (t) => {
  const one = (name: string): Interceptor => ({ name, plan: () => undefined });
  const hub = await withInterceptors(t, [
    { interceptor: one("last"), after: "quota" },
    one("default-1"),
    { interceptor: one("first"), before: "tracing" },
    one("default-2"),
    { interceptor: one("before-deadline"), before: "deadline" },
    { interceptor: one("after-deadline"), after: "deadline" },
  ]);
  const own = hub.interceptors.filter((name) => /first|last|default|deadline/.test(name));
  assert.deepEqual(own, [
    "first",
    "before-deadline",
    "deadline",
    "after-deadline",
    "default-1",
    "default-2",
    "last",
  ]);
});

test("`make` gets the context of the hub's own: clock, log, counters, and what outlives a reload", async (t) => {
  const contexts: InterceptorContext[] = [];
  const counts = { made: 0 };
  const maker: InterceptorMaker = {
    make(context) {
      contexts.push(context);
      const kept = context.retained.keep("toy", {}, () => ({ made: ++counts.made, close() {} }));
      const calls = context.meters.counter("toy.calls", "Calls of the toy.", {});
      const start = (): undefined => {
        calls.add();
      };
      return { name: `toy-${kept.made}`, plan: () => ({ name: "toy", start }) };
    },
  };
  const later: InterceptorMaker = { make: async () => ({ name: "later", plan: () => undefined }) };
  const hub = await withInterceptors(t, [
    { interceptor: later, after: "quota" },
    { interceptor: maker, after: "quota" },
  ]);
  assert.deepEqual(hub.interceptors.slice(-2), ["later", "toy-1"]);
  assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, 0);
  assert.deepEqual(
    contexts.map(({ clock, log }) => [typeof clock.now(), typeof log.warn]),
    [["number", "function"]],
  );
});

// A place may be misspelt where no compiler looks.
const nowhere: Place = JSON.parse('"qouta"');
/** Options of a program in JavaScript: whatever these are. */
const unchecked = (options: object): HubOptions => Object.assign(use(), options);
const step = (made: unknown) => unchecked({ use: [{ name: "x", plan: () => made }] });
const page = (own: object): object => ({
  path: "/tenants",
  about: "the tenants",
  respond: () => ({ body: 1 }),
  ...own,
});
const MISTAKES: readonly (readonly [string, () => HubOptions | HubFileOptions, RegExp])[] = [
  ["nothing to serve", () => ({ listen: "127.0.0.1:0" }), /^upstreams: is missing/],
  ["no address", () => JSON.parse('{"upstreams":{"a":{"endpoints":["127.0.0.1:1"]}}}'), /^listen is missing/],
  [
    "wrong keys, all of them at once",
    () =>
      JSON.parse(
        '{"listen":"8080","upstreams":{"a":{"endpoints":[]}},"interceptors":{"dedline":{}},"drain":{"grace":7}}',
      ),
    /^listen: must name the host.*, not "8080"\nupstreams\.a\.endpoints: .*\ninterceptors\.dedline: unknown key \(did you mean deadline.*\ndrain\.grace: .*, not 7$/s,
  ],
  [
    "keys beside a file",
    () => ({ configFile: "linchpin.yaml", reflection: false }),
    /^reflection cannot be combined with configFile/,
  ],
  ["a file that is not there", () => ({ configFile: "/nowhere/linchpin.yaml" }), /no such file/],
  [
    "two services of one name",
    () => ({ listen: "127.0.0.1:0", services: [BEHAVIOR, BEHAVIOR] }),
    /^service test\.v1\.BehaviorService is given twice$/,
  ],
  [
    "descriptors of something else",
    () => ({ listen: "127.0.0.1:0", services: [{ ...BEHAVIOR, descriptors: Buffer.from("{}") }] }),
    /^service test\.v1\.BehaviorService: the descriptors are not a serialized FileDescriptorSet$/,
  ],
  [
    "descriptors without the service",
    () => ({ listen: "127.0.0.1:0", services: [{ ...BEHAVIOR, descriptors: new Uint8Array() }] }),
    /^service test\.v1\.BehaviorService: the descriptors do not declare test\.v1\.BehaviorService$/,
  ],
  [
    "a service without methods",
    () => ({ listen: "127.0.0.1:0", services: [{ definition: {}, implementation: {} }] }),
    /^a service's definition must have methods/,
  ],
  [
    "two interceptors of one name",
    () => use(everywhere("same", {}), everywhere("same", {})),
    /^interceptor "same": another interceptor has that name$/,
  ],
  ["an interceptor with the name of the hub's", () => use(everywhere("quota", {})), /another interceptor/],
  ["an interceptor without a name", () => use(everywhere("", {})), /a name has 1 to 63/],
  [
    "a place that does not exist",
    () => use({ interceptor: everywhere("one", {}), before: nowhere }),
    /no place "qouta"; the places are tracing, /,
  ],
  [
    "two places",
    () => use({ interceptor: everywhere("one", {}), before: "quota", after: "auth" }),
    /either before or after/,
  ],
  ["a use that is no list", () => unchecked({ use: { name: "x" } }), /^use must be a list, not an object$/],
  [
    "no interceptor",
    () => unchecked({ use: [undefined] }),
    /^use\[0\] is an object with a name .*, not undefined$/,
  ],
  ["a function", () => unchecked({ use: [() => {}] }), /^use\[0\] is an object .*, not a function$/],
  [
    "an interceptor without plan",
    () => unchecked({ use: [{ name: "x" }] }),
    /^interceptor "x": plan\(method\) must be a function .*; it is undefined$/,
  ],
  [
    "an interceptor whose name is missing",
    () => unchecked({ use: [{ plan() {} }] }),
    /^interceptor use\[0\]: a name/,
  ],
  [
    "no interceptor at a place",
    () => unchecked({ use: [{ interceptor: undefined, before: "auth" }] }),
    /^use\[0\]\.interceptor is an object .*, not undefined$/,
  ],
  [
    "a place under a wrong key",
    () => unchecked({ use: [{ interceptor: everywhere("x", {}), befor: "auth" }] }),
    /^use\[0\]\.befor: unknown key \(did you mean before\?\)$/,
  ],
  [
    "a place in the interceptor itself",
    () => unchecked({ use: [{ ...everywhere("x", {}), before: "auth" }] }),
    /^interceptor "x": before stands beside it, as in \{ interceptor, before \}$/,
  ],
  [
    "a make that is no function",
    () => unchecked({ use: [{ make: 1 }] }),
    /^use\[0\]\.make must be a function that returns an interceptor, not a number$/,
  ],
  [
    "a make that returns nothing",
    () => unchecked({ use: [{ interceptor: { make() {} }, after: "auth" }] }),
    /^what use\[0\]\.interceptor\.make returns is an object .*, not undefined$/,
  ],
  [
    "a plan that throws",
    () => use({ name: "x", plan: () => assert.fail("no such tenant") }),
    /^interceptor "x" failed to plan .*: no such tenant$/,
  ],
  [
    "a plan that is a promise",
    () => step(Promise.resolve()),
    /plan returns a step at once, or nothing, not a promise$/,
  ],
  [
    "a step that is a function",
    () => step(() => {}),
    /plan returns a step at once, or nothing, not a function$/,
  ],
  [
    "a step whose start is no function",
    () => step({ start: true }),
    /start of a step must be a function, not a boolean$/,
  ],
  [
    "a step with a misspelt function",
    () => step({ name: "x", strat() {} }),
    /^interceptor "x": a step has start, messages, around, end or attempts, and this one has none \(did you mean start\?\)/,
  ],
  [
    "attempts that are a function",
    () => step({ attempts() {} }),
    /^interceptor "x": attempts of a step must be an object with some of begin, headers, end, not a function$/,
  ],
  ["attempts without a function", () => step({ attempts: {} }), /attempts of a step must have some of begin/],
  [
    "attempts whose end is no function",
    () => step({ attempts: { end: 1 } }),
    /attempts of a step have end, which must be a function, not a number$/,
  ],
  [
    "an around without a handler",
    () => step({ around() {} }),
    /around must return a Handler, not undefined$/,
  ],
  [
    "services that are no list",
    () => unchecked({ services: BEHAVIOR }),
    /^services must be a list, not an object$/,
  ],
  [
    "no service",
    () => unchecked({ services: [null] }),
    /^services\[0\] is an object with a definition .*, not null$/,
  ],
  [
    "a service without a definition",
    () => unchecked({ services: [{ implementation: {} }] }),
    /^services\[0\]\.definition must be what ts-proto .*, not undefined$/,
  ],
  [
    "a service's client in place of its definition",
    () => unchecked({ services: [{ definition: { getBook: () => {} }, implementation: {} }] }),
    /^services\[0\]\.definition\.getBook has no path/,
  ],
  [
    "a service without an implementation",
    () => unchecked({ services: [{ definition: BehaviorServiceService }] }),
    /^services\[0\]\.implementation must be an object .*, not undefined$/,
  ],
  [
    "descriptors by the name of their file",
    () => unchecked({ services: [{ ...BEHAVIOR, descriptors: "image.binpb" }] }),
    /^services\[0\]\.descriptors must be the bytes .*, not a string$/,
  ],
  [
    "balancers that are a list",
    () => unchecked({ balancers: [first] }),
    /^balancers must be an object with functions by their names, not a list$/,
  ],
  [
    "a balancer with the name of the hub's",
    () => unchecked({ balancers: { round_robin: first } }),
    /^balancers\.round_robin: the hub has one of that name$/,
  ],
  ["a balancer that is no function", () => unchecked({ balancers: { a: {} } }), /^balancers\.a must be a f/],
  [
    "a balancer that returns nothing",
    () =>
      unchecked({
        balancers: { nothing: () => undefined },
        upstreams: { a: { endpoints: ["127.0.0.1:1"], balancer: "nothing" } },
      }),
    /^balancer "nothing" must have a function update$/,
  ],
  [
    "a balancer that nobody has",
    () =>
      unchecked({
        balancers: { first },
        upstreams: { a: { endpoints: ["127.0.0.1:1"], balancer: "frist" } },
      }),
    /^upstreams\.a\.balancer: must be peak_ewma, .*random.*, first, or/,
  ],
  [
    "a scheme of the hub's",
    () => unchecked({ sources: { dns: () => ({ watch() {} }) } }),
    /^sources\.dns: the hub has one of that name$/,
  ],
  [
    "a target that its source refuses",
    () =>
      unchecked({
        sources: {
          memory: () => {
            throw new UserError("memory: names nothing");
          },
        },
        upstreams: { a: { endpoints: "memory:" } },
      }),
    /^upstreams\.a\.endpoints: memory: names nothing$/,
  ],
  ["pages that are no list", () => unchecked({ pages: page({}) }), /^pages must be a list, not an object$/],
  ["no page", () => unchecked({ pages: [null] }), /^pages\[0\] must be an object with path, .*, not null$/],
  [
    "a page of the hub's own",
    () => unchecked({ pages: [page({ path: "/metrics" })] }),
    /^pages\[0\]\.path: another page has the path \/metrics$/,
  ],
  [
    "two pages of one path",
    () => unchecked({ pages: [page({}), page({})] }),
    /^pages\[1\]\.path: another page has the path \/tenants$/,
  ],
  [
    "a page without a slash",
    () => unchecked({ pages: [page({ path: "tenants" })] }),
    /^pages\[0\]\.path must be a path such as \/tenants$/,
  ],
  [
    "a page with a misspelt key",
    () => unchecked({ pages: [{ ...page({}), respnd() {} }] }),
    /^pages\[0\]\.respnd: unknown key \(did you mean respond\?\)$/,
  ],
  [
    "a page that changes something by PUT",
    () => unchecked({ pages: [page({ method: "PUT" })] }),
    /^pages\[0\]\.method must be POST; /,
  ],
  [
    "a page that says nothing",
    () => unchecked({ pages: [page({ respond: "ok" })] }),
    /^pages\[0\]\.respond must be a function \(hub\) that returns \{ body \}, not a string$/,
  ],
  [
    "a log by its level",
    () => unchecked({ log: "info" }),
    /^log must be an object with the functions info, warn, error, or false, not a string$/,
  ],
];

function use(...interceptors: NonNullable<HubOptions["use"]>): HubOptions {
  return { listen: "127.0.0.1:0", services: [BEHAVIOR], use: interceptors };
}

for (const [what, options, message] of MISTAKES) {
  test(`createHub says what is wrong: ${what}`, async () => {
    const error: unknown = await createHub({ log: false, ...options() }).catch((error: unknown) => error);
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, message);
  });
}

for (const options of ["null", '"linchpin.yaml"', "[]"]) {
  test(`createHub says what it takes, given ${options}`, async () => {
    const error: unknown = await createHub(JSON.parse(options)).catch((error: unknown) => error);
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, /^createHub needs an object, .*configFile.*, not (?:null|a string|a list)$/);
  });
}

test("a function of an implementation that no call reaches is warned of", async (t) => {
  const said = new Said();
  const implementation = Object.assign(behavior("embedded"), { unari: () => {} });
  await start(t, { services: [{ ...BEHAVIOR, implementation }], log: said });
  assert.deepEqual(said.lines, [
    "warn service test.v1.BehaviorService has no method unari (did you mean unary?): that function is never called",
  ]);
});

test("what stands under a key for secrets is not repeated in an error", async () => {
  const options: HubOptions = JSON.parse('{"listen":"127.0.0.1:0","apiToken":"hunter2","services":[]}');
  const error: unknown = await createHub(options).catch((error: unknown) => error);
  assert.ok(error instanceof UserError);
  assert.doesNotMatch(error.message, /hunter2/);
});

test("an object's text is taken as it stands: no environment variables in it", async () => {
  const listen = "$" + "{HOME}";
  const error: unknown = await createHub({ listen, services: [BEHAVIOR] }).catch((error: unknown) => error);
  assert.ok(error instanceof UserError);
  assert.match(error.message, /^listen: must .*, not "\$\{HOME\}"/);
});

test("a config file, with interceptors and services beside; reload keeps them", async (t) => {
  const configFile = await fileOf(t, "linchpin.yaml", "drain: { grace: 1s }\n");
  const calls: string[] = [];
  const hub = await createHub({
    configFile,
    listen: "127.0.0.1:0",
    admin: "off",
    log: false,
    services: [BEHAVIOR],
    use: [
      everywhere("watch", {
        start(call) {
          calls.push(call.path);
          return undefined;
        },
      }),
    ],
  });
  t.after(() => hub.close());
  const client = behaviorClient(t, hub.address);
  assert.equal((await callUnary(client, {})).code, 0);
  assert.deepEqual(await hub.reload(), []);
  assert.equal((await callUnary(client, {})).code, 0);
  assert.equal(calls.length, 2);
});

test("two hubs in one program share no threads: what one has to translate takes no bound of the other", async (t) => {
  const hubs = await Promise.all(
    [1, 2].map(() => start(t, { services: [BEHAVIOR], http: { openapi: "/openapi" } })),
  );
  let started = 0;
  const count = (): void => void started++;
  process.on("worker", count);
  t.after(() => process.off("worker", count));
  const body = JSON.stringify({ payload: "a".repeat(1024 * 1024) });
  for (const hub of hubs) {
    const before = started;
    const answer = await http("1.1", hub.address, "/test/v1/unary", { body });
    assert.equal(answer.status, 200, answer.text.slice(0, 200));
    assert.equal((await http("1.1", hub.address, "/openapi.json")).status, 200);
    // Each starts one for messages and one for documents, and the second does not find those of the first.
    assert.equal(started - before, 2);
  }
});

/** The first endpoint that can take a call. */
const first: BalancerMaker = () => {
  let all: readonly BalancerEndpoint[] = [];
  return {
    update: (endpoints) => {
      all = endpoints;
    },
    pick: (_attempt, usable) => all.find(usable),
  };
};

test("a program's balancer and source of endpoints are named in the config", async (t) => {
  const services = await Promise.all(["one", "two"].map((name) => serveBehavior(t, behavior(name))));
  const addresses = services.map(({ address }) => {
    const [host = "", port = ""] = address.split(":");
    return { host, port: Number(port) };
  });
  const targets: string[] = [];
  const outcomes: number[] = [];
  let watcher: EndpointWatcher | undefined;
  const memory: SourceMaker = (target) => {
    if (target === "") throw new UserError("memory: names nothing");
    targets.push(target);
    return {
      watch: (given) => {
        watcher = given;
        given.endpoints(addresses);
        return { close: () => undefined };
      },
    };
  };
  const hub = await start(t, {
    balancers: {
      first: (context) => ({ ...first(context), end: (_, { code }) => void outcomes.push(code) }),
    },
    sources: { memory },
    upstreams: { toys: { endpoints: "memory:toys", balancer: "first" } },
  });
  const client = behaviorClient(t, hub.address);
  const ready = (): boolean =>
    hub
      .upstreams()
      .every(({ endpoints }) => endpoints.length === 2 && endpoints.every((e) => e.state === "ready"));
  await until(ready, "both endpoints");
  const instance = async () => (await callUnary(client, {})).messages[0]?.seen?.instance;
  assert.deepEqual([await instance(), await instance()], ["one", "one"]);
  assert.ok(targets.includes("toys"), targets.join());
  assert.ok(outcomes.length >= 2, outcomes.join());
  // Another list: the calls go there.
  watcher?.endpoints(addresses.slice(1));
  assert.equal(await instance(), "two");
  // What is no list is a problem of the source, and changes nothing.
  watcher?.endpoints(JSON.parse('[{"host":"a b","port":1}]'));
  assert.equal(await instance(), "two");
  assert.equal(hub.upstreams()[0]?.endpoints.length, 1);
});

test("a balancer that picks what it may not fails the call, and is named in the log", async (t) => {
  const { address } = await serveBehavior(t, behavior("one"));
  const said = new Said();
  const wrong: BalancerMaker = (context) => ({
    ...first(context),
    pick: () => JSON.parse('{"address":"10.0.0.1:1"}'),
  });
  const hub = await start(t, {
    balancers: { wrong },
    upstreams: { toys: { endpoints: [address], balancer: "wrong", schema: "none" } },
    log: said,
  });
  assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, Code.INTERNAL);
  assert.match(said.lines.join("\n"), /balancer "wrong": pick must return an endpoint that is usable/);
});

test("a program adds pages to the admin listener", async (t) => {
  const pages: AdminPage[] = [
    {
      path: "/tenants",
      about: "the tenants",
      respond: (hub) => ({ body: { routes: hub.routes().length > 0 }, text: () => "blue" }),
    },
    {
      path: "/tenants/forget",
      about: "forgets a tenant",
      method: "POST",
      respond: async () => {
        throw new UserError("there is none");
      },
    },
    { path: "/broken", about: "wrong", respond: () => JSON.parse("7") },
  ];
  const hub = await start(t, { services: [BEHAVIOR], admin: "127.0.0.1:0", pages });
  const admin = (hub.adminUrl ?? "").replace("http://", "");
  assert.deepEqual((await http("1.1", admin, "/tenants")).json(), { routes: true });
  const text = await http("1.1", admin, "/tenants", { headers: { accept: "text/plain" } });
  assert.equal(text.text.trim(), "blue");
  assert.match((await http("1.1", admin, "/")).text, /\/tenants/);
  assert.equal((await http("1.1", admin, "/tenants/forget")).status, 405);
  const forget = await http("1.1", admin, "/tenants/forget", { method: "POST" });
  assert.deepEqual([forget.status, forget.json()], [409, { error: "there is none" }]);
  assert.equal((await http("1.1", admin, "/broken")).status, 500);
  assert.equal((await http("1.1", admin, "/livez")).status, 200);
});

test("only the configured addresses are listened on", async (t) => {
  const hub = await start(t, { services: [BEHAVIOR] });
  assert.equal(hub.adminUrl, undefined);
  const admin = await start(t, { services: [BEHAVIOR], admin: "127.0.0.1:0" });
  assert.match(admin.adminUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
  const { address, url } = hub;
  assert.equal(url, `http://${address}`);
});

for (const how of ["close", "drain"]) {
  test(`after ${how} nothing keeps the process alive`, async (t) => {
    const program = startNode(t, join(ROOT, "build/test/support/embedded-program.js"), [how]);
    const exit = await program.exited;
    assert.deepEqual(exit, { code: 0, signal: null }, program.stderr.text);
    assert.deepEqual(program.stdout.lines, ["200", "closed"]);
  });
}
