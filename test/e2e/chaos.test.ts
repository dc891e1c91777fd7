// Instances that are killed, frozen, slowed and cut off under load: calls that may be sent again do not fail, others only
// where they were under way. `make soak` runs it at length.
import { describe, test } from "node:test";
import { Random } from "../fuzz/random.js";
import { assertHeld, type ChaosRow, chaosTable, FAULT_NAMES, startChaos } from "./support/chaos.js";

describe("chaos", { timeout: 300_000 }, () => {
  test("each fault once, under a steady load", async (t) => {
    const chaos = await startChaos(t);
    const random = new Random(1);
    const rows: ChaosRow[] = [];
    for (const fault of FAULT_NAMES) rows.push(await chaos.strike(fault, random));
    for (const line of chaosTable(rows)) t.diagnostic(line);
    assertHeld(rows, chaos);
  });
});
