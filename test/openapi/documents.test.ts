// Documents made in a thread: the same as those made in place, once for all who wait, while the event loop goes on.
import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Status } from "#src/call/status/status.js";
import type { Clock } from "#src/kit/clock.js";
import { type OpenApiInput, openApiDocument } from "#src/openapi/document.js";
import type { Format } from "#src/openapi/document-job.js";
import { Documents, documentThreads, type GeneratedDocument } from "#src/openapi/documents.js";
import type { OpenApiFilter } from "#src/openapi/filter.js";
import { printJson, printYaml } from "#src/openapi/print.js";
import { readProtoset } from "#src/schema/sources/protoset.js";
import { registryFrom } from "#src/schema/types/registry.js";
import { method, protosetOf, stringField } from "../schema/support/files.js";
import { FakeClock } from "../support/fake-clock.js";
import { turns } from "../support/until.js";
import { routerFor } from "../transcoding/support/schema.js";
import { inputFor } from "./support/input.js";
import { largeProtoset } from "./support/large.js";
import { torture } from "./support/torture.js";

/** Who waits to the end: many do at once. */
const STAYS = new AbortController().signal;
setMaxListeners(0, STAYS);

const samples = registryFrom(readProtoset(readFileSync("generated/image.binpb")));
const large = inputFor(routerFor(registryFrom(readProtoset(largeProtoset(500)))));

const some = inputFor(routerFor(registryFrom(readProtoset(largeProtoset(60)))));

async function made(
  documents: Documents,
  format: Format,
  filter: OpenApiFilter = {},
): Promise<GeneratedDocument> {
  const document = await documents.get(format, filter, STAYS);
  if (document instanceof Status) assert.fail(document.message);
  return document;
}

const CONFIGURED: Partial<OpenApiInput> = {
  securitySchemes: { jwt: { type: "http", scheme: "bearer" } },
  access: ({ name }) =>
    name.startsWith("Get")
      ? { auth: "none", roles: undefined }
      : { auth: "required", roles: name.startsWith("Delete") ? ["librarian", "admin"] : undefined },
  success: ({ name }) => (name === "CreateBook" ? { success: 201, location: "/v1/{name}" } : undefined),
};
const plain = routerFor(samples);
const forms = routerFor(torture, { print: { protoNames: true } }, { prefix: "/api", forms: () => true });
const INPUTS: Readonly<Record<string, OpenApiInput>> = {
  "the sample services": inputFor(plain),
  "config that says something of everything": inputFor(
    plain,
    {
      print: { enumsAsNumbers: true },
      streamFormat: "sse",
      errorForm: "problem",
      webSocketOrigins: undefined,
    },
    CONFIGURED,
  ),
  "a prefix, and types that no table has": inputFor(forms, { print: { protoNames: true } }),
  "several upstreams, with types of the same names": {
    ...inputFor(plain),
    plans: [...plain.plans, ...forms.plans, ...routerFor(registryFrom(readProtoset(largeProtoset(5)))).plans],
  },
  "no route at all": { ...inputFor(plain), plans: [] },
};
for (const [name, input] of Object.entries(INPUTS)) {
  test(`a document of a thread is that of the event loop: ${name}`, async () => {
    const documents = new Documents(input);
    const { body, etag } = await made(documents, "json");
    assert.equal(body.toString(), printJson(openApiDocument(input)));
    assert.match(etag, /^"[\w-]{22}"$/);
    if (!name.startsWith("the sample")) return;
    const one = { service: "library.v2.LibraryService" };
    const yaml = await printYaml(openApiDocument(input, one));
    assert.equal((await made(documents, "yaml", one)).body.toString(), yaml);
    for (const filter of [{ version: "v1" }, { service: "library.v2.LibraryService", version: "v2" }])
      assert.equal(
        (await made(documents, "json", filter)).body.toString(),
        printJson(openApiDocument(input, filter)),
      );
    const problem = await documents.get(
      "json",
      { service: "library.v2.LibraryService", version: "v1" },
      STAYS,
    );
    assert.ok(problem instanceof Status && problem.http === 404);
  });
}

test("a large document is made once for all who wait, and the event loop is not blocked", async () => {
  const documents = new Documents(large);
  let turns = 0;
  let waiting = true;
  const count = (): void => {
    turns++;
    if (waiting) setImmediate(count);
  };
  setImmediate(count);
  const all = await Promise.all(Array.from({ length: 10 }, () => made(documents, "json"))).finally(() => {
    waiting = false;
  });
  assert.ok(all.every(({ body }) => body === all[0]?.body));
  assert.ok((all[0]?.body.length ?? 0) > 500_000);
  // Made in place, it takes one turn for each of the ten.
  assert.ok(turns > 100, `${turns} turns`);
  assert.equal((await made(documents, "json")).body, all[0]?.body, "it is kept");
});

test("of the documents that wait to be made there is a bound, and afterwards each can be had", async () => {
  const documents = new Documents(inputFor(routerFor(registryFrom(readProtoset(largeProtoset(1, 40))))));
  const services = Array.from({ length: 40 }, (_, i) => `large.v1.Other${i}`);
  const answers = await Promise.all(services.map((service) => documents.get("json", { service }, STAYS)));
  const refused = answers.flatMap((answer) => (answer instanceof Status ? [answer.http] : []));
  assert.deepEqual(
    refused,
    Array.from({ length: 40 - 16 }, () => 503),
  );
  const { body } = await made(documents, "json", { service: "large.v1.Other39" });
  assert.match(body.toString(), /large_v1_Other39_Get/);
});

/** What `documents` need, on a clock that is moved by hand; `begun` resolves when a thread is given a document. */
function byHand(input: OpenApiInput) {
  const clock = new FakeClock();
  let onBegun = (): void => {};
  const noting: Clock = {
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    setTimeout: (callback, delayMs) => {
      if (delayMs === MAX_MS) onBegun();
      return clock.setTimeout(callback, delayMs);
    },
  };
  const begun = () =>
    new Promise<void>((resolve) => {
      onBegun = resolve;
    });
  const threads = documentThreads(noting);
  return { clock, begun, threads, documents: new Documents(input, { threads, clock }) };
}

const MAX_MS = 120_000;
const TOO_LARGE = /too large \(.*\): ask for one service or version$/;

test("a document that takes longer than two minutes is refused, and the thread makes others", async () => {
  const { clock, begun, threads, documents } = byHand(some);
  const answer = documents.get("json", {}, STAYS);
  await begun();
  assert.equal(threads.size, 1);
  clock.advance(MAX_MS);
  assert.equal(threads.size, 0, "its thread is ended");
  const refused = await answer;
  assert.ok(refused instanceof Status && refused.http === 502, "it is refused");
  assert.match(refused.message, TOO_LARGE);
  assert.equal(await documents.get("json", {}, STAYS), refused, "and not made once more");
  assert.ok((await made(documents, "yaml")).body.length > 100_000);
});

test("a document of more values than any reader takes is refused, and one service of it can be had", async () => {
  const wide = protosetOf({
    name: "wide.proto",
    package: "wide.v1",
    messageType: [
      { name: "Wide", field: Array.from({ length: 6000 }, (_, i) => stringField(`field_${i}`, i + 1)) },
      { name: "Small" },
    ],
    service: [
      { name: "Wides", method: [method("Get", ".wide.v1.Wide")] },
      { name: "Smalls", method: [method("Get", ".wide.v1.Small")] },
    ],
  });
  // Each body has all fields but the one that is bound by the path.
  const bindings = Array.from({ length: 101 }, (_, i) => ({ post: `/v1/${i}/{field_${i}}`, body: "*" }));
  const rules = [
    { selector: "wide.v1.Wides.Get", rule: { ...bindings[0], additional_bindings: bindings.slice(1) } },
  ];
  const documents = new Documents(inputFor(routerFor(registryFrom(readProtoset(wide)), {}, { rules })));
  const refused = await documents.get("json", {}, STAYS);
  assert.ok(refused instanceof Status && refused.http === 502, "it is refused");
  assert.match(refused.message, TOO_LARGE);
  assert.match(refused.message, /more than 600000 values/);
  assert.equal(await documents.get("json", {}, STAYS), refused, "and not made once more");
  assert.ok((await made(documents, "json", { service: "wide.v1.Smalls" })).body.length > 500);
});

test("a document that all have left is given up after a second, and its thread ends", async () => {
  const { clock, begun, threads, documents } = byHand(some);
  const first = new AbortController();
  const second = new AbortController();
  const left = [documents.get("json", {}, first.signal), documents.get("json", {}, second.signal)];
  await begun();
  first.abort();
  clock.advance(1000);
  assert.equal(threads.size, 1, "one still waits");
  second.abort();
  clock.advance(999);
  const back = made(documents, "json");
  await turns();
  clock.advance(1000);
  assert.equal(threads.size, 1, "who comes back within a second finds it going on");
  assert.equal((await back).body, (await made(documents, "json")).body);

  const last = new AbortController();
  left.push(documents.get("yaml", {}, last.signal));
  await begun();
  last.abort();
  clock.advance(1000);
  assert.equal(threads.size, 0, "all have left");
  assert.deepEqual(
    (await Promise.all(left)).map((answer) => answer instanceof Status),
    [false, false, true],
  );
  assert.ok((await made(documents, "yaml")).body.length > 100_000, "it is made anew for the next");
});
