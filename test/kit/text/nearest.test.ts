// Suggestions for words that are not known.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { didYouMean, nearest } from "#src/kit/text/nearest.js";

const WORDS = ["listen", "admin", "upstreams", "limits", "drain"];

for (const [word, expected] of [
  ["lsiten", "listen"],
  ["Listen", "listen"],
  ["upstream", "upstreams"],
  ["limit", "limits"],
  ["darin", "drain"],
  ["quota", undefined],
  ["", undefined],
  ["x".repeat(100_000), undefined],
] as const) {
  test(`for ${word.slice(0, 20)} it suggests ${expected}`, () =>
    assert.equal(nearest(word, WORDS), expected));
}

test("a word that is there is its own nearest", () => {
  fc.assert(fc.property(fc.constantFrom(...WORDS), (word) => assert.equal(nearest(word, WORDS), word)));
});

test("the hint is empty where there is nothing near", () => {
  assert.equal(didYouMean("listne", WORDS), " (did you mean listen?)");
  assert.equal(didYouMean("quota", WORDS), "");
});
