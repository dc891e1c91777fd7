// Every target of the fuzzer, by its share of all inputs.
import { engineClient, engineServer } from "./engine-targets.js";
import { grammar } from "./grammar-target.js";
import { hpack } from "./hpack-target.js";
import { json, listener, recordTraffic, splits } from "./hub-targets.js";
import type { Target } from "./target.js";

export async function targets(): Promise<readonly Target[]> {
  const traffic = await recordTraffic();
  return [hpack, engineServer(traffic), engineClient(traffic), listener, splits, json, grammar];
}
