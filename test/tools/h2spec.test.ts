// RFC 9113 and RFC 7541 as h2spec sees them, each case of its strict run: the bare engine, and both ports of the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { H2SPEC_CASES, runH2spec } from "../conformance/h2spec.js";

test("h2spec, strict", async (t) => {
  const results = await runH2spec();
  assert.equal(results.length, 3);
  for (const { target, summary, total, passed, failures } of results)
    await t.test(`${target}: ${summary}`, () => {
      assert.equal(failures, "");
      assert.deepEqual({ total, passed }, { total: H2SPEC_CASES, passed: H2SPEC_CASES });
    });
});
