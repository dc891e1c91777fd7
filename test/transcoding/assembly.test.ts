// Whatever a client sends, and however it splits a message over path, query and body.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Status } from "#src/call/status/status.js";
import { registry } from "./support/library.js";
import { routerFor, send } from "./support/schema.js";
import { shapes } from "./support/shapes.js";
import { encodeBody } from "./support/translate.js";

const library = routerFor(registry);

/** A field in each of its spellings, and values: what stands in a query, and in the message's JSON. */
type Value = readonly [texts: readonly string[], json: unknown];
const one = (text: string, json: unknown = text): Value => [[text], json];
const FIELDS: Record<string, { names: readonly string[]; value: fc.Arbitrary<Value> }> = {
  text: { names: ["text"], value: fc.string({ unit: "binary", minLength: 1 }).map((s) => one(s)) },
  displayName: {
    names: ["displayName", "display_name"],
    value: fc.string({ unit: "grapheme", minLength: 1 }).map((s) => one(s)),
  },
  i32: {
    names: ["i32"],
    value: fc
      .integer()
      .filter((n) => n !== 0)
      .map((n) => one(`${n}`, n)),
  },
  i64: {
    names: ["i64"],
    value: fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .filter((n) => n !== 0n)
      .map((n) => one(`${n}`)),
  },
  flag: { names: ["flag"], value: fc.constant(one("true", true)) },
  data: {
    names: ["data"],
    value: fc
      .tuple(fc.uint8Array({ minLength: 1 }), fc.constantFrom("base64" as const, "base64url" as const))
      .map(([bytes, form]) => one(Buffer.from(bytes).toString(form), Buffer.from(bytes).toString("base64"))),
  },
  genre: { names: ["genre"], value: fc.constantFrom(one("NOVEL"), one("2", "POETRY"), one("77", 77)) },
  maybe: { names: ["maybe"], value: fc.integer().map((n) => one(`${n}`, n)) },
  wString: { names: ["wString", "w_string"], value: fc.string({ unit: "binary" }).map((s) => one(s)) },
  value: {
    names: ["value"],
    value: fc
      .json()
      .filter((s) => !s.includes("e") && !s.includes("-0"))
      .map((s) => one(s, JSON.parse(s))),
  },
  nums: {
    names: ["nums"],
    value: fc.array(fc.integer(), { minLength: 1, maxLength: 5 }).map((list) => [list.map(String), list]),
  },
};

describe("a message is the same, wherever its fields come from", () => {
  const picks = fc.record(
    Object.fromEntries(
      Object.entries(FIELDS).map(([field, { names, value }]) => [
        field,
        fc.tuple(fc.constantFrom(...names), value),
      ]),
    ),
    { requiredKeys: [] },
  );
  it("from a query, in any order and spelling", () => {
    fc.assert(
      fc.property(picks, fc.boolean(), (record, reversed) => {
        const picked = Object.entries(record).flatMap(([field, pick]) =>
          pick === undefined ? [] : [{ field, name: pick[0], texts: pick[1][0], json: pick[1][1] }],
        );
        const pairs = picked.flatMap(({ name, texts }) =>
          texts.map((text): [string, string] => [name, text]),
        );
        // Elements keep their order; fields need none.
        if (reversed) pairs.sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0));
        const query = new URLSearchParams(pairs).toString();
        const result = send(library, registry, `GET /v1/all?${query}`);
        if (result instanceof Status) assert.fail(`${query}: ${result.message}`);
        const expected = picked.map(({ field, json }) => [field, json]);
        assert.deepEqual(result.message, Object.fromEntries(expected));
        const body = picked.map(({ name, json }) => [name, json]);
        const posted = send(library, registry, "POST /v1/all", JSON.stringify(Object.fromEntries(body)));
        if (posted instanceof Status) assert.fail(posted.message);
        assert.deepEqual(posted.message, result.message);
      }),
      { numRuns: 500 },
    );
  });

  it("from the path, whatever the name has in it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (name) => {
        const escaped = encodeURIComponent(name);
        for (const [request, body] of [
          [`GET /v1/things/${escaped}`, undefined],
          [`GET /v1/things/${escaped}?name=${escaped}`, undefined],
          [`PUT /v1/names/${escaped}`, { name }],
        ] as const) {
          const result = send(library, registry, request, body);
          if (result instanceof Status) assert.fail(result.message);
          assert.deepEqual(result.message, { name });
        }
      }),
    );
  });
});

describe("whatever is sent", () => {
  const routers = [
    routerFor(shapes),
    routerFor(
      shapes,
      { unknownQuery: "ignore", unknownFields: "ignore", bareSystemParameters: true, methodOverride: true },
      { forms: () => true },
    ),
  ];
  const plans = routers[0]?.plans ?? [];
  const names = [
    ...new Set(plans.flatMap((plan) => plan.descriptor.input.fields.flatMap((f) => [f.name, f.jsonName]))),
  ];
  const word = fc.oneof(
    fc.constantFrom(
      "1",
      "x",
      "",
      "%2F",
      "%zz",
      "true",
      "RED",
      "a:b",
      "NaN",
      "null",
      "[]",
      "{}",
      "things",
      "2024-01-01T00:00:00Z",
      "__proto__",
    ),
    fc.string({ unit: "binary" }).map(encodeURIComponent),
    fc.string(),
  );
  const name = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom(
      "thing.name",
      "thing.part.inner.size",
      "counts[a]",
      "labels[",
      "$alt",
      "$fields",
      "fields",
      "thing.any.type_url",
      "__proto__",
      "constructor",
    ),
    fc.tuple(fc.constantFrom(...names), word).map(([map, key]) => `${map}[${key}]`),
    word,
  );
  const query = fc
    .array(
      fc.tuple(name, word).map((pair) => pair.join("=")),
      { maxLength: 4 },
    )
    .map((all) => all.join("&"));
  const json = fc.oneof(
    fc.json(),
    fc
      .dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
      .map((o) => JSON.stringify(o)),
    fc.string(),
    fc.constant(""),
  );
  const type = fc.constantFrom(
    undefined,
    "application/json",
    "image/png",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=X",
  );

  it("is a message or a 4xx that says why, in time", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...plans),
        fc.array(word, { minLength: 8, maxLength: 8 }),
        query,
        json,
        type,
        (plan, words, q, body, contentType) => {
          const path = plan.text
            .replace(/\{[^}=]*=([^}]*)\}/g, "$1")
            .replace(/\{[^}]*\}|\*/g, () => words.pop() ?? "x");
          for (const built of routers) {
            const match = built.router.match(plan.httpMethod, `${path}?${q}`);
            const result =
              match.kind === "miss" ? match.status : encodeBody(match, Buffer.from(body), contentType);
            if (!(result instanceof Status)) continue;
            assert.ok(result.http >= 400 && result.http < 500, `${result.http}: ${result.message}`);
            assert.ok(result.message.length > 0 && result.message.length < 2000);
            built.router.renderStatus(result);
            built.explain(plan.httpMethod, `${path}?${q}`);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});
