// The balancers of an upstream, by their names in the config. A new one is a file here and a row.
import type { BalancerFactory } from "./balancer.js";
import { leastRequest } from "./least-request.js";
import { maglev } from "./maglev.js";
import { peakEwma } from "./peak-ewma.js";
import { random } from "./random.js";
import { ringHash } from "./ring-hash.js";
import { roundRobin } from "./round-robin.js";
import { weightedRoundRobin } from "./weighted-round-robin.js";

export const BALANCERS = {
  peak_ewma: peakEwma,
  round_robin: roundRobin,
  least_request: leastRequest,
  random,
  weighted_round_robin: weightedRoundRobin,
  ring_hash: ringHash,
  maglev,
} as const satisfies Readonly<Record<string, BalancerFactory>>;

export type BalancerName = keyof typeof BALANCERS;
