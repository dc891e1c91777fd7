// As injection.test.ts, with each place thrown at in every scenario that comes by it: thousands of throws. `make
// test-nightly` runs it.
import { after, test } from "node:test";
import { injectEverywhere } from "./support/injection-run.js";

test("a throw at any function, in every scenario, ends one call or one connection, and nothing else", async (t) => {
  await injectEverywhere(t, { after }, "each place in each scenario");
});
