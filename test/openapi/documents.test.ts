// Documents made in a thread: the same as those made in place, once for all who wait, while the event loop goes on.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Status } from "#src/call/status/status.js";
import { type OpenApiInput, openApiDocument } from "#src/openapi/document.js";
import type { Format } from "#src/openapi/document-job.js";
import { Documents, type MadeDocument } from "#src/openapi/documents.js";
import type { OpenApiFilter } from "#src/openapi/filter.js";
import { printJson, printYaml } from "#src/openapi/print.js";
import { readProtoset } from "#src/schema/sources/protoset.js";
import { registryFrom } from "#src/schema/types/registry.js";
import { routerFor } from "../transcoding/support/schema.js";
import { inputFor } from "./support/input.js";
import { largeProtoset } from "./support/large.js";
import { torture } from "./support/torture.js";

const samples = registryFrom(readProtoset(readFileSync("generated/image.binpb")));
const large = inputFor(routerFor(registryFrom(readProtoset(largeProtoset(500)))));

async function made(documents: Documents, format: Format, filter: OpenApiFilter = {}): Promise<MadeDocument> {
  const document = await documents.get(format, filter);
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
    const problem = await documents.get("json", { service: "library.v2.LibraryService", version: "v1" });
    assert.ok(problem instanceof Status && problem.http === 404);
  });
}

test("a large document is made once for all who wait, and the event loop goes on meanwhile", async () => {
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
  const answers = await Promise.all(services.map((service) => documents.get("json", { service })));
  const refused = answers.flatMap((answer) => (answer instanceof Status ? [answer.http] : []));
  assert.deepEqual(
    refused,
    Array.from({ length: 40 - 16 }, () => 503),
  );
  const { body } = await made(documents, "json", { service: "large.v1.Other39" });
  assert.match(body.toString(), /large_v1_Other39_Get/);
});
