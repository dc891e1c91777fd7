import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type RunningCall, RunningCalls } from "#src/call/running-calls.js";
import { Code, Status } from "#src/call/status/status.js";

const CAUSE = { status: new Status(Code.UNAVAILABLE, "leaving"), by: "hub", sent: "maybe" } as const;

test("cut ends each call that was added and not deleted, once", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 60 }), (toggles) => {
      const calls = new RunningCalls();
      const ended: number[] = [];
      const all = Array.from({ length: 10 }, (_, i): RunningCall => {
        const call: RunningCall = {
          runningNext: undefined,
          runningPrevious: undefined,
          cut: () => {
            ended.push(i);
            calls.delete(call);
          },
        };
        return call;
      });
      const inside = new Set<number>();
      for (const i of toggles) {
        const call = all[i];
        if (call === undefined) continue;
        if (inside.delete(i)) calls.delete(call);
        else {
          inside.add(i);
          calls.add(call);
        }
      }
      assert.equal(calls.cut(CAUSE), inside.size);
      assert.deepEqual(ended.sort(), [...inside].sort());
      assert.equal(calls.cut(CAUSE), 0);
    }),
  );
});
