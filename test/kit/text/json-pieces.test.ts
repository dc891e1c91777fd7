// JSON in pieces is what JSON.stringify prints, and no piece of it is long.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonPieces } from "#src/kit/text/json-pieces.js";

const printed = (value: unknown): string => [...jsonPieces(value)].join("");

test("any plain value is printed as JSON.stringify prints it with two spaces", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), (value) => {
      assert.equal(printed(value), JSON.stringify(value, null, 2));
    }),
  );
});

test("a member that is undefined is left out, also as the first or the only one", () => {
  const values = [
    { a: undefined },
    { a: undefined, b: [{ c: undefined, d: { e: undefined } }] },
    { a: [undefined, { b: 1 }], c: undefined, d: [[undefined], {}, []] },
    [undefined, [undefined]],
  ];
  for (const value of values) assert.equal(printed(value), JSON.stringify(value, null, 2));
});

test("much is many pieces, none of them long", () => {
  const rows = Array.from({ length: 5000 }, (_, i) => ({
    verb: "GET",
    path: `/v1/things/${i}`,
    upstream: "x",
  }));
  const services = Array.from({ length: 20_000 }, (_, i) => `pkg.v1.Service${i}`);
  for (const value of [
    { rows },
    { upstreams: [{ name: "one", services }] },
    Object.fromEntries(services.map((s) => [s, { a: 1 }])),
  ]) {
    const pieces = [...jsonPieces(value)];
    assert.ok(pieces.length > 20, `${pieces.length} pieces`);
    const longest = Math.max(...pieces.map(({ length }) => length));
    assert.ok(longest < 40_000, `${longest} characters`);
    assert.equal(pieces.join(""), JSON.stringify(value, null, 2));
  }
});
