// Whatever bytes and requests come, in whatever pieces: nothing crashes, hangs or keeps memory, and honest calls go on. A
// short run of what `make soak` does by the million; FUZZ_INPUTS and FUZZ_SEED change how much and which.
import { test } from "node:test";
import { fuzz } from "./target.js";
import { targets } from "./targets.js";

const INPUTS = Number(process.env.FUZZ_INPUTS ?? 6000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

for (const target of await targets()) {
  const count = Math.max(200, Math.round((INPUTS * target.share) / 100));
  test(`${target.name}: ${count} inputs`, async () => {
    await fuzz(target, SEED, count);
  });
}
