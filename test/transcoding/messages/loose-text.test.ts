// Booleans and durations as clients of other gateways write them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { looseText } from "#src/transcoding/messages/loose-text.js";
import { resolveField } from "#src/transcoding/routes/set-field.js";
import { registry } from "../support/library.js";

function field(name: string): (text: string) => string {
  const target = resolveField(registry.getMessage("test.v1.All") ?? assert.fail(), name);
  if (typeof target === "string") assert.fail(target);
  return (text) => looseText(target.leaf, text);
}

describe("a boolean", () => {
  it("may be one of the words that absl and Go know, wrapped or repeated too", () => {
    for (const name of ["flag", "w_bool", "flags"]) {
      for (const word of ["1", "t", "T", "true", "True", "TRUE", "y", "yes", "YES"])
        assert.equal(field(name)(word), "true", word);
      for (const word of ["0", "f", "F", "false", "False", "n", "no"])
        assert.equal(field(name)(word), "false", word);
      for (const word of ["", "2", "tru", "on", " 1", "1\n"]) assert.equal(field(name)(word), word);
    }
  });
});

describe("a duration", () => {
  it("may be one of Go", () => {
    for (const [text, seconds] of [
      ["1m30s", "90s"],
      ["1.5h", "5400s"],
      ["300ms", "0.300000000s"],
      ["-1h0m0.5s", "-3600.500000000s"],
      ["+2us", "0.000002000s"],
      ["3µs", "0.000003000s"],
      ["3μs", "0.000003000s"],
      ["7ns", "0.000000007s"],
      ["0.9ns", "0s"],
      ["-0s", "0s"],
      ["1.s", "1s"],
      ["1.5s", "1.500000000s"],
    ] as const)
      assert.equal(field("lasts")(text), seconds, text);
  });

  it("is unchanged if it has no looser form", () => {
    for (const text of ["", "0", "1", "s", ".5s", "1d", "1m 30s", "--1s", "1e3s", `${"9".repeat(20)}s`])
      assert.equal(field("lasts")(text), text);
  });

  it("of any form is seconds, and never throws", () => {
    const part = fc.tuple(
      fc.nat(),
      fc.constantFrom("", ".", ".25"),
      fc.constantFrom("ns", "ms", "s", "m", "h"),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        assert.match(field("lasts")(parts.flat().join("")), /^\d+(?:\.\d{9})?s$/);
      }),
    );
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void field("lasts")(text)));
  });
});

describe("anything else", () => {
  it("is no other text", () => {
    for (const name of ["text", "i32", "w_string", "at", "mask", "genre"])
      for (const text of ["1", "t", "yes", "1m30s"]) assert.equal(field(name)(text), text);
  });
});
