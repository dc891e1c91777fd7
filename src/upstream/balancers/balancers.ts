// The balancers that an upstream can have, by the names that a config uses. A new one is a file here and a row.
import type { BalancerFactory } from "./balancer.js";
import { roundRobin } from "./round-robin.js";

export const BALANCERS = {
  round_robin: roundRobin,
} as const satisfies Readonly<Record<string, BalancerFactory>>;
