import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CallKey } from "#src/call/call-key.js";
import { callOf } from "../support/sinks.js";

test("a call without values has no storage for them", () => {
  const call = callOf();
  assert.equal(new CallKey<string>("none").get(call), undefined);
  assert.equal(call.values, undefined);
});

test("each key has its own value of each call, the last that was set, whatever its name", () => {
  const keys = Array.from({ length: 5 }, () => new CallKey<number | undefined>("same"));
  const sets = fc.array(fc.tuple(fc.nat(2), fc.nat(4), fc.option(fc.nat(9), { nil: undefined })));
  fc.assert(
    fc.property(sets, (all) => {
      const calls = [callOf(), callOf(), callOf()];
      const model = new Map<string, number | undefined>();
      for (const [c, k, value] of all) {
        const call = calls[c];
        if (call !== undefined) keys[k]?.set(call, value);
        model.set(`${c} ${k}`, value);
        for (const [i, of] of calls.entries())
          for (const [j, key] of keys.entries()) assert.equal(key.get(of), model.get(`${i} ${j}`));
      }
      for (const { values = [] } of calls) assert.ok(values.length <= 2 * keys.length, "nothing grows");
    }),
    { numRuns: 100 },
  );
});
