// A throw at every function of the hub that a call comes by, over every protocol: that call is answered, the others go
// on, the process lives. Here each place throws in one of the scenarios; injection-all.test.ts has the rest.
import { after, test } from "node:test";
import { injectEverywhere } from "./support/injection-run.js";

test("a throw at any function ends one call or one connection, and nothing else", async (t) => {
  await injectEverywhere(t, { after }, "each place once");
});
