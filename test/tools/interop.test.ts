// gRPC's own interop cases, by its own clients and servers, through the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { INTEROP_CASES, runInterop } from "../conformance/interop.js";

/** Cells that no client or server of the two languages offers; were there more, something was left out in silence. */
const NOT_OFFERED = 36;

test("gRPC interop cases", async (t) => {
  const columns = await runInterop();
  assert.equal(columns.length, 8);
  let notOffered = 0;
  for (const { client, server, tls, outcomes } of columns)
    await t.test(`${client} calls ${server}${tls ? ", over TLS" : ""}`, async (t) => {
      assert.deepEqual([...outcomes.keys()].sort(), [...INTEROP_CASES].sort());
      for (const [name, outcome] of outcomes)
        if (outcome.kind === "not offered") notOffered++;
        else await t.test(name, () => assert.deepEqual(outcome, { kind: "passed" }));
    });
  assert.equal(notOffered, NOT_OFFERED);
});
