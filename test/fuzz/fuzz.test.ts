// Whatever bytes come, in whatever pieces: nothing crashes, hangs or keeps memory, and honest calls go on. A short run
// of what `make soak` does by the million; FUZZ_INPUTS and FUZZ_SEED change how much and which.
import { test } from "node:test";
import { fuzz } from "./target.js";
import { targets } from "./targets.js";

const INPUTS = Number(process.env.FUZZ_INPUTS ?? 6000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

const all = await targets();
const shares = all.reduce((sum, { share }) => sum + share, 0);

for (const target of all) {
  const count = Math.max(200, Math.round((INPUTS * target.share) / shares));
  test(`${target.name}: ${count} inputs`, async () => {
    await fuzz(target, SEED, count);
  });
}
