// RFC 9113 and RFC 7541 as h2spec sees them, each case of its strict run: the bare engine in both roles, and both
// ports of the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { H2SPEC_CASES, runH2spec } from "../conformance/h2spec.js";
import { H2SPECD_CASES, runH2specd } from "../conformance/h2specd.js";

test("h2spec, strict", async (t) => {
  const results = await runH2spec();
  assert.equal(results.length, 3);
  for (const { target, summary, total, passed, failures } of results)
    await t.test(`${target}: ${summary}`, () => {
      assert.equal(failures, "");
      assert.deepEqual({ total, passed }, { total: H2SPEC_CASES, passed: H2SPEC_CASES });
    });
});

test("h2specd, strict", async () => {
  const { total, passed, failures } = await runH2specd();
  assert.equal(failures, "");
  assert.deepEqual({ total, passed }, { total: H2SPECD_CASES, passed: H2SPECD_CASES });
});
