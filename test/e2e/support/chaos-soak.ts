// Chaos at length: `make soak ARGS="--only chaos --inputs 1000000 --seed 7"`, a fault for each 5,000 inputs.
import { Random } from "../../fuzz/random.js";
import { assertHeld, type ChaosRow, chaosTable, FAULT_NAMES, startChaos } from "./chaos.js";

/** So many faults, one after the other; rejects where one did not hold. Returns the report, a line for each kind of fault. */
export async function chaosSoak(faults: number, seed: number): Promise<readonly string[]> {
  const endings: (() => Promise<void> | void)[] = [];
  const scope = { after: (ending: () => Promise<void>) => void endings.push(ending) };
  const random = new Random(seed);
  const sums = new Map<string, ChaosRow>();
  try {
    const chaos = await startChaos(scope);
    for (let i = 0; i < faults; i++) {
      const fault = random.pick(FAULT_NAMES);
      const row = await chaos.strike(fault, random);
      assertHeld([row], chaos);
      const sum = sums.get(fault);
      sums.set(fault, {
        fault,
        idempotent: (sum?.idempotent ?? 0) + row.idempotent,
        idempotentFailed: (sum?.idempotentFailed ?? 0) + row.idempotentFailed,
        idempotentCut: (sum?.idempotentCut ?? 0) + row.idempotentCut,
        others: (sum?.others ?? 0) + row.others,
        othersFailed: (sum?.othersFailed ?? 0) + row.othersFailed,
        failedElsewhere: (sum?.failedElsewhere ?? 0) + row.failedElsewhere,
      });
    }
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
  return chaosTable([...sums.values()]);
}
