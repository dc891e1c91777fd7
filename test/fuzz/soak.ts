// Runs the fuzzer long: `make soak`, a million inputs and a million requests by their grammar;
// `make soak ARGS="--inputs 100000 --seed 7 --only listener"`.
// A failure names its target and seed; `--only TARGET --seed SEED --inputs 1` makes it again.
import { parseArgs } from "node:util";
import { chaosSoak } from "../e2e/support/chaos-soak.js";
import { fuzz, type Target } from "./target.js";
import { targets } from "./targets.js";

/** A fault takes as long as some thousands of inputs. */
const INPUTS_PER_FAULT = 5_000;

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
const { only } = values;
const chosen = (await targets()).filter(({ name }) => only === undefined || name.includes(only));
const shareOf = ({ share, soakShare = share }: Target): number => soakShare;
const shares = only === undefined ? 100 : chosen.reduce((sum, target) => sum + shareOf(target), 0);
let total = 0;
const startedAt = performance.now();
for (const target of chosen) {
  const count = Math.max(1, Math.round((Number(values.inputs) * shareOf(target)) / shares));
  const { name, inputs, ms, growthBytes } = await fuzz(target, Number(values.seed), count);
  total += inputs;
  const growth = (growthBytes / 1024 / 1024).toFixed(1);
  console.log(
    `${name.padEnd(40)} ${String(inputs).padStart(8)} inputs  ${(ms / 1000).toFixed(1).padStart(7)} s  heap ${growth} MiB`,
  );
}
if (only === undefined || only === "chaos") {
  const faults = Math.max(1, Math.round(Number(values.inputs) / INPUTS_PER_FAULT));
  for (const line of await chaosSoak(faults, Number(values.seed))) console.log(line);
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `soak: ${total} inputs in ${seconds.toFixed(0)} s: no crash, no hang, memory bounded (seed ${values.seed})`,
);
